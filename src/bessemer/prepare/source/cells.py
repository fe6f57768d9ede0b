"""From the cells of a table's row to a raw row: text, a file's path or bytes; label; split."""

from __future__ import annotations

import json
import math
import os
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bessemer.data.config import ColumnsConfig
from bessemer.data.files.lines import Row
from bessemer.data.files.pointer import is_pointer, pointer_row
from bessemer.data.kind import Kind
from bessemer.data.record import DOCUMENT, FILTERED, Raw, Rejected
from bessemer.errors import DataError
from bessemer.prepare.source.common import SPLIT_NAMES, as_label, is_inside
from bessemer.prepare.source.label import listed, says_no_label, several, trimmed
from bessemer.prepare.source.named import same_but_case

TRIMMED, OUT_OF_A_LIST = "blanks around the label removed", "label taken out of a list of one"
YES = {"1", "1.0", "true", "yes", "y", "t", "x"}  # in the column of a row's class
WHOLE_NUMBER = re.compile(r"-?\d+\.0+")


@dataclass(frozen=True)
class Cells:
    """What the columns mean. `root` is the real path that no file may lie outside of."""

    columns: ColumnsConfig
    root: str
    kind: Kind
    class_names: list[str] | None = None  # of labels that are stored as their numbers

    def raw(
        self,
        origin: str,
        place: str,
        row: Mapping[str, Any] | Rejected,
        folder: Path,
        split: str,
        typed: bool = False,
    ) -> Raw:
        """One row; `folder` is where its paths start, `split` that of its file ("" where there is none).

        A `typed` row's file tells texts from nothing by itself, as JSON and Parquet do: its text `nan` is a name.
        """
        if isinstance(row, Rejected):
            return Raw(origin, place, None, split, row)
        value: Path | bytes | str | Mapping[str, Any] | Rejected
        label: str | None = None
        repairs: tuple[str, ...] = ()
        try:
            label, repairs = self._joint(row, typed), self._repairs(row)
            split = self._split(row) or split
            value = self._value(row, folder)
        except Rejected as problem:
            value = problem
        mended = row.repairs if isinstance(row, Row) else ()
        return Raw(origin, place, label, split, value, (*mended, *repairs))

    def _joint(self, row: Mapping[str, Any], typed: bool) -> str | None:
        """The label; of several columns a JSON array of their texts, null where a cell says nothing."""
        names = self.columns.labels
        if self.columns.one_of:
            return self._one_of(names, row)
        texts = [self.label(row.get(name), typed) for name in names]
        if len(names) < 2:
            return texts[0] if names else DOCUMENT
        return None if all(text is None for text in texts) else json.dumps(texts, ensure_ascii=False)

    def _one_of(self, names: list[str], row: Mapping[str, Any]) -> str | None:
        """The name of the column that says yes, None where none does; raises Rejected where several do."""
        found = [name for name in names if str(row.get(name)).strip().lower() in YES]
        if len(found) > 1:
            raise several(found)
        return as_label(found[0]) if found else None

    def _repairs(self, row: Mapping[str, Any]) -> tuple[str, ...]:
        """What was mended in the one cell that says a class."""
        name = self.columns.class_label
        cell = row.get(name) if name else None
        if listed(cell) is not None:
            return (OUT_OF_A_LIST,)
        return (TRIMMED,) if isinstance(cell, str) and cell != trimmed(cell) else ()

    def label(self, value: Any, typed: bool = False) -> str | None:
        """A class name: numbers as text (1.0 is "1"), None where the cell says nothing.

        Raises Rejected where it is a list of several. Of a `typed` cell every text that is no blank is a name.
        """
        if (elements := listed(value)) is not None:
            names = [name for one in elements if (name := self.label(one, typed)) is not None]
            if len(names) > 1:
                raise several(names)
            return names[0] if names else None
        if isinstance(value, Mapping):
            raise Rejected("label is an object", str(value)[:80], FILTERED)
        if self.class_names is not None and isinstance(value, int):
            return self.class_names[value] if 0 <= value < len(self.class_names) else None
        if isinstance(value, float) and math.isfinite(value) and value.is_integer():
            value = int(value)
        text = value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)
        text = trimmed(text)
        is_name = typed and isinstance(value, str) and text
        if value is None or (says_no_label(text) and not is_name):
            return None
        if self.columns.decimal == ",":  # what is stored as a number is written as the texts are
            text = text.replace(".", ",") if isinstance(value, float) else text
        elif WHOLE_NUMBER.fullmatch(text):
            text = text.split(".")[0]
        return as_label(without_surrogates(text))

    def _split(self, row: Mapping[str, Any]) -> str:
        cell = row.get(self.columns.split) if self.columns.split else None
        name = "" if cell is None else str(cell).strip().lower()
        if name and name not in SPLIT_NAMES:
            raise Rejected("unknown split", f"{name[:80]!r}; known are {', '.join(SPLIT_NAMES)}", FILTERED)
        return SPLIT_NAMES.get(name, "")

    def _value(self, row: Mapping[str, Any], folder: Path) -> Path | bytes | str | Mapping[str, Any]:
        names = self.columns.values
        if self.kind.whole_rows:
            return {name: row.get(name) for name in names or self.columns.others(row)}
        if self.kind.in_cells:
            if len(names) == 1 and isinstance(row.get(names[0]), bytes):
                return bytes(row[names[0]])  # in whatever encoding: cleaning finds out
            parts = [as_text(row.get(name)) for name in names]
            return "\n".join(part for part in parts if part)
        return self._file(row.get(names[0]), folder)

    def _file(self, cell: Any, folder: Path) -> Path | bytes:
        """A path's file inside the root, or the bytes themselves; a mapping has either."""
        if isinstance(cell, Mapping):
            cell = cell.get("bytes") or cell.get("path")
        if isinstance(cell, bytes | bytearray):
            return bytes(cell)
        if isinstance(cell, int) and self.columns.files and not isinstance(cell, bool):
            cell = str(cell)
        if not isinstance(cell, str) or not cell.strip():
            raise Rejected("no file named", "" if cell is None else f"a {type(cell).__name__}")
        return self._inside(cell.strip(), folder)

    def _inside(self, name: str, folder: Path) -> Path:
        if "\0" in name or len(name) > 4096:
            raise Rejected("missing file", repr(name[:80]))
        spellings = [name] if "\\" not in name else [name, name.replace("\\", "/")]
        spellings = [form.replace("{}", one) for form in self.columns.file_forms for one in spellings]
        paths = [os.path.join(base, spelling) for spelling in spellings for base in (folder, self.root)]
        inside = [path for path in paths if is_inside(path, self.root)]
        if not inside:
            raise Rejected("path outside the data folder", repr(name[:200]))
        found = next((path for path in inside if os.path.isfile(path)), None)
        found = found or next((same for path in inside if (same := same_but_case(path, self.root))), None)
        if found is None or not is_inside(found, self.root):
            raise Rejected("missing file", repr(name[:200]))
        if is_pointer(Path(found)):
            raise pointer_row()
        return Path(found)


def as_text(cell: Any) -> str:
    """A cell of a text column as text, "" for nothing; raises Rejected for lists and objects."""
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return ""
    if isinstance(cell, bytes):
        return cell.decode("utf-8", "replace")
    if isinstance(cell, list | dict):
        raise Rejected("not text", f"a {type(cell).__name__}")
    return without_surrogates(str(cell))


def without_surrogates(text: str) -> str:
    """Text that can be written as UTF-8; JSON may hold halves of characters."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if not text.isascii() else text


def check_columns(file: Path | str, columns: ColumnsConfig, there: list[str]) -> list[str]:
    """The names of the columns that are read; DataError where one is missing."""
    twice = [name for name, times in Counter(there).items() if times > 1]
    if twice and (columns.takes_every or twice[0] in columns.values):
        raise DataError(f"{file}: {there.count(twice[0])} columns are called {twice[0]!r}", "rename all but one")
    values = columns.others(there) if columns.takes_every else columns.values
    wanted = [*values, *columns.labels, columns.split]
    names = list(dict.fromkeys(name for name in wanted if name))
    check_there(file, names, there)
    return names


def check_there(file: Path | str, names: list[str], there: list[str]) -> None:
    """DataError where a column that is read is missing."""
    missing = [name for name in names if name not in there]
    if missing:
        listed = ", ".join(there[:40]) + (", ..." if len(there) > 40 else "")
        remedy = "correct data.columns, or data.path"
        raise DataError(f"{file}: no column {missing[0]!r}; its columns are {listed}", remedy)
