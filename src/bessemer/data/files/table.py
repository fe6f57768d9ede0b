"""One file of rows with named columns, whatever its format."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from bessemer.data.files.delimited import open_delimited
from bessemer.data.files.jsonl import open_jsonl
from bessemer.data.files.parquet import open_parquet
from bessemer.data.record import Rejected
from bessemer.errors import DataError


class Table(Protocol):
    """One file of rows."""

    @property
    def path(self) -> Path: ...
    @property
    def columns(self) -> list[str]: ...
    def tasks(self, rows: int, size: int) -> Iterator[Any]: ...
    def read(self, task: Any, names: list[str]) -> Iterator[tuple[str, Mapping[str, Any] | Rejected]]: ...


OPENERS: dict[str, Callable[[Path], Table]] = {
    ".csv": open_delimited,
    ".tsv": open_delimited,
    ".jsonl": open_jsonl,
    ".ndjson": open_jsonl,
    ".parquet": open_parquet,
}
TABLE_SUFFIXES = tuple(OPENERS)


def open_file(path: Path) -> Table:
    """One table by its suffix; raises DataError where it is of no kind that is known."""
    opener = OPENERS.get(path.suffix.lower())
    if opener is None or not path.is_file():
        raise DataError(f"{path}: not a table that is known", f"known are {', '.join(TABLE_SUFFIXES)}")
    return opener(path)
