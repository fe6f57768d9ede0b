"""Dates and times of day as people write them, in seconds."""

from __future__ import annotations

import datetime as dt
import math
import re
from typing import Any

from bessemer.data.numbers import says_nothing

ISO = "iso"
DAYS = (
    *("%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%d.%m.%y", "%d/%m/%Y", "%m/%d/%Y", "%d/%m/%y", "%m/%d/%y"),
    *("%d-%m-%Y", "%m-%d-%Y", "%d %b %Y", "%d %B %Y", "%d. %B %Y", "%d-%b-%Y", "%d-%b-%y"),
    *("%b %d, %Y", "%B %d, %Y", "%b %d %Y", "%a, %d %b %Y"),
)
HOURS = ("%H:%M", "%H:%M:%S", "%I:%M %p", "%I:%M:%S %p")  # times of day, alone or behind a date
FORMS = (ISO, *DAYS, *HOURS)
HALF_DAY = re.compile(r"(?<=\d)\s*([AaPp])\.?[Mm]\.?$")  # 5:00pm, 5:00 p.m.
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
DIRECTIVES = {
    "%Y": r"\d{4}",
    "%y": r"\d\d",
    **dict.fromkeys(("%d", "%m", "%H", "%I"), r"\d{1,2}"),
    **dict.fromkeys(("%M", "%S"), r"\d\d"),
    **dict.fromkeys(("%b", "%a"), r"[^\W\d]{3}"),
    "%B": r"[^\W\d]{3,9}",
    "%p": "[AP]M",
}
CLOCK = r"( \d{1,2}:\d\d(:\d\d)?( [AP]M)?)?"


def _shape(form: str) -> re.Pattern[str]:
    parts = re.split(r"(%\w)", form)
    pattern = "".join(DIRECTIVES.get(part) or re.escape(part) for part in parts)
    return re.compile(pattern + ("" if form in HOURS else CLOCK))


SHAPES = {form: _shape(form) for form in (*DAYS, *HOURS)}


def as_seconds(cell: Any, form: str = ISO) -> float:
    """Seconds since 1970, UTC, of a date; since midnight of a time of day, where the form has no year.

    NaN where the cell says nothing, ValueError where it says anything else.
    """
    if isinstance(cell, dt.datetime):
        return _since_1970(cell)
    if isinstance(cell, dt.date):
        return _since_1970(dt.datetime.combine(cell, dt.time()))
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return math.nan
    if not isinstance(cell, str):
        raise ValueError(str(cell))
    text = _tidy(cell)
    if says_nothing(text):
        return math.nan
    if form == ISO:
        return _iso(text)
    if form in HOURS:
        return seconds_of_day(dt.datetime.strptime(text, form).time())
    return _since_1970(_parsed(text, form))


def seconds_of_day(time: dt.time) -> float:
    """Seconds since midnight."""
    return time.hour * 3600 + time.minute * 60 + time.second + time.microsecond / 1e6


def forms_of(cell: Any) -> list[str]:
    """The forms in which a cell is a date or a time of day."""
    if isinstance(cell, dt.date):  # or a datetime: a file that knows of dates
        return [ISO]
    if not isinstance(cell, str) or not 4 <= len(cell.strip()) <= 35:
        return []
    text = _tidy(cell)
    return [form for form in FORMS if (form == ISO or SHAPES[form].fullmatch(text)) and _fits(text, form)]


def _fits(text: str, form: str) -> bool:
    try:
        return not math.isnan(as_seconds(text, form))
    except (ValueError, OverflowError):
        return False


def _tidy(cell: str) -> str:
    return HALF_DAY.sub(lambda found: f" {found[1].upper()}M", " ".join(cell.split()))


def _iso(text: str) -> float:
    if text.isdigit():
        raise ValueError(text)  # 2020 or 20200105 is a number first
    try:
        return _since_1970(dt.datetime.fromisoformat(text))
    except ValueError:
        return _since_1970(_parsed(text, "%Y-%m-%d"))  # 2020-1-5, 2020-01-05 05:00 PM


def _parsed(text: str, day: str) -> dt.datetime:
    for clock in ("", *(f" {hour}" for hour in HOURS)):
        try:
            return dt.datetime.strptime(text, day + clock)
        except ValueError:
            continue
    raise ValueError(text)


def _since_1970(moment: dt.datetime) -> float:
    return ((moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)) - EPOCH).total_seconds()
