"""Lines of fastText: `__label__good what a fine day`, the label before the text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from bessemer.data.files.delimited import PieceTask
from bessemer.data.files.jsonl import HEAD
from bessemer.data.files.lines import LIMIT, Row, TextForm, line_pieces, read_lines, text_form
from bessemer.data.record import FILTERED, Rejected
from bessemer.errors import DataError

MARK = "__label__"
_LABEL = re.compile(rf"\s*,?\s*{MARK}([^\s,]+)[\s,:]*")


@dataclass(frozen=True)
class FastTextTable:
    """One file with the columns label and sentence."""

    path: Path
    form: TextForm
    columns: list[str] = field(default_factory=lambda: ["label", "sentence"])
    notes: tuple[str, ...] = (f"lines of fastText: the label is what follows {MARK}",)

    def tasks(self, rows: int, size: int) -> Iterator[PieceTask]:
        """Pieces of at most so many lines and, where a line is not larger, bytes."""
        return line_pieces(self.path, self.form, rows, size)

    def read(self, task: PieceTask, names: list[str]) -> Iterator[tuple[str, Mapping[str, Any] | Rejected]]:
        """("line 17", label and sentence or why there are none) for each line of a piece that is not blank."""
        start, begin, count = task
        with self.path.open("rb") as file:
            file.seek(start)
            for number, (line, _) in enumerate(islice(read_lines(file, self.form), count), begin + 1):
                if not line:
                    yield f"line {number}", Rejected("row too long", f"a line of over {LIMIT:,} bytes")
                elif line.strip():
                    yield f"line {number}", self._row(line)

    def _row(self, line: bytes) -> Row | Rejected:
        text, repair = self.form.decode(line)
        labels: list[str] = []
        while found := _LABEL.match(text):
            labels.append(found[1])
            text = text[found.end() :]
        if not labels:
            return Rejected("no label: the line does not begin with __label__", kind=FILTERED)
        if len(labels) > 1:
            return Rejected("several labels in one line", ", ".join(labels)[:200], FILTERED)
        row = Row(label=labels[0], sentence=text.strip())
        row.repairs = (repair,) if repair else ()
        return row


def open_fasttext(path: Path, wanted: Sequence[str] = ()) -> FastTextTable:
    """Look at the first lines of a file; raises DataError where most of them have several labels."""
    table = FastTextTable(path, text_form(path))
    found = [row for _, row in table.read((table.form.start, 0, HEAD), table.columns)]
    several = sum(isinstance(row, Rejected) and row.reason.startswith("several") for row in found)
    if 2 * several > len(found):
        problem = f"{path}: lines of fastText with several labels each ({several} of the first {len(found)})"
        raise DataError(problem, f"a classifier tells one class: keep one {MARK} in each line")
    return table
