"""Which column of a table is the label, and what a user is told about the choice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from bessemer.errors import DataError
from bessemer.prepare.source.label import joined
from bessemer.prepare.source.look import Look, one_hot, words_of

LABELS = ("label", "labels", "class", "category", "target", "topic", "sentiment", "label_text", "class_name", "y")
# Words of a name that say a label, the surest first; those that may say one.
SURE = (
    "label labels class category target topic sentiment emotion intent genre stance polarity species diagnosis "
    "verdict outcome spam toxic rating ratings stars language"
)
PERHAPS = "type kind status score grade severity priority department section group tag tags"
MANY = 0.1  # share of rows with several labels from which on a column is refused
SHOWN = 10
REMEDY = "name the column of the label: init --label COLUMN"


def label_of(
    path: Path,
    looks: Mapping[str, Look],
    known: Iterable[str],
    rows: list[Mapping[str, Any]],
    notes: list[str],
    said: str | None = None,
) -> dict[str, Any]:
    """`label`, or `one_of`, of `data.columns`; `known` are columns that say themselves that they are labels.

    The label is the column that is `said`, then one that is named so, then columns of 0 and 1 with one 1 in each
    row, then the column with the fewest values. Raises DataError where there is none, or where it is no class.
    """
    named = [name for name in known if name in looks] + _by_name(looks, LABELS, SURE.split())
    hot = one_hot(rows, looks) if said is None else []
    if hot and not any(_sure(name) for name in named if name not in hot):
        notes.append(f"Each row has one 1 in the columns {listing(hot)}: it is of the class of that name.")
        return {"one_of": hot}
    named += _by_name(looks, (), PERHAPS.split())
    few = sorted((name for name in looks if looks[name].comes_back), key=lambda name: len(looks[name].names))
    few = [name for name in few if not _several(looks[name])]
    measured = [name for name in looks if looks[name].is_measured and name not in few]
    found = [said] if said is not None else [*named, *few, *measured]
    others = [name for name in dict.fromkeys([*few, *measured]) if name not in found[:1]]
    if not found:
        for name in (name for name, look in looks.items() if _several(look)):
            _check(path, name, looks[name], others)
        raise DataError(f"{path}: no column that could be the class ({', '.join(looks)})", REMEDY)
    _check(path, found[0], looks[found[0]], others)
    if said is None:
        why = "by its name" if named else "which has the fewest values" if few else "which holds numbers"
        _tell(found[0], why, others, looks, notes)
    return {"label": found[0]}


def _tell(name: str, why: str, others: list[str], looks: Mapping[str, Look], notes: list[str]) -> None:
    """Add which column was taken where others could be, and which of its cells say nothing."""
    look = looks[name]
    if others:
        told = listing([f"{other!r} ({_values(looks[other])})" for other in others], plain=True)
        notes.append(f"The label is {name!r} ({_values(look)}), {why}; it could be {told}: init --label COLUMN.")
    flags = [other for other in others if looks[other].is_flag]
    if look.is_flag and flags:
        notes.append(f"Columns {listing([name, *flags])} hold 0 and 1, several in a row: only {name!r} is told.")
    if nothing := [word for word in look.distinct if word and word not in look.names]:
        count = sum(look.distinct[word] for word in nothing)
        notes.append(
            f"{listing(nothing)} in {name!r} say that there is no label ({count:,} rows of those looked at)."
        )


def _sure(name: str) -> bool:
    words = words_of(name)
    return name.lower() in LABELS or bool(words and words[-1] in SURE.split())


def _by_name(looks: Mapping[str, Look], whole: tuple[str, ...], words: list[str]) -> list[str]:
    """Columns that are called so, or whose last word says so, or another of their words; texts are none."""
    lower = {name.strip().lower(): name for name in reversed(list(looks))}
    found = [lower[name] for name in whole if name in lower]
    numbers = [name for name, look in looks.items() if look.is_number and not look.counts_up]
    free = [name for name, look in looks.items() if look.comes_back or look.lists or name in numbers]
    for word in words:
        found += [name for name in free if words_of(name)[-1:] == [word]]
    for word in words:
        found += [name for name in free if word in words_of(name) and looks[name].comes_back]
    return list(dict.fromkeys(found))


def _check(path: Path, name: str, look: Look, others: list[str]) -> None:
    """Refuse a label that cannot be one, with what could be."""
    remedy = f"name another column: init --label {others[0]}" if others else REMEDY
    if _several(look):
        problem = f"{path}: column {name!r} lists several labels in one cell, such as {_example(look)!r}"
        raise DataError(problem, f"a row is of one class: keep one label a row, or {remedy}")
    if look.objects:
        raise DataError(f"{path}: column {name!r} holds objects, not labels", remedy)
    if not look.scalar:
        return  # lists of one, or bytes: reading says what is wrong with them
    if not look.names:
        raise DataError(f"{path}: no row in it has a label: column {name!r} is empty", remedy)
    if len(look.names) == 1 and look.seen > 1:
        (only,) = look.names
        raise DataError(f"{path}: only one class in it ({only[:40]}), by the column {name!r}", remedy)
    if look.seen > 2 and look.counts_up:
        raise DataError(f"{path}: column {name!r} numbers the rows and says no class", remedy)
    if look.seen > 2 and len(look.names) == look.seen and not look.is_number:
        example = next(iter(look.names))[:40]
        problem = f"{path}: column {name!r} says something else in each of {look.seen} rows, such as {example!r}"
        raise DataError(problem, f"a class comes back in several rows; {remedy}")


def _several(look: Look) -> bool:
    """Whether more than a few of its cells hold several labels."""
    return look.lists + joined(look.names).total() > MANY * max(1, look.seen)


def _example(look: Look) -> str:
    return look.example or next(iter(joined(look.names)), "")


def _values(look: Look) -> str:
    return "numbers" if look.is_measured else f"{len(look.names)} values"


def listing(names: list[str], plain: bool = False) -> str:
    """Names in words, in quotes where they are not `plain`: `'a', 'b' and 'c'`."""
    shown = names if plain else [repr(name) for name in names]
    if len(shown) > SHOWN:
        shown = [*shown[:SHOWN], f"{len(shown) - SHOWN} more"]
    return " and ".join(filter(None, [", ".join(shown[:-1]), shown[-1]]))
