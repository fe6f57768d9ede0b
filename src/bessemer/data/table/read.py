"""Files of rows to what an exported model takes, by the names of their columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bessemer.data.files.table import Table, open_file
from bessemer.data.kind import Reader, ReadRow, RowsOf
from bessemer.data.record import Rejected
from bessemer.data.table.prepare import LISTED, code_of
from bessemer.data.table.rows import INFINITE, NO_DATE, NO_NUMBER, Odd, RowReader
from bessemer.errors import DataError

ROWS, BYTES = 2048, 4 << 20
WORDS = {NO_NUMBER: "no number", INFINITE: "infinite", NO_DATE: "no date"}


def table_rows(about: Mapping[str, Any]) -> RowsOf:
    """A function from a CSV, TSV, JSONL or Parquet file to its rows, each float64 (D,).

    Columns are matched by name, in whatever order; further ones are left alone. It raises Rejected where one is
    missing. A damaged row says why it is none; a cell that could not be read is named beside its row.
    """
    settings = about["settings"]
    names = [*settings["numbers"], *settings["dates"], *settings["categories"]]
    codes = [
        {name: code for code, name in enumerate(about["listed"][column], LISTED)}
        for column in settings["categories"]
    ]
    rows = RowReader(settings)

    def encode(number: int, row: Mapping[str, Any] | Rejected) -> ReadRow:
        if isinstance(row, Rejected):
            return ReadRow(number, None, {}, (), f"{row.reason}: {row.detail}" if row.detail else row.reason)
        values, categories, odd = rows.read(row)
        found = [code_of(name, known) for name, known in zip(categories, codes, strict=True)]
        return ReadRow(number, np.concatenate([values, np.array(found, np.float64)]), row, tuple(map(_told, odd)))

    def read(path: Path) -> Iterator[ReadRow]:
        table = _opened(path, names)
        every = (row for task in table.tasks(ROWS, BYTES) for _, row in table.read(task, table.columns))
        number = 0
        for number, row in enumerate(every, 1):
            yield encode(number, row)
        if not number:
            raise Rejected("no row in it")

    return read


def table_reader(about: Mapping[str, Any]) -> Reader:
    """A function from such a file to all its rows float64 (n, D); it raises Rejected where one is damaged."""
    rows = table_rows(about)

    def read(path: Path) -> NDArray[np.float64]:
        found = []
        for row in rows(path):
            if row.inputs is None:
                raise Rejected(f"row {row.number}: {row.error}")
            found.append(row.inputs)
        return np.array(found)

    return read


def _told(odd: Odd) -> str:
    return f"{odd.column} {str(odd.cell)[:40]!r}: {WORDS[odd.why]}, taken as missing"


def _opened(path: Path, names: Sequence[str]) -> Table:
    try:
        table = open_file(path, names)
    except DataError as error:
        raise Rejected(error.problem.removeprefix(f"{path}: ")) from error
    twice = [name for name in names if table.columns.count(name) > 1]
    if twice:
        raise Rejected(f"{table.columns.count(twice[0])} columns are called {twice[0]!r}")
    missing = [name for name in names if name not in table.columns]
    if missing:
        raise Rejected(f"no column {missing[0]!r}; its columns are {', '.join(table.columns[:40])}")
    return table
