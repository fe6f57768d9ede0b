"""CSV and TSV files, read in pieces that start at any row; a broken row costs that row and no other."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from bessemer.data.files.lines import LIMIT, SAMPLE, TextForm, read_lines, text_form
from bessemer.data.record import Rejected
from bessemer.errors import DataError

SEPARATORS = ",;\t|"
END = "\ue000end of file\ue000"  # fed after the last line: a quote that never closed swallows it
PieceTask = tuple[int, int, int]  # byte of its first row, rows before it, rows in it
Parsed = list[str] | Rejected


@dataclass(frozen=True)
class DelimitedTable:
    """One file with a header. Quoted line breaks belong to their row."""

    path: Path
    form: TextForm
    separator: str
    columns: list[str]
    start: int  # byte of the first row

    def tasks(self, rows: int, size: int) -> Iterator[PieceTask]:
        """Pieces of at most so many rows and, where a row is not larger, bytes; one pass over the file."""
        first, begin, count = self.start, 0, 0
        with self.path.open("rb") as file:
            for _, after in self._records(file, self.start):
                count += 1
                if count == rows or after - first >= size:
                    yield first, begin, count
                    first, begin, count = after, begin + count, 0
        if count:
            yield first, begin, count

    def read(self, task: PieceTask, names: list[str]) -> Iterator[tuple[str, Mapping[str, Any] | Rejected]]:
        """("row 17", named cells or why there are none) for each row of a piece."""
        start, begin, count = task
        places = [(name, self.columns.index(name)) for name in names]
        with self.path.open("rb") as file:
            rows = islice(self._records(file, start), count)
            for number, (fields, _) in enumerate(rows, begin + 1):
                cells = fields if isinstance(fields, Rejected) else {name: fields[i] for name, i in places}
                yield f"row {number}", cells

    def _records(self, file: BinaryIO, start: int) -> Iterator[tuple[Parsed, int]]:
        """(fields, byte after them) for each row; the same from whatever row the reading starts.

        Where a row over several lines is broken, its first line is the broken row, and the next line starts anew:
        otherwise a quote that is never closed would swallow every row after it.
        """
        csv.field_size_limit(LIMIT)  # of the whole process; no other module reads CSV
        width = len(self.columns)
        feed = _Feed(file, start, self.form)
        while True:
            fields = feed.next_row(self.separator)
            if fields is None:
                return
            if not isinstance(fields, Rejected):
                if len(fields) < 2 and not "".join(fields).strip():
                    continue  # a blank line
                while len(fields) > width and not fields[-1]:
                    fields.pop()
                if len(fields) != width:
                    fields = Rejected("wrong number of columns", f"{len(fields)} where the header has {width}")
            if isinstance(fields, Rejected) and feed.position != feed.second_line:
                feed = _Feed(file, feed.second_line, self.form)
            yield fields, feed.position


class _Feed:
    """Lines for csv.reader, which keeps count of the bytes."""

    def __init__(self, file: BinaryIO, start: int, form: TextForm) -> None:
        file.seek(start)
        self.position = self.second_line = start
        self._lines = read_lines(file, form)
        self._form = form
        self._count = 0
        self._ended: bool = False
        self._cut = False
        self._reader: Any = None

    def next_row(self, separator: str) -> Parsed | None:
        """The next row's fields, None at the end."""
        self._reader = self._reader or csv.reader(self, delimiter=separator)
        self._count, self._cut = 0, False
        try:
            fields: list[str] = next(self._reader, [END])
        except csv.Error as error:
            return Rejected("damaged row", str(error))
        if fields == [END]:
            return None
        if self._ended:
            return Rejected("quote never closed")
        return Rejected("row too long", f"a line of over {LIMIT:,} bytes") if self._cut else fields

    def __iter__(self) -> _Feed:
        return self

    def __next__(self) -> str:
        line, size = next(self._lines, (b"", 0))
        self.position += size
        self._count += 1
        if self._count == 1:
            self.second_line = self.position
        if not size:
            if self._ended:
                raise StopIteration
            self._ended = True
            return END
        self._cut |= not line
        return self._form.decode(line)


def open_delimited(path: Path) -> DelimitedTable:
    """Look at the head of a CSV or TSV file; raises DataError where it has no header."""
    form = text_form(path)
    with path.open("rb") as file:
        file.seek(form.start)
        head = file.read(SAMPLE).decode(form.encoding, "replace")
        separator = sniff_separator(head, "\t" if path.suffix.lower() == ".tsv" else ",")
        feed = _Feed(file, form.start, form)
        fields = feed.next_row(separator)
        while fields is not None and not isinstance(fields, Rejected) and not any(fields):
            fields = feed.next_row(separator)
    if fields is None or isinstance(fields, Rejected):
        problem = "an empty table" if fields is None else f"{fields.reason} in its header"
        raise DataError(f"{path}: {problem}", "the first row must name the columns")
    return DelimitedTable(path, form, separator, [name.strip() for name in fields], feed.position)


def sniff_separator(head: str, usual: str) -> str:
    """The separator that gives the most rows as many columns as the first row, at least two."""
    lines = head.splitlines(keepends=True)[:200]

    def score(separator: str) -> tuple[float, bool]:
        try:
            rows = [row for row in csv.reader(lines, delimiter=separator) if row]
        except csv.Error:
            return 0.0, False
        if not rows or len(rows[0]) < 2:
            return 0.0, separator == usual
        return sum(len(row) == len(rows[0]) for row in rows) / len(rows), separator == usual

    return max(SEPARATORS, key=score)
