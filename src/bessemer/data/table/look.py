"""What is seen of one column of a table, cell by cell."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bessemer.data.numbers import GROUPED
from bessemer.data.table.cells import Number, Written, as_category, as_number, is_missing, written
from bessemer.data.table.dates import forms_of

KEPT = 4096  # different cells that are remembered
PLAIN = Number()
MAYBE_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}\.\d{3}")  # 1.234 may be 1234


@dataclass
class Look:
    """What is seen of one column."""

    name: str = ""
    seen: int = 0
    missing: int = 0
    odd: int = 0  # lists, objects, bytes
    numbers: int = 0  # as float reads them, or with points and commas between thousands
    points: int = 0  # of these, with a decimal point
    maybe_points: int = 0  # of these, with a point that may stand between thousands
    commas: int = 0  # of these, with a single comma that may be a decimal one
    sure_commas: int = 0  # not of these: written with a decimal comma, or points between thousands, for sure
    whole: int = 0
    inexact: int = 0  # whole numbers that a float64 cannot tell from their neighbors
    infinite: int = 0
    brackets: int = 0  # numbers in brackets, which are negative ones
    low: float = math.inf
    high: float = -math.inf
    last: float | None = None
    rises: bool = True  # each number is above the last
    falls: bool = True
    units: Counter[str] = field(default_factory=Counter)
    dated: int = 0  # dates in whatever form
    dates: Counter[str] = field(default_factory=Counter)
    distinct: dict[str, int] = field(default_factory=dict)  # the values that were met, in order
    letters: int = 0
    spaces: int = 0
    word: str = ""  # one that is no number

    def add(self, cell: Any) -> None:
        """Look at one cell."""
        if is_missing(cell):
            self.missing += 1
            return
        self.seen += 1
        if isinstance(cell, list | dict | bytes):
            self.odd += 1
            return
        text = as_category(cell)
        if len(self.distinct) < KEPT or text in self.distinct:
            self.distinct[text] = self.distinct.get(text, 0) + 1
        self.letters += len(text)
        self.spaces += text.count(" ")
        if not isinstance(cell, bool) and not self._number(cell):
            self.word = self.word or text[:40]
            found = forms_of(cell)
            self.dated += bool(found)
            self.dates.update(found)

    def _number(self, cell: Any) -> bool:
        """Look whether it is a number as it stands; returns whether it is one."""
        try:
            number = as_number(cell, PLAIN)
        except (ValueError, TypeError):
            found = written(cell) if isinstance(cell, str) else None
            if found is not None:
                self._written(found)
            return False
        self._counted(number)
        self.inexact += _is_inexact(cell, number)
        if isinstance(cell, str):
            self._marks(cell.strip())
        else:
            self.points += isinstance(cell, float) and not cell.is_integer()
        return True

    def _marks(self, text: str) -> None:
        self.brackets += text.startswith("(")
        if "." in text:
            self.points += 1
            self.maybe_points += bool(MAYBE_THOUSANDS.fullmatch(text))
        elif text.count(",") == 1:
            self.commas += 1  # 1,234 may be 1234 or 1.234

    def _written(self, found: Written) -> None:
        text = found.digits
        if found.unit:
            self.units[found.unit] += 1
        elif (text.count(",") == 1 and text.rfind(".") < text.rfind(",")) or (
            text.count(".") > 1 and GROUPED[","].fullmatch(text)
        ):
            self.sure_commas += 1

    def _counted(self, number: float) -> None:
        if abs(number) == float("inf"):
            self.infinite += 1
            return
        self.whole += number == int(number)
        self.numbers += 1
        if self.last is not None:
            self.rises &= number > self.last
            self.falls &= number < self.last
        self.last = number
        self.low, self.high = min(self.low, number), max(self.high, number)


def _is_inexact(cell: Any, number: float) -> bool:
    """Whether a whole number is beyond what a float64 holds exactly."""
    if isinstance(cell, str):
        digits = cell.strip()
        return len(digits) > 15 and digits.lstrip("+-").isdecimal() and int(digits) != number
    return isinstance(cell, int) and abs(number) < float("inf") and cell != number


def looks_of(rows: Iterable[Mapping[str, Any]]) -> dict[str, Look]:
    """A look at each column of some rows."""
    looks: dict[str, Look] = {}
    for row in rows:
        for name, cell in row.items():
            found = looks.get(name)
            if found is None:
                found = looks[name] = Look(name)
            found.add(cell)
    return looks
