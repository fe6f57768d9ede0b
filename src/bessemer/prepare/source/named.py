"""Files that cells name in part: without suffix or folder, or in other letters, as images beside a table are.

Nothing is listed that grows with the data: folders are looked at, and a form such as `images/{}.jpg` is tried on a
few cells.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import lru_cache
from itertools import islice
from pathlib import Path

from bessemer.prepare.source.common import KIND_OF_SUFFIX, is_skipped, suffix_of

TRIED = 40  # cells
FOLDERS = 300  # below the table's own that are looked at
LOOKED_AT = 100  # files of a folder whose suffixes are met
MOST_FORMS = 8
LISTED = 200_000  # names of a folder that are kept to find one in other letters


def find_forms(folder: Path, cells: Sequence[str], kinds: Sequence[str]) -> tuple[str, list[str]] | None:
    """The kind of the files that most of the cells name, and the forms that give their paths; None where none do.

    `kinds` are those that are looked for. The most useful form comes first.
    """
    left = [cell.strip().replace("\\", "/") for cell in evenly_taken(cells, TRIED)]
    left = [cell for cell in left if cell and len(cell) < 200 and "\0" not in cell and not cell.startswith("/")]
    wanted, met = len(left), list[str]()
    forms: list[str] = []
    every = list(_forms(folder, kinds)) if left else []
    while left and every and len(forms) < MOST_FORMS:
        hits = {form: [one for one in left if _path(folder, form, one, kinds)] for form in every}
        best = max(every, key=lambda form: len(hits[form]))
        if not hits[best]:
            break
        forms.append(best)
        met += [KIND_OF_SUFFIX[suffix_of(_path(folder, best, one, kinds))] for one in hits[best]]
        left = [one for one in left if one not in hits[best]]
    if not met or 2 * len(met) <= wanted:
        return None
    return max(kinds, key=met.count), forms


def evenly_taken(cells: Sequence[str], most: int) -> list[str]:
    """At most so many of the cells, from the first to the last."""
    return [cells[place * len(cells) // most] for place in range(most)] if len(cells) > most else list(cells)


def _path(folder: Path, form: str, cell: str, kinds: Sequence[str]) -> str:
    """The path of the file of one of these kinds that a cell gives by this form, "" where there is none."""
    path = os.path.join(folder, form.replace("{}", cell))
    found = path if os.path.isfile(path) else same_but_case(path, str(folder))
    return found if found and named_kind(found, kinds) else ""


def _forms(folder: Path, kinds: Sequence[str]) -> list[str]:
    """Each folder, without a suffix and with those that are met in any."""
    befores, suffixes = [], set()
    for place, folders, names in islice(os.walk(folder), FOLDERS):
        folders[:] = sorted(name for name in folders if not is_skipped(name))
        inside = os.path.relpath(place, folder).replace(os.sep, "/")
        befores += [] if "{}" in inside else ["" if inside == "." else f"{inside}/"]
        suffixes |= {Path(name).suffix for name in names[:LOOKED_AT] if named_kind(name, kinds)}
    every = ["", *sorted(suffixes)] if suffixes else []
    return [f"{before}{{}}{suffix}" for suffix in every for before in befores]


def named_kind(name: str, kinds: Sequence[str]) -> str:
    """The kind of file, of some kinds, that a name's suffix says; "" where it says none of them."""
    kind = KIND_OF_SUFFIX.get(suffix_of(name.strip()), "")
    return kind if kind in kinds else ""


def same_but_case(path: str, root: str) -> str | None:
    """A file below `root` whose path is the same but for small and capital letters; None where there is none."""
    if not path.startswith(root.rstrip(os.sep) + os.sep):
        return None
    parent, name = os.path.split(os.path.normpath(path))
    found = parent if os.path.isdir(parent) else same_but_case(parent, root)
    same = _names_in(found).get(name.casefold()) if found else None
    return os.path.join(str(found), same) if same else None


@lru_cache(maxsize=8)
def _names_in(folder: str) -> dict[str, str]:
    """The names in a folder by their small letters; none of a folder that holds too many to keep."""
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in islice(entries, LISTED + 1))
    except OSError:
        return {}
    return {} if len(names) > LISTED else {name.casefold(): name for name in reversed(names)}
