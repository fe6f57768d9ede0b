"""Data sets that Hugging Face `datasets` saved to disk, read without it: Arrow files beside JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bessemer.data.config import SourceConfig
from bessemer.data.files.parquet import as_rows, class_names
from bessemer.data.kinds import find_kind
from bessemer.data.record import FILTERED, Raw, Rejected, Source
from bessemer.errors import DataError
from bessemer.prepare.source.cells import Cells, check_columns
from bessemer.prepare.source.common import SPLIT_NAMES, existing_folder

ROWS = 256
REMEDY = "save it again with datasets' save_to_disk"
BatchTask = tuple[int, int, int, int, int]  # file, byte of the batch, rows before it, first row in it, rows


@dataclass(frozen=True)
class Part:
    """One Arrow file. `known` is False where its split's name says nothing."""

    file: str
    split: str
    known: bool


@dataclass
class DatasetSource:
    """Rows of all Arrow files of a saved data set."""

    root: str
    parts: list[Part]
    names: list[str]  # columns that are read
    cells: Cells
    classes: list[str] | None
    ignored: dict[str, int] = field(default_factory=dict)

    def tasks(self) -> Iterator[BatchTask]:
        """Parts of record batches, by the place of the batch in its file."""
        import pyarrow as pa

        for index, part in enumerate(self.parts):
            before = 0
            with pa.memory_map(os.path.join(self.root, part.file)) as file, _stream(file, part.file) as stream:
                while True:
                    position = file.tell()
                    count = _next_rows(stream, part.file)
                    if count is None:
                        break
                    for first in range(0, count, ROWS):
                        yield index, position, before, first, min(ROWS, count - first)
                    before += count

    def read(self, task: BatchTask) -> Iterator[Raw]:
        """The rows of one part of a batch; nothing else of the file is touched."""
        import pyarrow as pa

        index, position, before, first, count = task
        part = self.parts[index]
        folder = Path(self.root, part.file).parent
        numbers = range(before + first + 1, before + first + count + 1)
        try:
            with pa.memory_map(os.path.join(self.root, part.file)) as file:
                schema = pa.ipc.read_schema(file)
                file.seek(position)
                batch = pa.ipc.read_record_batch(pa.ipc.read_message(file), schema).slice(first, count)
                batch.validate(full=True)
                rows = as_rows(batch.select(self.names))
                for number, row in zip(numbers, rows, strict=True):
                    yield self._raw(part, f"row {number}", row, folder)
        except (pa.ArrowException, OSError) as error:
            for number in numbers:
                yield self._raw(part, f"row {number}", Rejected("damaged table", str(error)[:200]), folder)

    def _raw(self, part: Part, place: str, row: dict[str, Any] | Rejected, folder: Path) -> Raw:
        if not part.known and isinstance(row, dict):
            row = Rejected("unknown split", part.file.split("/")[0], FILTERED)
        return self.cells.raw(part.file, place, row, folder, part.split, typed=True)


def open_dataset(config: SourceConfig) -> Source:
    """A folder that `save_to_disk` wrote, of a Dataset or a DatasetDict; raises DataError where it is damaged."""
    assert config.columns is not None  # SourceConfig sees to it
    root = existing_folder(config.path)
    parts = find_parts(root)
    features: dict[str, Any] = {}
    names: list[str] = []
    for part in parts:
        there, features = describe(root / part.file)
        names = check_columns(root / part.file, config.columns, there)
    classes = class_names(features).get(config.columns.class_label or "")
    cells = Cells(config.columns, os.path.realpath(root), find_kind(config.modality), classes)
    return DatasetSource(str(root), parts, names, cells, classes)


def is_dataset(root: Path) -> bool:
    """Whether a folder was written by `save_to_disk`."""
    return (root / "dataset_dict.json").is_file() or all(
        (root / name).is_file() for name in ("dataset_info.json", "state.json")
    )


def find_parts(root: Path) -> list[Part]:
    """The Arrow files of a saved data set with their splits."""
    if not (root / "dataset_dict.json").is_file():
        return [Part(name, "", True) for name in _data_files(root)]
    parts = []
    for split in _json(root / "dataset_dict.json").get("splits") or []:
        if not isinstance(split, str) or Path(split).name != split or split in (".", ".."):
            raise DataError(f"{root / 'dataset_dict.json'}: {split!r} is no name of a split", REMEDY)
        known = SPLIT_NAMES.get(split.lower())
        parts += [Part(f"{split}/{name}", known or "", bool(known)) for name in _data_files(root / split)]
    if not parts:
        raise DataError(f"{root / 'dataset_dict.json'}: names no splits", REMEDY)
    if not any(part.known for part in parts):  # names of another meaning: the rows are split here
        return [Part(part.file, "", True) for part in parts]
    return parts


def describe(path: Path) -> tuple[list[str], dict[str, Any]]:
    """(columns, their kinds as datasets describes them) of one Arrow file."""
    import pyarrow as pa

    try:
        with pa.memory_map(str(path)) as file:
            columns = list(pa.ipc.read_schema(file).names)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: not an Arrow file, or damaged ({error})", REMEDY) from error
    features = _json(path.parent / "dataset_info.json").get("features")
    return columns, features if isinstance(features, dict) else {}


def _data_files(folder: Path) -> list[str]:
    state = _json(folder / "state.json")
    if state.get("_indices_data_files") or state.get("_indices_files"):
        raise DataError(f"{folder}: rows in an order of their own", "call flatten_indices() and save it again")
    names = [str(entry.get("filename", "")) for entry in state.get("_data_files") or [] if isinstance(entry, dict)]
    for name in names:
        if Path(name).name != name or name in ("", ".", "..") or not (folder / name).is_file():
            raise DataError(f"{folder / 'state.json'}: {name!r} is no file of this folder", REMEDY)
    return names


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: cannot be read ({error})", REMEDY) from error
    if not isinstance(value, dict):
        raise DataError(f"{path}: not a JSON object", REMEDY)
    return value


def _stream(file: Any, name: str) -> Any:
    import pyarrow as pa

    try:
        return pa.ipc.open_stream(file)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{name}: not an Arrow file, or damaged ({error})", REMEDY) from error


def _next_rows(stream: Any, name: str) -> int | None:
    import pyarrow as pa

    try:
        return int(stream.read_next_batch().num_rows)
    except StopIteration:
        return None
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{name}: damaged ({error})", REMEDY) from error
