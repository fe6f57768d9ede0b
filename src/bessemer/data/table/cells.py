"""Cells of a table as people write them: numbers and categories; what says that nothing is known."""

from __future__ import annotations

import datetime as dt
import math
import re
from dataclasses import dataclass
from typing import Any

from bessemer.data.numbers import number_in, says_nothing
from bessemer.data.table.dates import seconds_of_day

MEASURED = re.compile(  # -$ 1,200 or 12.5 kg: a sign or three capitals in front, a short word behind
    r"(?P<minus>-?)\s*(?P<front>[^\w\s+.,()-]{1,2}|[A-Z]{3})?\s*"
    r"(?P<digits>[+-]?[\d.,'’\u00a0\u202f ]*\d(?:[eE][+-]?\d+)?)\s*(?P<behind>[^\d\s()]{1,8})?"
)
INFINITE = re.compile(r"\s*[+-]?inf(inity)?\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Number:
    """How a column writes its numbers: with a decimal comma, with a unit beside each."""

    comma: bool = False
    unit: str = ""


@dataclass(frozen=True)
class Written:
    """A number as it stands in a cell: its digits with their sign, and what stands beside them."""

    digits: str
    unit: str


def is_missing(cell: Any) -> bool:
    """Whether a cell says nothing: empty, a word such as NA or ?, or not a number."""
    if isinstance(cell, str):
        return says_nothing(cell)
    return cell is None or (isinstance(cell, float) and math.isnan(cell))


def as_number(cell: Any, form: Number) -> float:
    """The number of a cell, NaN where it says nothing; raises ValueError where it says something else.

    A time of day and a duration are seconds. A unit of the form may be left out.
    """
    if not isinstance(cell, str):
        return _value(cell)
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
    if INFINITE.fullmatch(cell):
        return math.inf
    found = written(cell)
    if found is None or found.unit not in ("", form.unit):
        raise ValueError(cell.strip())
    return number_in(found.digits, "," if form.comma else ".")


def _value(cell: Any) -> float:
    if isinstance(cell, dt.timedelta):
        return cell.total_seconds()
    if isinstance(cell, dt.time):
        return seconds_of_day(cell)
    try:
        return math.nan if cell is None else float(cell)
    except OverflowError:  # a whole number of hundreds of digits
        return math.inf


def written(cell: str) -> Written | None:
    """A number with what stands before or behind it (kg, $, %), in brackets a negative one; None for others."""
    text = cell.strip().replace("\u2212", "-")  # the minus sign of typesetters
    negative = text.startswith("(") and text.endswith(")")
    found = MEASURED.fullmatch(text[1:-1].strip() if negative else text)
    if found is None:
        return None
    minus = "-" if negative else found["minus"]
    if minus and found["digits"][0] in "+-":
        return None
    return Written(minus + found["digits"].strip(), (found["front"] or "") + (found["behind"] or ""))


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
