"""Columns inside of columns: `data.body` is the cell `body` of the object in `data`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

DEEPEST = 5  # objects inside of objects
FILE = {"bytes", "path"}  # an object of these is one cell: a file, as Hugging Face `datasets` stores it


def leaves(row: Mapping[str, Any], above: str = "", depth: int = 1) -> Iterator[str]:
    """Names of the cells of a row, those of objects as `object.cell`."""
    for key, value in row.items():
        name = f"{above}{key}"
        inside = isinstance(value, Mapping) and value and not set(value) <= FILE
        if inside and depth < DEEPEST:
            yield from leaves(value, f"{name}.", depth + 1)
        else:
            yield name


def pick(row: Any, name: str) -> Any:
    """The cell of this name, None where there is none; a key that itself has dots comes before objects."""
    if not isinstance(row, Mapping):
        return None
    if name in row or "." not in name:
        return row.get(name)
    places = [at for at, letter in enumerate(name) if letter == "."]
    found = (pick(row[name[:at]], name[at + 1 :]) for at in places if name[:at] in row)
    return next((value for value in found if value is not None), None)


def without_parents(names: list[str]) -> list[str]:
    """The names but those of objects whose cells are named too: an object may be null in some rows."""
    parents = {name[:at] for name in names for at, letter in enumerate(name) if letter == "."}
    return [name for name in names if name not in parents]
