"""What `predict` is asked about: files, the rows of tables, lines of standard input, values from Python.

A table is read by the columns that the recipe named, with the code that read the training data.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

from bessemer.data.config import ColumnsConfig, kinds_with_column
from bessemer.data.files.table import TABLE_SUFFIXES, Table, open_file
from bessemer.data.kind import Kind
from bessemer.data.record import Rejected
from bessemer.errors import DataError, UsageError
from bessemer.prepare.source.cells import Cells

STDIN = Path("-")
ROWS, BYTES = 2048, 4 << 20
LONGEST_NAME = 255  # letters of what can be the name of a file


@dataclass(frozen=True)
class Asked:
    """One thing to answer.

    `where` names it: its `path`, and the `row` of a table from 1. `value` is a file, text or bytes, or why there
    is none. `cells` are the table's own columns of the row.
    """

    where: Mapping[str, Any]
    value: Any
    cells: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Reading:
    """How raw values come to a model: its kind of data and, where the recipe named some, its columns."""

    name: str  # of the kind of data
    kind: Kind
    columns: ColumnsConfig | None
    windows: bool = False  # running text: a file that looks like a table is text as well

    def named(self, name: str) -> Reading:
        """The same with another column to read; raises UsageError where the kind reads none."""
        if self.kind.whole_rows:
            raise UsageError(
                "--column: this model takes whole rows, by the names of their columns", "leave it out"
            )
        if self.name not in kinds_with_column():
            raise UsageError(f"--column: {self.kind.noun} are not read from tables here", "give files")
        return replace(self, columns=self._column(name))

    def _column(self, name: str) -> ColumnsConfig:
        return ColumnsConfig.model_validate({self.name: name, "label": None})

    def by_row(self, path: Path) -> bool:
        """Whether a file is read as a table of one sample a row."""
        if path.suffix.lower() not in TABLE_SUFFIXES or not self.kind.reads_cells:
            return False
        return self.columns is not None or not self.windows

    def of_path(self, path: Path, where: Mapping[str, Any] | None = None) -> Iterator[Asked]:
        """A file, or each row of a table."""
        where = where or {"path": str(path)}
        if not self.by_row(path):
            yield Asked(where, path)
            return
        try:
            yield from self._rows(open_file(path), where)
        except DataError as error:
            yield Asked(where, Rejected(error.problem.removeprefix(f"{path}: ")))

    def _rows(self, table: Table, where: Mapping[str, Any]) -> Iterator[Asked]:
        columns = self.columns or self._guessed(table.columns)
        missing = [name for name in columns.values if name not in table.columns]
        if missing:
            raise DataError(f"no column {missing[0]!r}; its columns are {', '.join(table.columns[:40])}")
        cells = Cells(columns, os.path.realpath(table.path.parent), self.kind)
        for number, row in enumerate(rows_of(table), 1):
            value = row if isinstance(row, Rejected) else cells.raw("", "", row, table.path.parent, "").value
            yield Asked({**where, "row": number}, value, {} if isinstance(row, Rejected) else row)

    def _guessed(self, there: list[str]) -> ColumnsConfig:
        """Of a model that learned from files: the only column, or one that is called as the kind is."""
        names = there if len(there) == 1 else [name for name in there if name.strip().lower() == self.name]
        if len(names) != 1:
            listed = ", ".join(there[:40])
            problem = f"a table; say with --column which of its columns holds the {self.kind.noun}: {listed}"
            raise DataError(problem)
        return self._column(names[0])

    def of_stream(self, stream: BinaryIO) -> Iterator[Asked]:
        """Standard input: of text one sample a line; of pictures and sound the bytes of one file."""
        if not self.kind.reads_cells:
            raise UsageError(f"- : {self.kind.noun} cannot come from standard input", "give files")
        if not self.kind.in_cells:
            yield Asked({"path": str(STDIN)}, stream.read())
            return
        for number, line in enumerate(stream, 1):
            text = line.decode("utf-8-sig" if number == 1 else "utf-8", "replace").rstrip("\r\n")
            yield Asked({"path": str(STDIN), "row": number}, text, {"line": text})

    def of_value(self, number: int, value: Any) -> Iterator[Asked]:
        """A value from Python: a Path is a file, a mapping a row; a string is a text, or the name of a file."""
        if isinstance(value, Path):
            yield from self.of_path(value)
        elif isinstance(value, Mapping) and self.columns is not None and self.kind.reads_cells:
            missing = [name for name in self.columns.values if name not in value]
            if missing:
                problem = f"row {number} has no {missing[0]!r}; it has {', '.join(map(str, value))}"
                raise UsageError(problem, "name its values as the recipe names the columns")
            cells = Cells(self.columns, os.path.realpath("."), self.kind)
            yield Asked({"row": number}, cells.raw("", "", value, Path(), "").value, value)
        elif isinstance(value, str) and self.kind.in_cells and self.kind.reads_cells:
            _refuse_name_of_a_file(value)
            yield Asked({"row": number}, value)
        elif isinstance(value, bytes) and self.kind.reads_cells:
            yield Asked({"row": number}, value)
        elif isinstance(value, str):
            yield from self.of_path(Path(value))
        else:
            problem = f"row {number} is a {type(value).__name__}, of which no {self.kind.noun} can be read"
            raise UsageError(problem, "give paths, rows as mappings from the names of columns, or texts")


def rows_of(table: Table) -> Iterator[Mapping[str, Any] | Rejected]:
    """Every row of a table with all its columns, or why it cannot be read."""
    names = list(dict.fromkeys(table.columns))
    for task in table.tasks(ROWS, BYTES):
        for _, row in table.read(task, names):
            yield row


def _refuse_name_of_a_file(text: str) -> None:
    """A text that is the name of a file is most often meant as that file: nobody shall wonder which."""
    if len(text) <= LONGEST_NAME and text.isprintable() and os.path.isfile(text):
        raise UsageError(
            f"{text!r} is the name of a file, and this model takes texts", "give Path(...) for a file"
        )
