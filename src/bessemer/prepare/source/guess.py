"""A guess at what the columns of a table hold, from their names and a few thousand rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import Any

from bessemer.data.config import kinds_with_column
from bessemer.data.files.parquet import as_rows, class_names
from bessemer.data.files.table import class_names_of, is_typed, open_file
from bessemer.data.kinds import KINDS
from bessemer.data.record import Rejected
from bessemer.errors import DataError
from bessemer.prepare.source.common import SPLIT_NAMES
from bessemer.prepare.source.dataset import describe, find_parts
from bessemer.prepare.source.look import LOOKED_AT, MEDIA, Look, looks_of, words_of
from bessemer.prepare.source.named import find_forms
from bessemer.prepare.source.table import TEXT_ROWS
from bessemer.prepare.source.target import LABELS, REMEDY, label_of, listing

LONG = 60  # characters of a cell that is a text for sure, on average
BESIDE = 4  # other columns that make a table of one with short texts
SPLITS = ("split", "part", "subset", "set", "fold", "partition")
WRITTEN = next(name for name in kinds_with_column() if KINDS[name].in_cells)  # in a cell that names no file
# Parts of one sample by the last word of their columns' names: the class may stand in how they relate.
TOGETHER = (
    "title headline subject body text content article message description abstract comment review selftext",
    "premise hypothesis",
    "question answer context passage sentence query document paragraph statement",
    "claim evidence",
    "pros cons",
)


def guess_table(path: Path, notes: list[str] | None = None, label: str | bool = True) -> dict[str, Any]:
    """Kind and `data.columns` of one table; raises DataError where they cannot be told.

    What was chosen among several, or left out, is added to `notes` in sentences. `label` names the column of the
    label; True looks for it, with False there is none.
    """
    table = open_file(path)
    rows = (row for task in table.tasks(TEXT_ROWS, 2**22) for _, row in table.read(task, table.columns))
    first = next(rows, None)
    if first is None:
        shown = ", ".join(table.columns[:20])
        raise DataError(
            f"{path}: names of columns ({shown}), and no row below them", "add rows, or give another file"
        )
    every, known = chain([first], rows), class_names_of(table)
    return guess_columns(path, every, path.parent, known, notes, label, is_typed(table))


def guess_dataset(root: Path, notes: list[str] | None = None, label: str | bool = True) -> dict[str, Any]:
    """Kind and `data.columns` of a data set saved by Hugging Face `datasets`; see `guess_table`."""
    import pyarrow as pa

    part = find_parts(root)[0]
    path = root / part.file
    _, features = describe(path)
    with pa.memory_map(str(path)) as file:
        stream = pa.ipc.open_stream(file)
        rows = (row for batch in stream for row in as_rows(batch))
        return guess_columns(path, rows, path.parent, class_names(features), notes, label, typed=True)


def guess_columns(
    path: Path,
    rows: Iterable[Mapping[str, Any] | Rejected],
    folder: Path,
    known: Mapping[str, list[str]],
    notes: list[str] | None = None,
    label: str | bool = True,
    typed: bool = False,
) -> dict[str, Any]:
    """Kind and columns of rows; `known` are the columns that say themselves that they are labels.

    In a `typed` file, such as JSON, a text `nan` is a name.
    """
    notes = [] if notes is None else notes
    read = [row for row in islice(rows, LOOKED_AT) if not isinstance(row, Rejected)]
    looks = looks_of(read, folder, typed)
    if not looks:
        raise DataError(f"{path}: no readable row in it", "check the file")
    said = label if isinstance(label, str) else None
    if said is not None and said not in looks:
        raise DataError(f"{path}: no column {said!r}; its columns are {', '.join(looks)}", "correct --label")
    split = _split(looks)
    told = {"split": split} if split else {}
    every, looks = looks, {name: look for name, look in looks.items() if name not in (split, said)}
    value = _files(path, looks, read, folder)
    if value is None and not _holds_texts(looks):
        for name, whole in KINDS.items():
            found = whole.columns_of([{key: row.get(key) for key in every if key != split} for row in read])
            if found is not None:
                return {"kind": name, "columns": found | ({"label": said} if said else {}) | told}
    value = value or _texts(path, looks, known, notes)
    inputs = next(iter(value.values()))
    used = {inputs} if isinstance(inputs, str) else set(inputs)
    rest = {name: look for name, look in every.items() if name not in used | {split}}
    target = label_of(path, rest, known, read, notes, said) if label else {}
    _tell_rest(rest, target, notes)
    return {"columns": value | target | told}


def _holds_texts(looks: Mapping[str, Look]) -> bool:
    """Whether some column is what a sample is, and the others only go with it."""
    texts = [look for look in looks.values() if look.is_prose]
    return any(look.length >= LONG for look in texts) or (bool(texts) and len(looks) - len(texts) < BESIDE)


def _split(looks: Mapping[str, Look]) -> str | None:
    for name, look in looks.items():
        if (
            name.lower() in SPLITS
            and look.distinct
            and {text.lower() for text in look.distinct} <= set(SPLIT_NAMES)
        ):
            return name
    return None


def _files(
    path: Path, looks: Mapping[str, Look], rows: list[Mapping[str, Any]], folder: Path
) -> dict[str, Any] | None:
    """The column of images or recordings: their bytes, their paths, or a part of these; None where none is."""
    for kind in MEDIA:
        for name, look in looks.items():
            if look.is_media(kind):
                return {kind: name}
    for name, look in looks.items():
        if not look.scalar or look.is_prose or 2 * len(look.distinct) < look.seen:
            continue  # names of files differ from row to row
        cells = [str(row[name]) for row in rows if row.get(name) not in (None, "")]
        if (found := find_forms(folder, cells, MEDIA)) is not None:
            kind, forms = found
            return {kind: name} | ({} if forms == ["{}"] else {"files": forms[0] if len(forms) == 1 else forms})
    for name, look in looks.items():
        kind = max(MEDIA, key=lambda one: look.named[one])
        if 2 * look.named[kind] > look.seen and not any(one.is_prose for one in looks.values()):
            problem = f"{path}: column {name!r} names {KINDS[kind].noun} that are not there"
            raise DataError(
                f"{problem}, such as {next(iter(look.distinct), '')[:80]!r}",
                "put the table into the folder that they stand in, or set data.columns.files",
            )
    return None


def _texts(path: Path, looks: Mapping[str, Look], known: Mapping[str, Any], notes: list[str]) -> dict[str, Any]:
    """The column of texts, with those that belong to it: the one with the most letters that is no label."""
    free = {name: look for name, look in looks.items() if name not in known and look.scalar and not look.is_number}
    texts = {name: look for name, look in free.items() if name.strip().lower() not in LABELS} or free
    prose = {name: look for name, look in texts.items() if look.is_prose}
    longest = max(prose or texts, key=lambda name: texts[name].letters, default=None)
    if longest is None or not texts[longest].letters:
        problem = f"{path}: no column of texts, images or recordings ({', '.join(looks)})"
        raise DataError(problem, REMEDY)
    main = texts[longest]
    if 2 * main.seen < main.rows:
        notes.append(
            f"Column {longest!r}, which is read, says nothing in {main.rows - main.seen} of {main.rows} rows."
        )
    filled = [name for name, look in prose.items() if 2 * look.seen >= look.rows]
    parts = [name for name in looks if name == longest or (name in filled and _together(name, longest))]
    if len(parts) > 1:
        notes.append(f"Texts are joined from the columns {listing(parts)}.")
    if left := [name for name in filled if name not in parts]:
        both = f"data.columns.{WRITTEN}: [{', '.join([*parts, *left])}]"
        notes.append(f"Texts in {listing(left)} are not read; to join them to the others: {both}.")
    return {WRITTEN: parts if len(parts) > 1 else longest}


def _together(one: str, other: str) -> bool:
    """Whether two columns are parts of one sample by their names: premise and hypothesis, text1 and text2."""
    if one.rstrip("0123456789 _-") == other.rstrip("0123456789 _-") != "":
        return True
    if one[:-1].lower() == other[:-1].lower() and {one[-1:].lower(), other[-1:].lower()} == {"a", "b"}:
        return True
    last = {words_of(name)[-1] for name in (one, other) if words_of(name)}
    return len(last) == 2 and any(last <= set(group.split()) for group in TOGETHER)


def _tell_rest(looks: Mapping[str, Look], label: Mapping[str, Any], notes: list[str]) -> None:
    """Add the columns that are neither read nor told."""
    said = " ".join(notes)
    used = [label["label"]] if "label" in label else label.get("one_of", [])
    rest = [name for name in looks if name not in used and repr(name) not in said]
    if rest:
        notes.append(f"Not read: {listing(rest)}.")
