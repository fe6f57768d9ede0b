"""JSON Lines: one object a line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from bessemer.data.files.delimited import PieceTask
from bessemer.data.files.lines import LIMIT, Row, TextForm, line_pieces, read_lines, text_form
from bessemer.data.files.nested import leaves, pick, without_parents
from bessemer.data.record import Rejected
from bessemer.errors import DataError

HEAD = 200  # rows that are looked at for the names of columns


class ObjectTable:
    """A table of JSON objects."""

    def objects(self, task: PieceTask) -> Iterator[tuple[str, dict[str, Any] | Rejected, str]]:
        """(place, object or why there is none, repair) of each row of a piece."""
        raise NotImplementedError

    def read(self, task: PieceTask, names: list[str]) -> Iterator[tuple[str, Mapping[str, Any] | Rejected]]:
        """(place, its named cells or why there are none) for each row of a piece."""
        for place, value, repair in self.objects(task):
            yield place, value if isinstance(value, Rejected) else row_of(value, names, repair)


@dataclass(frozen=True)
class JsonLinesTable(ObjectTable):
    """One file; a key may be missing in some lines."""

    path: Path
    form: TextForm
    columns: list[str]
    notes: tuple[str, ...] = ()

    def tasks(self, rows: int, size: int) -> Iterator[PieceTask]:
        """Pieces of at most so many lines and, where a line is not larger, bytes."""
        return line_pieces(self.path, self.form, rows, size)

    def objects(self, task: PieceTask) -> Iterator[tuple[str, dict[str, Any] | Rejected, str]]:
        """(place, object, repair) of each line of a piece that is not blank."""
        start, begin, count = task
        with self.path.open("rb") as file:
            file.seek(start)
            for number, (line, _) in enumerate(islice(read_lines(file, self.form), count), begin + 1):
                if not line:
                    yield f"line {number}", Rejected("row too long", f"a line of over {LIMIT:,} bytes"), ""
                elif line.strip():
                    text, repair = self.form.decode(line)
                    yield f"line {number}", parse(text), repair


def parse(text: str) -> dict[str, Any] | Rejected:
    """The object that a text holds, or why there is none."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        return Rejected("not JSON", str(error))
    return value if isinstance(value, dict) else Rejected("not a JSON object", f"a {type(value).__name__}")


def row_of(value: Mapping[str, Any], names: Sequence[str], repair: str) -> Row:
    """The named cells of an object."""
    row = Row((name, pick(value, name)) for name in names)
    row.repairs = (repair,) if repair else ()
    return row


def columns_of(objects: Iterable[Mapping[str, Any]]) -> list[str]:
    """Names of the cells of some objects, in the order in which they come."""
    return without_parents(list(dict.fromkeys(name for one in objects for name in leaves(one))))


def open_jsonl(path: Path, wanted: Sequence[str] = ()) -> JsonLinesTable:
    """Look at the first lines of a file; raises DataError where none of them is an object."""
    table = JsonLinesTable(path, text_form(path), [])
    found = table.objects((table.form.start, 0, HEAD))
    objects = [value for _, value, _ in found if isinstance(value, dict)]
    if not objects:
        raise DataError(f"{path}: no JSON object in its first lines", "each line must be an object, {...}")
    known = columns_of(objects)
    named = [name for name in wanted if name not in known and any(pick(one, name) is not None for one in objects)]
    return JsonLinesTable(path, table.form, [*known, *named])
