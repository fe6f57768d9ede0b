"""JSON Lines: one object a line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from bessemer.data.files.delimited import PieceTask
from bessemer.data.files.lines import LIMIT, TextForm, read_lines, text_form
from bessemer.data.record import Rejected
from bessemer.errors import DataError

HEAD = 200  # lines that are looked at for the names of columns


@dataclass(frozen=True)
class JsonLinesTable:
    """One file; a key may be missing in some lines."""

    path: Path
    form: TextForm
    columns: list[str]

    def tasks(self, rows: int, size: int) -> Iterator[PieceTask]:
        """Pieces of at most so many lines and, where a line is not larger, bytes."""
        first = position = self.form.start
        begin = count = 0
        with self.path.open("rb") as file:
            file.seek(first)
            for _, length in read_lines(file, self.form):
                position += length
                count += 1
                if count == rows or position - first >= size:
                    yield first, begin, count
                    first, begin, count = position, begin + count, 0
        if count:
            yield first, begin, count

    def read(self, task: PieceTask, names: list[str]) -> Iterator[tuple[str, Mapping[str, Any] | Rejected]]:
        """("line 17", its object or why there is none) for each line of a piece that is not blank."""
        start, begin, count = task
        with self.path.open("rb") as file:
            file.seek(start)
            for number, (line, _) in enumerate(islice(read_lines(file, self.form), count), begin + 1):
                if not line or line.strip():
                    yield f"line {number}", _parse(self.form.decode(line)) if line else _too_long()


def _parse(line: str) -> dict[str, Any] | Rejected:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        return Rejected("not JSON", str(error))
    return value if isinstance(value, dict) else Rejected("not a JSON object", f"a {type(value).__name__}")


def _too_long() -> Rejected:
    return Rejected("row too long", f"a line of over {LIMIT:,} bytes")


def open_jsonl(path: Path) -> JsonLinesTable:
    """Look at the first lines of a file; raises DataError where none of them is an object."""
    table = JsonLinesTable(path, text_form(path), [])
    objects = [cells for _, cells in table.read((table.form.start, 0, HEAD), []) if isinstance(cells, dict)]
    if not objects:
        raise DataError(f"{path}: no JSON object in its first lines", "each line must be an object, {...}")
    columns = list(dict.fromkeys(str(name) for cells in objects for name in cells))
    return JsonLinesTable(path, table.form, columns)
