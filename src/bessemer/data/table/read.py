"""Files of rows to what an exported model takes, by the names of their columns."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bessemer.data.files.table import open_file
from bessemer.data.kind import Reader
from bessemer.data.record import Rejected
from bessemer.data.table.cleaner import RowReader
from bessemer.data.table.prepare import LISTED, code_of
from bessemer.errors import DataError

ROWS, BYTES = 2048, 4 << 20


def table_reader(about: Mapping[str, Any]) -> Reader:
    """A function from a CSV, TSV, JSONL or Parquet file to rows float64 (n, D).

    Columns are matched by name, in whatever order; further ones are left alone. It raises Rejected where one is
    missing or a row is damaged.
    """
    settings = about["settings"]
    names = [*settings["numbers"], *settings["dates"], *settings["categories"]]
    codes = [
        {name: code for code, name in enumerate(about["listed"][column], LISTED)}
        for column in settings["categories"]
    ]
    rows = RowReader(settings)

    def encode(row: Mapping[str, Any]) -> NDArray[np.float64]:
        values, categories, _ = rows.read(row)
        found = [code_of(name, known) for name, known in zip(categories, codes, strict=True)]
        return np.concatenate([values, np.array(found, np.float64)])

    def read(path: Path) -> NDArray[np.float64]:
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
        found = []
        for task in table.tasks(ROWS, BYTES):
            for place, row in table.read(task, names):
                if isinstance(row, Rejected):
                    raise Rejected(f"{place}: {row.reason}", row.detail)
                found.append(encode(row))
        if not found:
            raise Rejected("no row in it")
        return np.array(found)

    return read
