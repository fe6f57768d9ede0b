"""Cells of a table as people write them: numbers, dates and categories; what says that nothing is known."""

from __future__ import annotations

import datetime as dt
import math
import re
from dataclasses import dataclass
from typing import Any

from bessemer.data.numbers import number_in, says_nothing

MEASURED = re.compile(  # $ 1,200 or 12.5 kg: a sign or three capitals in front, a short word behind
    r"([^\w\s+.,-]{1,2}|[A-Z]{3})?\s*([+-]?[\d.,'’\u00a0\u202f ]*\d(?:[eE][+-]?\d+)?)\s*([^\d\s]{1,8})?"
)
ISO = "iso"
FORMS = (ISO, "%Y/%m/%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%d %b %Y", "%b %d, %Y")
CLOCKS = ("", " %H:%M", " %H:%M:%S")
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True)
class Number:
    """How a column writes its numbers: with a decimal comma, with a unit beside each."""

    comma: bool = False
    unit: str = ""


def is_missing(cell: Any) -> bool:
    """Whether a cell says nothing: empty, a word such as NA or ?, or not a number."""
    if isinstance(cell, str):
        return says_nothing(cell)
    return cell is None or (isinstance(cell, float) and math.isnan(cell))


def as_number(cell: Any, form: Number) -> float:
    """The number of a cell, NaN where it says nothing; raises ValueError where it says something else."""
    if not isinstance(cell, str):
        try:
            return math.nan if cell is None else float(cell)
        except OverflowError:  # a whole number of hundreds of digits
            return math.inf
    if not form.comma:
        try:
            number = float(cell)
        except ValueError:
            pass
        else:
            if "_" not in cell:
                return number
    if says_nothing(cell):
        return math.nan
    text = cell.strip().replace("\u2212", "-")  # the minus sign of typesetters
    found = MEASURED.fullmatch(text)
    if found is None or unit_of(found) != form.unit:
        raise ValueError(text)
    return number_in(found[2], "," if form.comma else ".")


def unit_of(found: re.Match[str]) -> str:
    """What stands before or behind a number: kg, $, %."""
    return (found[1] or "") + (found[3] or "")


def as_seconds(cell: Any, form: str = ISO) -> float:
    """Seconds since 1970, UTC, of a date or time; NaN where it says nothing, ValueError for anything else."""
    if isinstance(cell, dt.datetime):
        return _seconds(cell)
    if isinstance(cell, dt.date):
        return _seconds(dt.datetime.combine(cell, dt.time()))
    if is_missing(cell):
        return math.nan
    if not isinstance(cell, str):
        raise ValueError(str(cell))
    text = cell.strip()
    if form == ISO:
        if text.isdigit():
            raise ValueError(text)  # 2020 or 20200105 is a number first
        return _seconds(dt.datetime.fromisoformat(text))
    for clock in CLOCKS:
        try:
            return _seconds(dt.datetime.strptime(text, form + clock))
        except ValueError:
            continue
    raise ValueError(text)


def _seconds(moment: dt.datetime) -> float:
    return ((moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)) - EPOCH).total_seconds()


def as_category(cell: Any) -> str:
    """The name of a category, "" where nothing is known: 3.0 and 3 are one, and so are `True` and `true`."""
    if isinstance(cell, str):
        return "" if says_nothing(cell) else cell.strip()
    if is_missing(cell):
        return ""
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).replace("\x1f", " ")
