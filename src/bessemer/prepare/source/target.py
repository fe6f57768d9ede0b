"""Which column of a table is the label, and what a user is told about the choice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from bessemer.errors import DataError
from bessemer.prepare.source.label import joined
from bessemer.prepare.source.look import Look, one_hot, words_of

LABELS = ("label", "labels", "class", "category", "target", "topic", "sentiment", "label_text", "class_name", "y")
NAMED = (  # words of a name that say a label, the surest first
    "label labels class category target topic sentiment emotion intent genre stance polarity species diagnosis "
    "verdict outcome spam toxic rating ratings stars language"
).split()
PERHAPS = ["type", "kind", "status", "score", "grade", "severity", "priority", "department", "section", "group", "tag", "tags"]
MANY = 0.1  # share of rows with several labels from which on a column is refused
SHOWN = 5
REMEDY = "write data.columns by hand, for example {text: body, label: topic}"


def label_of(
    path: Path, looks: Mapping[str, Look], known: Iterable[str], rows: list[Mapping[str, Any]], notes: list[str]
) -> dict[str, Any]:
    """`label`, or `one_of`, of `data.columns`; `known` are columns that say themselves that they are labels.

    The label is a column that is named so, then columns of 0 and 1 of which one is 1 in each row, then the column
    with the fewest values. Raises DataError where there is none, or where the one that is named so is no class.
    """
    named = [name for name in known if name in looks] + _by_name(looks, LABELS, NAMED)
    hot = one_hot(rows, looks)
    if hot and not any(_sure(name) for name in named):
        notes.append(f"Each row has one 1 in the columns {_listed(hot)}: it is of the class of that name.")
        return {"one_of": hot}
    named += _by_name(looks, (), PERHAPS)
    few = sorted((name for name in looks if looks[name].comes_back), key=lambda name: len(looks[name].names))
    measured = [name for name in looks if looks[name].is_measured and name not in few]
    whole = [name for name in few if not _several(looks[name])]
    for name in few:
        if name not in whole and name not in named:
            notes.append(f"Column {name!r} has several labels in a row, such as {_example(looks[name])!r}.")
    found = [*named, *whole, *measured]
    if not found:
        raise DataError(f"{path}: no column that could be the class ({', '.join(looks)})", REMEDY)
    taken = found[0]
    others = [name for name in dict.fromkeys([*whole, *measured]) if name != taken]
    _check(path, taken, looks[taken], others)
    if others:
        why = "by its name" if named else "which has the fewest values" if whole else "which holds numbers"
        notes.append(
            f"The label is {taken!r} ({_values(looks[taken])}), {why}. It could also be "
            f"{_listed(others, looks)}: name it in data.columns.label if it is."
        )
    return {"label": taken}


def _sure(name: str) -> bool:
    words = words_of(name)
    return name.lower() in LABELS or bool(words and words[-1] in NAMED)


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
    other = f"name another column in data.columns.label, such as {others[0]!r}" if others else REMEDY
    if _several(look):
        one = "a row is of one class: keep one label in each cell, or make a row for each label"
        problem = f"{path}: column {name!r} lists several labels in one cell, such as {_example(look)!r}"
        raise DataError(problem, f"{one}; or {other}")
    if not look.scalar and not look.distinct and look.lists == 0:
        return  # lists of one, or bytes: reading says what is wrong with them
    if look.seen > 2 and len(look.names) == look.seen and not look.is_number:
        example = next(iter(look.names))
        problem = (
            f"{path}: column {name!r} says something else in each of {look.seen} rows, such as {example[:40]!r}"
        )
        raise DataError(problem, f"a class comes back in several rows; {other}")
    if look.seen > 2 and look.counts_up:
        problem = f"{path}: column {name!r} numbers the rows and says no class"
        raise DataError(problem, other)


def _several(look: Look) -> bool:
    """Whether more than a few of its cells hold several labels."""
    return look.lists + joined(look.names).total() > MANY * max(1, look.seen)


def _example(look: Look) -> str:
    return look.example or next(iter(joined(look.names)), "")


def _values(look: Look) -> str:
    if look.is_measured:
        return "numbers"
    return f"{len(look.names)} values"


def _listed(names: list[str], looks: Mapping[str, Look] | None = None) -> str:
    """Names in words; with looks, and what each holds."""
    shown = [f"{name!r} ({_values(looks[name])})" if looks else repr(name) for name in names[: 2 * SHOWN]]
    rest = len(names) - len(shown)
    if rest:
        return f"{', '.join(shown)} and {rest} more"
    return " and ".join(filter(None, [", ".join(shown[:-1]), shown[-1]]))
