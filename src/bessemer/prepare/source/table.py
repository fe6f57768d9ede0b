"""Tables: one CSV, TSV, JSON Lines or Parquet file, or a folder of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bessemer.data.config import ColumnsConfig, SourceConfig
from bessemer.data.files.packed import is_about
from bessemer.data.files.table import (
    TABLE_SUFFIXES,
    Table,
    class_names_of,
    is_table,
    is_table_name,
    is_typed,
    notes_of,
    open_file,
)
from bessemer.data.kinds import find_kind
from bessemer.data.record import Raw, Source
from bessemer.errors import DataError
from bessemer.prepare.source.cells import Cells, check_columns, check_there
from bessemer.prepare.source.common import (
    existing,
    is_skipped,
    printable,
    split_of_stem,
    suffix_of,
)
from bessemer.prepare.source.tree import is_own_folder

TASK_BYTES = 4 * 2**20
TEXT_ROWS, FILE_ROWS = 2048, 256  # of a task: rows that hold their text, rows that name a file
TableTask = tuple[int, Any]  # table, its own task


@dataclass
class TableSource:
    """Rows of one or more files with the same columns."""

    tables: list[Table]
    origins: list[str]
    splits: list[str]
    names: list[str]  # columns that are read
    cells: Cells
    classes: list[str] | None
    ignored: dict[str, int]
    notes: list[str]  # what was decided about the files, in words

    def tasks(self) -> Iterator[TableTask]:
        """Pieces of the files, each from a place that can be jumped to."""
        rows = TEXT_ROWS if self.cells.kind.in_cells else FILE_ROWS
        for index, table in enumerate(self.tables):
            for piece in table.tasks(rows, TASK_BYTES):
                yield index, piece

    def read(self, task: TableTask) -> Iterator[Raw]:
        """The rows of one piece; a broken one carries its reason."""
        index, piece = task
        table, origin, split = self.tables[index], self.origins[index], self.splits[index]
        typed = is_typed(table)
        for place, row in table.read(piece, self.names):
            yield self.cells.raw(origin, place, row, table.path.parent, split, typed)


def open_table(config: SourceConfig) -> Source:
    """The table or tables that the settings name; raises DataError where a column is missing."""
    assert config.columns is not None  # SourceConfig sees to it
    path = existing(config.path)
    ignored: dict[str, int] = {}
    files = table_files(path, ignored) if path.is_dir() else [path]
    if not files:
        found = f" (found: {', '.join(sorted(ignored))})" if ignored else ""
        raise DataError(f"{path}: no table in it{found}", f"it needs files with {', '.join(TABLE_SUFFIXES)}")
    wanted = [name for name in (*config.columns.values, *config.columns.labels, config.columns.split) if name]
    tables = [open_file(file, wanted) for file in files]
    names = [check_columns(table.path, config.columns, table.columns) for table in tables]
    for table in tables:  # those of the first one, where its columns are all taken
        check_there(table.path, names[0], table.columns)
    root = path if path.is_dir() else path.parent
    classes = _classes(tables, config.columns)
    cells = Cells(config.columns, os.path.realpath(root), find_kind(config.modality), classes)
    origins = [printable(file.relative_to(root).as_posix()) for file in files]
    notes = notes_of(tables, root)
    return TableSource(tables, origins, _splits(origins), names[0], cells, classes, ignored, notes)


def table_files(root: Path, ignored: dict[str, int]) -> list[Path]:
    """The tables below a folder, in order of names; other files are counted in `ignored` by suffix."""
    found, others = [], []
    for folder, folders, names in os.walk(root):
        if folder != str(root) and is_own_folder(folder, {*folders, *names}):
            folders[:], names[:] = [], []
        folders[:] = [name for name in folders if not is_skipped(name)]
        for name in names:
            path = Path(folder, name)
            if is_skipped(name) or path.is_symlink() or not path.is_file():
                continue
            if is_table_name(name):
                found.append(path)
            else:
                others.append(path)
    if not found:  # then they may be known by what they hold, as lists in JSON files are
        found = [path for path in others if not is_about(path.name) and is_table(path)]
    for path in set(others) - set(found):
        ignored[suffix_of(path.name)] = ignored.get(suffix_of(path.name), 0) + 1
    return sorted(found)


def _splits(origins: list[str]) -> list[str]:
    """The split that each file's name or folder says, where there are several and all of them say one."""
    splits = []
    for origin in origins:
        *folders, name = origin.split("/")
        said = [split_of_stem(name), *(split_of_stem(folder) for folder in folders)]
        splits.append(next((split for split in said if split), ""))
    return splits if len(origins) > 1 and all(splits) else [""] * len(origins)


def _classes(tables: list[Table], columns: ColumnsConfig) -> list[str] | None:
    """Class names that the files themselves give to the label's numbers, where all give the same."""
    named = [class_names_of(table).get(columns.class_label or "") for table in tables]
    return named[0] if all(names == named[0] for names in named) else None
