"""Parquet files, and Arrow columns as Python values."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bessemer.data.files.nested import FILE, pick
from bessemer.data.record import Rejected
from bessemer.errors import DataError

BATCH = 256
GroupTask = tuple[int, int, int]  # row group, rows before it, rows in it


@dataclass(frozen=True)
class ParquetTable:
    """One file; a task is a row group, read a batch at a time."""

    path: Path
    columns: list[str]
    class_names: dict[str, list[str]]
    notes: tuple[str, ...] = ()

    def tasks(self, rows: int, size: int) -> Iterator[GroupTask]:
        """The row groups."""
        import pyarrow.parquet as pq

        before = 0
        with pq.ParquetFile(self.path) as file:
            for group in range(file.num_row_groups):
                count = file.metadata.row_group(group).num_rows
                yield group, before, count
                before += count

    def read(self, task: GroupTask, names: list[str]) -> Iterator[tuple[str, Mapping[str, Any] | Rejected]]:
        """("row 17", its cells) for each row of a group; rows after damage are given as broken."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        group, before, count = task
        number = before
        problem = Rejected("damaged table", "fewer rows than promised")
        try:
            with pq.ParquetFile(self.path, buffer_size=2**20, pre_buffer=False) as file:
                for batch in file.iter_batches(BATCH, row_groups=[group], columns=names, use_threads=False):
                    for row in as_rows(batch):
                        number += 1
                        yield f"row {number}", {name: pick(row, name) for name in names}
        except (pa.ArrowException, OSError) as error:
            problem = Rejected("damaged table", str(error)[:200])
        for missing in range(number + 1, before + count + 1):
            yield f"row {missing}", problem


def open_parquet(path: Path, wanted: Sequence[str] = ()) -> ParquetTable:
    """Read a file's schema; raises DataError where it is none. Fields of structs are columns of their own."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        schema = pq.read_schema(path)
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            f"{path}: not a Parquet file, or damaged ({error})", "make or download it again"
        ) from error
    features = stored_features(schema.metadata or {})
    columns = [name for field in schema for name in _leaves(field)]
    return ParquetTable(path, columns, class_names(features))


def _leaves(field: Any, above: str = "") -> Iterator[str]:
    """The names of a column's cells; those of a struct are `column.field`, unless it is a file."""
    import pyarrow as pa

    name = f"{above}{field.name}"
    inside = (
        [field.type.field(at) for at in range(field.type.num_fields)] if pa.types.is_struct(field.type) else []
    )
    if not inside or {one.name for one in inside} <= FILE:
        yield name
        return
    for one in inside:
        yield from _leaves(one, f"{name}.")


def stored_features(metadata: Mapping[bytes, bytes]) -> dict[str, Any]:
    """The columns' kinds as Hugging Face `datasets` stores them in a schema; empty where it did not write it."""
    try:
        features = json.loads(metadata.get(b"huggingface", b"{}"))["info"]["features"]
    except (ValueError, KeyError, TypeError):
        return {}
    return features if isinstance(features, dict) else {}


def class_names(features: Mapping[str, Any]) -> dict[str, list[str]]:
    """Names of the classes for each column of kind ClassLabel."""
    found = {}
    for column, kind in features.items():
        if isinstance(kind, dict) and kind.get("_type") == "ClassLabel" and isinstance(kind.get("names"), list):
            found[column] = [str(name) for name in kind["names"]]
    return found


def as_rows(batch: Any) -> Iterator[dict[str, Any]]:
    """The rows of a pyarrow RecordBatch as dicts; text that is not UTF-8 comes as bytes."""
    columns = [_values(batch.column(i)) for i in range(batch.num_columns)]
    for values in zip(*columns, strict=True):
        yield dict(zip(batch.schema.names, values, strict=True))


def _values(column: Any) -> list[Any]:
    import pyarrow as pa

    try:
        values: list[Any] = column.to_pylist()
    except UnicodeDecodeError:
        binary = pa.large_binary() if pa.types.is_large_string(column.type) else pa.binary()
        values = column.cast(binary).to_pylist()
    return values
