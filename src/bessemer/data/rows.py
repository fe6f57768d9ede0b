"""Prepared samples on disk: shards of equal size, memory-mapped, read when they are asked for.

`rows[3]`, `rows[2:5]` and `rows[array]` give arrays; nothing else is ever held in memory. A shard is checked
against its SHA-256 when it is first opened, so one that was changed behind our back is refused.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bessemer.artifact import file_digest
from bessemer.errors import ArtifactError

Index = int | slice | NDArray[Any] | Sequence[int]
MIB = 2**20


class Rows(Protocol):
    """Samples that are read by position: an array, or one of the classes below."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: Any) -> NDArray[Any]: ...


@dataclass(frozen=True)
class Shard:
    """One file: its name, the number of samples in it, its bytes and their SHA-256."""

    file: str
    rows: int
    bytes: int
    sha256: str


class Shards:
    """The files of one kind of content, `capacity` samples in each but the last."""

    def __init__(self, folder: Path, about: dict[str, Any]) -> None:
        self.folder = folder
        self.capacity = int(about["capacity"])
        self.dtype = np.dtype(about["dtype"])
        self.shards = [Shard(**one) for one in about["shards"]]
        self.most_open = 1 << 30  # shards that stay mapped; 1 keeps memory flat in a single pass
        self._open: dict[int, NDArray[Any]] = {}

    def __len__(self) -> int:
        return sum(shard.rows for shard in self.shards)

    def shard(self, number: int) -> NDArray[Any]:
        """The flat values of one shard."""
        if number not in self._open:
            while len(self._open) >= self.most_open:
                del self._open[next(iter(self._open))]
            self._open[number] = self._checked(self.shards[number])
        return self._open[number]

    def _checked(self, shard: Shard) -> NDArray[Any]:
        path = self.folder / shard.file
        remedy = "delete the folder of this stage; the same command prepares the data again"
        if not path.exists() or path.stat().st_size != shard.bytes or known_digest(path) != shard.sha256:
            raise ArtifactError(
                f"{path}: missing, or not the shard that was prepared: its SHA-256 differs", remedy
            )
        if shard.bytes == 0:
            return np.empty(0, self.dtype)
        return np.memmap(path, self.dtype, "r")


_digests: dict[Path, tuple[tuple[int, ...], str]] = {}  # of this process


def known_digest(path: Path) -> str:
    """SHA-256 of a file, read once in a process while its place, size and times stay: stages share it."""
    found = path.stat()
    mark = found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
    before = _digests.get(path)
    if before is None or before[0] != mark:
        _digests[path] = mark, file_digest(path)
    return _digests[path][1]


class FixedRows(Shards):
    """Samples of one shape, such as images (H, W, C) or clips (T,)."""

    def __init__(self, folder: Path, about: dict[str, Any]) -> None:
        super().__init__(folder, about)
        self.row_shape = tuple(about["shape"])

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, ...) as an array of all samples would have it."""
        return (len(self), *self.row_shape)

    def __getitem__(self, index: Index) -> NDArray[Any]:
        if isinstance(index, (int, np.integer)):
            one: NDArray[Any] = self[np.array([index])][0]
            return one
        places = positions(index, len(self))
        out = np.empty((len(places), *self.row_shape), self.dtype)
        numbers = places // self.capacity
        for number in np.unique(numbers):
            here = numbers == number
            values = self.shard(int(number)).reshape(-1, *self.row_shape)
            out[here] = values[places[here] - number * self.capacity]
        return out


class RaggedRows(Shards):
    """Samples of different lengths, such as tokens; several at once are padded with zeros to the longest."""

    def __init__(self, folder: Path, about: dict[str, Any]) -> None:
        super().__init__(folder, about)
        self.name = str(about["name"])

    @cached_property
    def offsets(self) -> NDArray[np.int64]:
        """Where each sample begins in the sequence of all values, and the end (N + 1,)."""
        found: NDArray[np.int64] = np.load(self.folder / f"{self.name}.offsets.npy", mmap_mode="r")
        return found

    def lengths(self, index: Index) -> NDArray[np.int64]:
        """Number of values of each sample."""
        places = positions(index, len(self))
        result: NDArray[np.int64] = self.offsets[places + 1] - self.offsets[places]
        return result

    def values(self, position: int) -> NDArray[Any]:
        """One sample, not padded."""
        number = position // self.capacity
        base = self.offsets[number * self.capacity]
        return self.shard(number)[self.offsets[position] - base : self.offsets[position + 1] - base]

    def __getitem__(self, index: Index) -> NDArray[Any]:
        if isinstance(index, (int, np.integer)):
            return self.values(int(index) % len(self)).astype(np.int32)
        places = positions(index, len(self))
        lengths = self.lengths(places)
        out = np.zeros((len(places), max(1, int(lengths.max(initial=0)))), np.int32)
        for row, place in enumerate(places):
            out[row, : lengths[row]] = self.values(int(place))
        return out


class View:
    """Some of the rows, by their positions; nothing is copied until it is asked for."""

    def __init__(self, rows: Rows, places: NDArray[np.int64]) -> None:
        self.rows = rows
        self.places = places

    def __len__(self) -> int:
        return len(self.places)

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, ...) of rows of one shape."""
        return (len(self), *self.rows.shape[1:])  # type: ignore[attr-defined]

    def __getitem__(self, index: Index) -> NDArray[Any]:
        chosen = self.places[index]
        return self.rows[int(chosen) if np.ndim(chosen) == 0 else chosen]

    def __iter__(self) -> Iterator[NDArray[Any]]:
        return (self[i] for i in range(len(self)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self[:], dtype)


def positions(index: Index, length: int) -> NDArray[np.int64]:
    """An index of any kind as an array of positions."""
    if isinstance(index, slice):
        return np.arange(*index.indices(length), dtype=np.int64)
    places = np.asarray(index)
    if places.dtype == bool:
        return np.flatnonzero(places)
    return places.astype(np.int64) % max(1, length)


def write_fixed(
    folder: Path, name: str, blocks: Iterable[NDArray[Any]], shape: tuple[int, ...], dtype: str, shard_mib: float
) -> dict[str, Any]:
    """Write samples (n, *shape), given in blocks, as shards of equal size; returns what `FixedRows` needs."""
    capacity = max(1, int(shard_mib * MIB) // max(1, int(np.prod(shape)) * np.dtype(dtype).itemsize))
    samples = (sample.tobytes() for block in blocks for sample in block)
    shards = _write_shards(folder, name, samples, capacity)
    return {"name": name, "shape": list(shape), "dtype": dtype, "capacity": capacity, "shards": shards}


def write_ragged(
    folder: Path, name: str, samples: Iterable[NDArray[Any]], dtype: str, capacity: int
) -> dict[str, Any]:
    """Write samples of different lengths, `capacity` in a shard; returns what `RaggedRows` needs."""
    ends = array("q", [0])  # eight bytes a sample, where a list of numbers takes forty

    def counted() -> Iterator[bytes]:
        for sample in samples:
            ends.append(ends[-1] + len(sample))
            yield np.asarray(sample, dtype).tobytes()

    shards = _write_shards(folder, name, counted(), capacity)
    np.save(folder / f"{name}.offsets.npy", np.frombuffer(ends, np.int64))
    return {"name": name, "dtype": dtype, "capacity": capacity, "shards": shards}


def _write_shards(folder: Path, name: str, samples: Iterable[bytes], capacity: int) -> list[dict[str, Any]]:
    (folder / name).mkdir(parents=True, exist_ok=True)
    shards: list[dict[str, Any]] = []
    stream = iter(samples)
    first = next(stream, None)
    while first is not None:
        file = f"{name}/{len(shards):05d}.bin"
        digest, rows, size = hashlib.sha256(), 0, 0
        with (folder / file).open("wb") as out:
            sample: bytes | None = first
            while sample is not None:
                out.write(sample)
                digest.update(sample)
                rows, size = rows + 1, size + len(sample)
                sample = next(stream, None) if rows < capacity else None
        shards.append(asdict(Shard(file, rows, size, digest.hexdigest())))
        first = next(stream, None)
    return shards


def one_pass(out: Path, about: dict[str, Any]) -> FixedRows:
    """Rows for a single pass in order: one shard is mapped at a time."""
    rows = FixedRows(out, about)
    rows.most_open = 1
    return rows
