"""CSV and TSV files, read in pieces that start at any row; a broken row costs that row and no other."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from bessemer.data.files.layout import (
    ESCAPED,
    LOOKED_AT,
    PLAIN,
    header_signs,
    names_of,
    reader,
    skipped_above,
    sniff_quoting,
    sniff_separator,
    usual_width,
)
from bessemer.data.files.lines import LIMIT, SAMPLE, Row, TextForm, pieces, read_lines, text_form
from bessemer.data.record import FILTERED, Rejected
from bessemer.errors import DataError

END = "\ue000end of file\ue000"  # fed after the last line: a quote that never closed swallows it
SEP_LINE = re.compile(r'"?sep=(.)"?', re.IGNORECASE)
LEAST_ROWS, REGULAR = 5, 0.95  # lines, and share of them with equally many cells, of what may be a table
TOLD = {
    ESCAPED: "a backslash makes the quote or separator after it a part of the cell",
    PLAIN: "quotes are characters like any other: read as marks of cells they break rows",
}
PieceTask = tuple[int, int, int]  # byte of its first row, rows before it, rows in it
Parsed = list[str] | Rejected


@dataclass(frozen=True)
class DelimitedTable:
    """One file. Quoted line breaks belong to their row."""

    path: Path
    form: TextForm
    separator: str
    quoting: str
    columns: list[str]
    start: int  # byte of the first row
    header: list[str] = field(default_factory=list)  # the row of names as it stands, empty where there is none
    notes: tuple[str, ...] = ()  # what was decided about the file, in words

    def tasks(self, rows: int, size: int) -> Iterator[PieceTask]:
        """Pieces of at most so many rows and, where a row is not larger, bytes; one pass over the file."""
        with self.path.open("rb") as file:
            ends = (after for _, after, _ in self._records(file, self.start))
            yield from pieces(self.start, ends, rows, size)

    def read(self, task: PieceTask, names: list[str]) -> Iterator[tuple[str, Mapping[str, Any] | Rejected]]:
        """("row 17", named cells or why there are none) for each row of a piece."""
        start, begin, count = task
        places = [(name, self.columns.index(name)) for name in names]
        with self.path.open("rb") as file:
            rows = islice(self._records(file, start), count)
            for number, (fields, _, repairs) in enumerate(rows, begin + 1):
                if isinstance(fields, Rejected):
                    yield f"row {number}", fields
                    continue
                row = Row((name, fields[i]) for name, i in places)
                row.repairs = repairs
                yield f"row {number}", row

    def _records(self, file: BinaryIO, start: int) -> Iterator[tuple[Parsed, int, tuple[str, ...]]]:
        """(fields, byte after them, repairs) for each row; the same from whatever row the reading starts.

        Where a row over several lines is broken, its first line is the broken row, and the next line starts anew:
        otherwise a quote that is never closed would swallow every row after it.
        """
        width = len(self.columns)
        feed = Feed(file, start, self.form)
        while True:
            fields = feed.next_row(self.separator, self.quoting)
            if fields is None:
                return
            if not isinstance(fields, Rejected):
                if len(fields) < 2 and not "".join(fields).strip():
                    continue  # a blank line
                while len(fields) > width and not fields[-1]:
                    fields.pop()
                if len(fields) != width:
                    fields = Rejected("wrong number of columns", f"{len(fields)} where the header has {width}")
                elif fields == self.header:
                    fields = Rejected("the row of names again", kind=FILTERED)
            if isinstance(fields, Rejected) and feed.position != feed.second_line:
                feed = Feed(file, feed.second_line, self.form)
            yield fields, feed.position, tuple(sorted(feed.repairs))


class Feed:
    """Lines for csv.reader, which keeps count of the bytes."""

    def __init__(self, file: BinaryIO, start: int, form: TextForm) -> None:
        file.seek(start)
        self.position = self.second_line = start
        self.repairs: set[str] = set()  # of the last row
        self._lines = read_lines(file, form)
        self._form = form
        self._count = 0
        self._ended: bool = False
        self._cut = False
        self._reader: Any = None

    def next_row(self, separator: str, quoting: str) -> Parsed | None:
        """The next row's fields, None at the end."""
        self._reader = self._reader or reader(self, separator, quoting)
        self._count, self._cut = 0, False
        self.repairs.clear()
        try:
            fields: list[str] = next(self._reader, [END])
        except csv.Error as error:
            return Rejected("damaged row", str(error))
        if fields == [END]:
            return None
        if self._ended:
            return Rejected("quote never closed")
        return Rejected("row too long", f"a line of over {LIMIT:,} bytes") if self._cut else fields

    def __iter__(self) -> Feed:
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
        text, repair = self._form.decode(line)
        if repair:
            self.repairs.add(repair)
        return text


def open_delimited(path: Path, wanted: Sequence[str] = ()) -> DelimitedTable:
    """Look at the head of a CSV or TSV file; raises DataError where it holds no row of names and no other.

    Where the first row seems to be data, columns are called `column 1`, `column 2` and so on. `wanted` are names
    that columns must have, where they are known: they decide between the two.
    """
    form = text_form(path)
    with path.open("rb") as file:
        start, said = _after_sep_line(file, form)
        head = _lines_at(file, form, start)
        usual = "\t" if path.suffix.lower() in (".tsv", ".tab") else ","
        separator = said or sniff_separator(head, usual)
        quoting = sniff_quoting([head, *_where_quotes_are(file, form, start, head)], separator)
        feed = Feed(file, start, form)
        found: list[tuple[list[str], int, int]] = []
        while len(found) < LOOKED_AT and (row := feed.next_row(separator, quoting)) is not None:
            if isinstance(row, Rejected) and not found:
                problem = f"{path}: {row.reason} in its first row"
                raise DataError(problem, "the first row must name the columns")
            if not isinstance(row, Rejected) and any(row):
                found.append((row, start, feed.position))
            start = feed.position
    if not found:
        size = path.stat().st_size
        problem = f"{path}: an empty table, without any row ({size:,} bytes)"
        raise DataError(problem, "make or download it again; the first row must name the columns")
    return _table(path, form, separator, quoting, found, wanted)


def _table(
    path: Path,
    form: TextForm,
    separator: str,
    quoting: str,
    found: list[tuple[list[str], int, int]],
    wanted: Sequence[str],
) -> DelimitedTable:
    """The table whose first rows are `found`, each with the bytes where it begins and ends."""
    above = skipped_above([row for row, _, _ in found])
    (first, begin, end), *body = found[above:]
    rows = [row for row, _, _ in body]
    with_names, without = names_of(first, rows), names_of(None, [first, *rows])
    in_names, in_numbers = set(wanted) <= set(with_names), set(wanted) <= set(without)
    named = in_names if in_names != in_numbers else header_signs(first, rows) >= 0
    notes = [TOLD[quoting]] if quoting in TOLD else []
    if above:
        lines = "line stands" if above == 1 else "lines stand"
        notes.insert(0, f"{above} {lines} above the table and {'is' if above == 1 else 'are'} passed over")
    if not named:
        notes.insert(
            0, "its first row seems to be data, not a header: its columns are called column 1, column 2, ..."
        )
        return DelimitedTable(path, form, separator, quoting, without, begin, notes=tuple(notes))
    given = [name.strip() for name in first]
    if unnamed := [name for name in with_names if name not in given and f"# {name}" not in given]:
        notes.insert(0, f"its header does not name every column; the others are called {', '.join(unnamed[:5])}")
    return DelimitedTable(path, form, separator, quoting, with_names, end, first, tuple(notes))


def _after_sep_line(file: BinaryIO, form: TextForm) -> tuple[int, str]:
    """Where the table starts, and the separator that a first line `sep=;` names ("" where there is none)."""
    file.seek(form.start)
    line, size = next(read_lines(file, form), (b"", 0))
    said = SEP_LINE.fullmatch(form.decode(line)[0].strip("\r\n"))
    return (form.start + size, said[1]) if said else (form.start, "")


def _lines_at(file: BinaryIO, form: TextForm, start: int) -> list[str]:
    """The first lines from a place on, as many as are looked at."""
    file.seek(start)
    lines: list[str] = []
    size = 0
    for line, length in islice(read_lines(file, form), 2 * LOOKED_AT):
        size += length
        if size > SAMPLE and lines:
            break
        lines.append(form.decode(line)[0])
    return lines


def _where_quotes_are(file: BinaryIO, form: TextForm, start: int, head: list[str]) -> Iterator[list[str]]:
    r"""Lines from the first quote on, and from the first \", where the head of the file holds none."""
    for mark in ('"', '\\"'):
        if any(mark in line for line in head):
            continue
        place = start
        sought = mark.encode(form.encoding)
        file.seek(start)
        for line, size in read_lines(file, form):
            if sought in line:
                yield _lines_at(file, form, place)
                break
            place += size


def regular(path: Path) -> bool:
    """Whether a file whose name does not say so has rows of equally many cells; false for prose."""
    try:
        form = text_form(path)
    except DataError:
        return False
    with path.open("rb") as file:
        lines = [line for line in _lines_at(file, form, form.start) if line.strip()]
    if len(lines) < LEAST_ROWS:
        return False
    separator = sniff_separator(lines, ",")
    rows = [row for row in reader(iter(lines), separator, sniff_quoting([lines], separator)) if any(row)]
    width = usual_width(rows)
    return width > 1 and sum(len(row) == width for row in rows) >= REGULAR * len(rows)
