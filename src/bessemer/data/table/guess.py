"""What a column of a table holds, from a look at its cells: numbers, categories, dates, or nothing of use."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bessemer.data.table.cells import (
    FORMS,
    ISO,
    MEASURED,
    Number,
    as_category,
    as_number,
    as_seconds,
    is_missing,
    unit_of,
)
from bessemer.data.table.config import TableConfig
from bessemer.errors import DataError

MOSTLY = 0.9  # share of the known cells that must say the same thing
KEPT = 4096  # different cells that are remembered
FEW = 50  # different values that are categories, however few rows there are
REPEATED = 2  # rows that a category has on average
NAMED = (
    "target label labels class category y outcome response species diagnosis survived quality price score value "
    "rating income salary churn default fraud grade"
)
TARGETS = NAMED.split(" ")
SURELY = ("target", "label", "class", "y")
PLAIN = Number()


@dataclass
class Look:
    """What is seen of one column."""

    seen: int = 0
    missing: int = 0
    odd: int = 0  # lists, objects, bytes
    numbers: int = 0  # as float reads them, or with points and commas between thousands
    points: int = 0  # of these, with a decimal point
    commas: int = 0  # of these, with a single comma that may be a decimal one
    sure_commas: int = 0  # not of these: with a comma that can be nothing else
    whole: int = 0
    low: float = 0.0
    high: float = 0.0
    infinite: int = 0
    units: Counter[str] = field(default_factory=Counter)
    dates: Counter[str] = field(default_factory=Counter)
    distinct: dict[str, int] = field(default_factory=dict)  # the values that were met, in order
    letters: int = 0
    spaces: int = 0

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
            self._date(cell)

    def _number(self, cell: Any) -> bool:
        """Look whether it is a number as it stands; returns whether it is one."""
        try:
            number = as_number(cell, PLAIN)
        except (ValueError, TypeError):
            found = MEASURED.fullmatch(cell.strip()) if isinstance(cell, str) else None
            if found is not None:
                self._written(found)
            return False
        self._counted(number)
        if not isinstance(cell, str) or "." in cell:
            self.points += 1
        elif cell.count(",") == 1:
            self.commas += 1  # 1,234 may be 1234 or 1.234
        return True

    def _written(self, found: Any) -> None:
        unit, text = unit_of(found), found[2].strip()
        if unit:
            self.units[unit] += 1
        elif text.count(",") == 1 and text.rfind(".") < text.rfind(","):
            self.sure_commas += 1

    def _counted(self, number: float) -> None:
        if abs(number) == float("inf"):
            self.infinite += 1
            return
        self.low = min(self.low, number) if self.numbers else number
        self.high = max(self.high, number) if self.numbers else number
        self.numbers += 1
        self.whole += number == int(number)

    def _date(self, cell: Any) -> None:
        if isinstance(cell, dt.date):  # or a datetime: a file that knows of dates
            self.dates[ISO] += 1
            return
        if isinstance(cell, str) and not 6 <= len(cell.strip()) <= 35:
            return
        for form in FORMS:
            try:
                as_seconds(cell, form)
            except (ValueError, OverflowError):
                continue
            self.dates[form] += 1


@dataclass(frozen=True)
class Guess:
    """What a column holds (`number`, `category`, `date`, or nothing), how it is written, and a word on why."""

    holds: str
    note: str = ""
    number: Number = PLAIN
    date: str = ISO

    def __bool__(self) -> bool:
        return bool(self.holds)


def guess(look: Look) -> Guess:
    """What a column holds, from what was seen of it."""
    different = len(look.distinct)
    if look.seen == 0:
        return Guess("", "is empty")
    if look.odd:
        return Guess("", "holds lists or objects")
    if different < 2:
        return Guess("", f"always says {next(iter(look.distinct))[:40]!r}")
    share = look.seen * MOSTLY
    if look.sure_commas and not look.points and look.numbers + look.sure_commas >= share:
        return Guess("number", "has decimal commas", Number(comma=True))
    if look.numbers + look.infinite >= share:
        return _number(look)
    if look.units.total() >= share:
        return _measured(look)
    form, dates = max(look.dates.items(), key=lambda one: one[1], default=(ISO, 0))
    if dates >= share:
        return _date(look, form, dates)
    return _category(look)


def _number(look: Look) -> Guess:
    different = len(look.distinct)
    all_differ = different == look.seen or different == KEPT
    counts_rows = look.whole == look.numbers and look.high - look.low + 1 == different == look.seen > FEW
    if all_differ and counts_rows:
        return Guess("", "numbers the rows")
    notes = []
    if look.infinite:
        notes.append(f"{look.infinite} infinite, taken as missing")
    if strange := look.seen - look.numbers - look.infinite:
        notes.append(f"{strange} of {look.seen} cells are no numbers, taken as missing")
    if look.commas:
        notes.append("1,234 is read as 1234; add it to decimal_comma if it means 1.234")
    return Guess("number", "; ".join(notes))


def _measured(look: Look) -> Guess:
    unit, most = look.units.most_common(1)[0]
    if most < look.seen * MOSTLY:
        several = ", ".join(name for name, _ in look.units.most_common(4))
        return Guess("", f"has several units ({several}); bring its numbers to one")
    return Guess("number", f"in {unit}", Number(unit=unit))


def _date(look: Look, form: str, dates: int) -> Guess:
    also = [other for other, count in look.dates.items() if count == dates and other != form]
    if {form, *also} >= {"%d/%m/%Y", "%m/%d/%Y"}:
        return Guess("date", "day or month may come first: here the day; %m/%d/%Y is the other", date="%d/%m/%Y")
    return Guess("date", date=form)


def _category(look: Look) -> Guess:
    different = len(look.distinct)
    if (different > FEW and look.seen < REPEATED * different) or different == KEPT:
        words = look.spaces / look.seen
        what = "holds texts" if words >= 2 else "has a value of its own in most rows, as an id has"
        return Guess("", what)
    numbers = look.numbers / look.seen
    mixed = f"mixes numbers ({numbers:.0%}) and words, taken as categories" if 0.1 < numbers < MOSTLY else ""
    return Guess("category", mixed)


def looks_of(rows: Iterable[Mapping[str, Any]]) -> dict[str, Look]:
    """A look at each column of some rows."""
    looks: dict[str, Look] = {}
    for row in rows:
        for name, cell in row.items():
            found = looks.get(name)
            if found is None:
                found = looks[name] = Look()
            found.add(cell)
    return looks


def settings_of(guesses: Mapping[str, Guess]) -> TableConfig:
    """The settings that say what the columns hold."""
    holds = {what: [name for name, one in guesses.items() if one.holds == what] for what in ("number", "category")}
    return TableConfig(
        numbers=holds["number"],
        categories=holds["category"],
        dates={name: one.date for name, one in guesses.items() if one.holds == "date"},
        decimal_comma=[name for name, one in guesses.items() if one.number.comma],
        units={name: one.number.unit for name, one in guesses.items() if one.number.unit},
    )


def target_of(looks: Mapping[str, Look]) -> str | None:
    """The column that is to be told: one that is named so, else the last that can be, else the first; or None.

    Raises DataError where one is clearly named so and cannot be told.
    """
    for name, look in looks.items():
        if name.strip().lower() in SURELY and not _can_be_told(look):
            problem = f"column {name!r} is named as what is to be told, and {guess(look).note or 'holds dates'}"
            raise DataError(problem, "name another column in data.columns.label, or rename this one")
    fit = [name for name, look in looks.items() if _can_be_told(look)]
    lower = {name.lower(): name for name in reversed(fit)}
    named = [lower[name] for name in TARGETS if name in lower]
    order = [*named, *(name for name in [*looks][-1:] if name in fit), *fit]
    return order[0] if order else None


def _can_be_told(look: Look) -> bool:
    """Numbers, or names that come back: neither a date, nor a text, nor a row's own id."""
    return guess(look).holds in ("number", "category")
