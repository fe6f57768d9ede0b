"""What a column of a table holds, from a look at its cells: numbers, categories, dates, or nothing of use."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from bessemer.data.table.cells import Number, as_number
from bessemer.data.table.config import TableConfig
from bessemer.data.table.dates import ISO
from bessemer.data.table.look import KEPT, PLAIN, Look
from bessemer.errors import DataError

MOSTLY = 0.9  # share of the known cells that must say the same thing
FEW = 50  # different values that are categories, however few rows there are
REPEATED = 2  # rows that a category has on average
HALF = 0.5  # share of numbers from which on words among them are taken for the exception
COUNTED = 10  # rows from which on a column that is named as an id, and is none twice, is one
EVEN = 50  # the largest step of numbers that count rows, in mean steps
STAND_OUT = 2  # rows that must say -999 for it to mean that nothing is known
SHARE = 0.002  # of all rows that must say so
NAMES_OF_IDS = "id ids nr no num number idx index key serial rowid uuid guid pk"
NAMED = (
    "target label labels class category y outcome response species diagnosis survived quality price score value "
    "rating income salary churn default fraud grade"
)
TARGETS, IDS = NAMED.split(" "), frozenset(NAMES_OF_IDS.split(" "))
SURELY = ("target", "label", "class", "y")
NINES = frozenset(float(f"{sign}{'9' * digits}") for sign in ("", "-") for digits in range(1, 7))  # -999
COUNTRY = re.compile("[A-Z]{2}")


@dataclass(frozen=True)
class Guess:
    """What a column holds (`number`, `category`, `date`, or nothing), how it is written, and a word on why.

    `missing` is a number that stands for nothing known, such as -999.
    """

    holds: str
    note: str = ""
    number: Number = PLAIN
    date: str = ISO
    missing: float | None = None

    def __bool__(self) -> bool:
        return bool(self.holds)


def guess(look: Look) -> Guess:
    """What a column holds, from what was seen of it."""
    if look.seen == 0:
        return Guess("", "is empty")
    if look.odd:
        return Guess("", "holds lists or objects")
    if len(look.distinct) < 2:
        return Guess("", f"always says {next(iter(look.distinct))[:40]!r}")
    share = look.seen * MOSTLY
    if look.inexact:
        return _long_numbers(look)
    if look.sure_commas and look.numbers + look.sure_commas >= share:
        return _continental(look)
    if look.numbers + look.infinite >= share:
        return _number(look)
    if look.units and look.units.total() + look.numbers >= share:
        measured = _measured(look)
        if measured is not None:
            return measured
    form, dates = max(look.dates.items(), key=lambda one: one[1], default=(ISO, 0))
    if dates >= share:
        return _date(look, form, dates)
    if look.dated >= share:
        several = ", ".join(name for name, _ in look.dates.most_common(3))
        return Guess("", f"holds dates in several forms ({several}); bring them to one")
    return _category(look)


def _long_numbers(look: Look) -> Guess:
    found = _category(look)
    why = "whole numbers beyond 2**53, which numbers of a network cannot tell apart"
    return Guess("category", f"has {why}: taken as names") if found else Guess("", f"has {why}, and few come back")


def _continental(look: Look) -> Guess:
    if look.points > look.maybe_points:
        return Guess("", "mixes decimal points and decimal commas; bring its numbers to one")
    form, notes = Number(comma=True), ["has decimal commas"]
    nothing = _stands_for_nothing(look, form)
    return Guess("number", "; ".join(notes + _far_off(look, nothing)), form, missing=nothing and nothing[0])


def _far_off(look: Look, nothing: tuple[float, int] | None) -> list[str]:
    return (
        [f"{nothing[1]} of {look.seen} cells say {nothing[0]:g}, far from all others: missing"] if nothing else []
    )


def _number(look: Look) -> Guess:
    if why := _counts(look):
        return Guess("", why)
    nothing = _stands_for_nothing(look)
    notes = _far_off(look, nothing)
    if look.infinite:
        notes.append(f"{look.infinite} infinite, taken as missing")
    if strange := look.seen - look.numbers - look.infinite:
        notes.append(f"{strange} of {look.seen} cells are no numbers, such as {look.word!r}: taken as missing")
    if look.brackets:
        notes.append("numbers in brackets are negative")
    if look.commas:
        notes.append("1,234 is read as 1234; add it to decimal_comma if it means 1.234")
    if look.points == look.maybe_points >= STAND_OUT:
        notes.append("1.234 is read as 1.234; add it to decimal_comma if it means 1234")
    return Guess("number", "; ".join(notes), missing=nothing and nothing[0])


def _counts(look: Look) -> str:
    """Why numbers only count rows or name them, "" where they do not."""
    different = len(look.distinct)
    if look.whole < look.numbers or not (different == look.seen or different == KEPT):
        return ""
    words = re.findall("[a-z]+", re.sub("(?<=[a-z])(?=[A-Z])", " ", look.name).lower())
    if look.seen >= COUNTED and IDS & set(words):
        return "is an id by its name, and no value comes back"
    if look.seen <= FEW:
        return ""
    if look.high - look.low + 1 == different == look.seen:
        return "numbers the rows"
    if (look.rises or look.falls) and different == look.seen and _even(look):
        return "numbers the rows: it grows from each to the next; name it in data.settings.numbers to keep it"
    return ""


def _even(look: Look) -> bool:
    """Whether numbers that only rise, or only fall, do so in steps of much the same size."""
    values = [float(text.replace(",", "")) for text in look.distinct]
    steps = [abs(after - before) for before, after in pairwise(values)]
    return max(steps) <= EVEN * sum(steps) / len(steps)


def _stands_for_nothing(look: Look, form: Number = PLAIN) -> tuple[float, int] | None:
    """The one number of nines that lies further from all others than these from each other, and how often."""
    counts: Counter[float] = Counter()
    for text, count in look.distinct.items():
        try:
            counts[as_number(text, form)] += count
        except ValueError:
            continue
    others = [number for number in counts if number not in NINES and math.isfinite(number)]
    if len(others) < STAND_OUT:
        return None
    low, high = min(others), max(others)
    span, least = high - low, max(STAND_OUT, SHARE * look.seen)
    far = [one for one in NINES if counts[one] >= least and not low - span <= one <= high + span]
    return (far[0], counts[far[0]]) if len(far) == 1 else None


def _measured(look: Look) -> Guess | None:
    """Numbers with units, of which a few may have none; None where they are rather names, such as 12a and 13b."""
    unit, most = look.units.most_common(1)[0]
    if most < look.units.total() * MOSTLY:
        several = ", ".join(name for name, _ in look.units.most_common(4))
        mostly = look.units.total() >= look.seen * HALF
        return Guess("", f"has several units ({several}); bring its numbers to one") if mostly else None
    bare = f"; {look.numbers} of {look.seen} cells have no unit, taken as the same" if look.numbers else ""
    return Guess("number", f"in {unit}{bare}", Number(unit=unit))


def _date(look: Look, form: str, dates: int) -> Guess:
    also = [other for other, count in look.dates.items() if count == dates and other != form]
    for year in "Yy":
        if {form, *also} >= {day := f"%d/%m/%{year}", month := f"%m/%d/%{year}"}:
            return Guess("date", f"day or month may come first: here the day; {month} is the other", date=day)
    return Guess("date", date=form)


def _category(look: Look) -> Guess:
    different = len(look.distinct)
    numbers = look.numbers / look.seen
    mixed = f"mixes numbers ({numbers:.0%}) and words such as {look.word!r}"
    if (different > FEW and look.seen < REPEATED * different) or different == KEPT:
        if numbers >= HALF:
            return Guess("", f"{mixed}; bring it to one")
        if look.dated >= HALF * look.seen:
            return Guess("", f"mixes dates ({look.dated / look.seen:.0%}) and others such as {look.word!r}")
        words = look.spaces / look.seen
        what = "holds texts" if words >= 2 else "has a value of its own in most rows, as an id has"
        return Guess("", what)
    notes = [f"{mixed}, taken as categories"] if 0.1 < numbers < MOSTLY else []
    if look.missing and sum(bool(COUNTRY.fullmatch(name)) for name in look.distinct) >= max(5, MOSTLY * different):
        notes.append("NA is taken as missing, among codes of two letters; write it in another way if it is one")
    return Guess("category", "; ".join(notes))


def settings_of(guesses: Mapping[str, Guess]) -> TableConfig:
    """The settings that say what the columns hold."""
    holds = {what: [name for name, one in guesses.items() if one.holds == what] for what in ("number", "category")}
    return TableConfig(
        numbers=holds["number"],
        categories=holds["category"],
        dates={name: one.date for name, one in guesses.items() if one.holds == "date"},
        decimal_comma=[name for name, one in guesses.items() if one.number.comma],
        units={name: one.number.unit for name, one in guesses.items() if one.number.unit},
        missing={name: one.missing for name, one in guesses.items() if one.missing is not None},
    )


def target_of(looks: Mapping[str, Look]) -> str | None:
    """The column that is to be told: one that is named so, else the last that can be, else the first; or None.

    Raises DataError where one is clearly named so and cannot be told.
    """
    fit = [name for name, look in looks.items() if _can_be_told(look)]
    lower = {name.lower(): name for name in reversed(fit)}
    named = [lower[name] for name in TARGETS if name in lower]
    for name, look in looks.items():
        meant = name.strip().lower()
        half_numbers = meant in TARGETS and not named and look.numbers >= HALF * look.seen
        if name not in fit and (meant in SURELY or half_numbers):
            problem = f"column {name!r} is named as what is to be told, and {guess(look).note or 'holds dates'}"
            raise DataError(problem, "mend it, name another column in data.columns.label, or rename this one")
    order = [*named, *(name for name in [*looks][-1:] if name in fit), *fit]
    return order[0] if order else None


def _can_be_told(look: Look) -> bool:
    """Numbers, or names that come back: neither a date, nor a text, nor a row's own id."""
    return guess(look).holds in ("number", "category")
