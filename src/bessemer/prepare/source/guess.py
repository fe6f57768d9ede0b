"""A guess at what the columns of a table hold, from their names and a few thousand rows."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any

from bessemer.data.config import kinds_with_column
from bessemer.data.files.parquet import as_rows, class_names
from bessemer.data.files.table import class_names_of, open_file
from bessemer.data.kinds import KINDS, sniff
from bessemer.data.record import Rejected
from bessemer.errors import DataError
from bessemer.prepare.source.common import KIND_OF_SUFFIX, SPLIT_NAMES, suffix_of
from bessemer.prepare.source.dataset import describe, find_parts
from bessemer.prepare.source.table import TEXT_ROWS

LOOKED_AT = 4000  # rows
BETWEEN_WORDS = re.compile(r"[^\W\d_]\s+(?=[^\W\d_])")
LONG = 60  # characters of a cell that is a text for sure, on average
BESIDE = 4  # other columns that make a table of one with short texts
LABELS = ("label", "labels", "class", "category", "target", "topic", "sentiment", "label_text", "class_name", "y")
SPLITS = ("split", "part", "subset", "set", "fold", "partition")
MEDIA = [name for name in kinds_with_column() if not KINDS[name].in_cells]
WRITTEN = next(name for name in kinds_with_column() if KINDS[name].in_cells)  # in a cell that names no file
REMEDY = "write data.columns by hand, for example {text: body, label: topic}"


@dataclass
class Look:
    """What is seen of one column."""

    seen: int = 0
    letters: int = 0
    spaces: int = 0
    distinct: set[str] = field(default_factory=set)
    kinds: dict[str, int] = field(default_factory=lambda: dict.fromkeys(MEDIA, 0))
    scalar: bool = True

    def add(self, cell: Any, folder: Path) -> None:
        """Look at one cell; paths start at `folder`."""
        if cell is None or cell == "":
            return
        self.seen += 1
        kind = _media(cell, folder)
        if kind in self.kinds:
            self.kinds[kind] += 1
        if isinstance(cell, bytes | list | dict):
            self.scalar = False
            return
        text = str(cell)
        self.letters += len(text)
        self.spaces += len(BETWEEN_WORDS.findall(text))
        if len(self.distinct) <= LOOKED_AT // 2:
            self.distinct.add(text[:200])

    @property
    def is_prose(self) -> bool:
        """Whether its cells are texts, or names: mostly different, of two words or more."""
        mostly = 2 * len(self.distinct) > min(self.seen, LOOKED_AT // 2)
        return self.scalar and mostly and self.spaces >= max(1, self.seen)

    @property
    def length(self) -> float:
        """Characters of a cell on average."""
        return self.letters / max(1, self.seen)

    def is_media(self, kind: str) -> bool:
        """Whether most cells are files of this kind."""
        return self.seen > 0 and 2 * self.kinds[kind] > self.seen


def guess_table(path: Path) -> dict[str, Any]:
    """Kind and `data.columns` of one table; raises DataError where they cannot be told."""
    table = open_file(path)
    rows = (row for task in table.tasks(TEXT_ROWS, 2**22) for _, row in table.read(task, table.columns))
    first = next(rows, None)
    if first is None:
        shown = ", ".join(table.columns[:20])
        raise DataError(
            f"{path}: names of columns ({shown}), and no row below them", "add rows, or give another file"
        )
    return guess_columns(path, chain([first], rows), path.parent, class_names_of(table))


def guess_dataset(root: Path) -> dict[str, Any]:
    """Kind and `data.columns` of a data set saved by Hugging Face `datasets`."""
    import pyarrow as pa

    part = find_parts(root)[0]
    path = root / part.file
    _, features = describe(path)
    with pa.memory_map(str(path)) as file:
        stream = pa.ipc.open_stream(file)
        rows = (row for batch in stream for row in as_rows(batch))
        return guess_columns(path, rows, path.parent, class_names(features))


def guess_columns(
    path: Path, rows: Iterable[Mapping[str, Any] | Rejected], folder: Path, known: Mapping[str, list[str]]
) -> dict[str, Any]:
    """Kind and columns of rows; `known` are the columns that say themselves that they are labels."""
    read = [row for row in islice(rows, LOOKED_AT) if not isinstance(row, Rejected)]
    looks: dict[str, Look] = {}
    for row in read:
        for name, cell in row.items():
            looks.setdefault(name, Look()).add(cell, folder)
    if not looks:
        raise DataError(f"{path}: no readable row in it", "check the file")
    split = _split(looks)
    value = {name: look for name, look in looks.items() if name != split}
    if not _holds_files_or_texts(value):
        for name, whole in KINDS.items():
            found = whole.columns_of([{key: row.get(key) for key in value} for row in read])
            if found is not None:
                return {"kind": name, "columns": found | ({"split": split} if split else {})}
    kind, column = _value(path, value, known)
    label = _label(path, {name: look for name, look in value.items() if name != column}, known)
    return {"columns": {kind: column, "label": label} | ({"split": split} if split else {})}


def _holds_files_or_texts(looks: Mapping[str, Look]) -> bool:
    """Whether some column is what a sample is, and the others only go with it."""
    if any(look.is_media(kind) for look in looks.values() for kind in MEDIA):
        return True
    texts = [look for look in looks.values() if look.is_prose]
    return any(look.length >= LONG for look in texts) or (bool(texts) and len(looks) - len(texts) < BESIDE)


def _split(looks: dict[str, Look]) -> str | None:
    for name, look in looks.items():
        if (
            name.lower() in SPLITS
            and look.distinct
            and {text.lower() for text in look.distinct} <= set(SPLIT_NAMES)
        ):
            return name
    return None


def _value(path: Path, looks: dict[str, Look], known: Mapping[str, list[str]]) -> tuple[str, str]:
    """(image, audio or text, column): files where there are any, else the longest text that is no label."""
    for kind in MEDIA:
        for name, look in looks.items():
            if look.is_media(kind):
                return kind, name
    free = [name for name in looks if name not in known and looks[name].scalar]
    texts = [name for name in free if name.lower() not in LABELS] or free
    longest = max(texts, key=lambda name: looks[name].length, default=None)
    if longest is None or not looks[longest].letters:
        raise DataError(f"{path}: no column of texts, images or recordings ({', '.join(looks)})", REMEDY)
    return WRITTEN, longest


def _label(path: Path, looks: dict[str, Look], known: Mapping[str, list[str]]) -> str:
    """The column that says so itself, is named so, or has the fewest values (at least two)."""
    named = [name for name in known if name in looks]
    lower = {name.lower(): name for name in reversed(looks)}
    named += [lower[name] for name in LABELS if name in lower]
    few = [
        name for name, look in looks.items() if look.scalar and 2 <= len(look.distinct) <= max(2, look.seen // 2)
    ]
    found = named or sorted(few, key=lambda name: len(looks[name].distinct))
    if not found:
        raise DataError(f"{path}: no column that could be the class ({', '.join(looks)})", REMEDY)
    return found[0]


def _media(cell: Any, folder: Path) -> str:
    """The kind of file that a cell holds or names, "" where it is none."""
    if isinstance(cell, Mapping):
        cell = cell.get("bytes") or cell.get("path") or ""
    if isinstance(cell, bytes):
        return sniff(cell[:512])
    if not isinstance(cell, str) or len(cell) > 1000 or "\0" in cell:
        return ""
    kind = KIND_OF_SUFFIX.get(suffix_of(cell.strip()), "")
    if kind not in MEDIA:
        return ""
    return kind if os.path.isfile(os.path.join(folder, cell.strip().replace("\\", "/"))) else ""
