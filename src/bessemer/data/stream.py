"""Text as one long stream of token ids, and the windows of it that a language model reads.

A split's documents follow each other, each behind a token that ends a text, and one more ends the last. The stream
stands in shards as other data does. Which tokens a window holds is arithmetic, so the length of a window is the
model's affair and changing it prepares nothing again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bessemer.data.rows import Index, Shards, positions, write_fixed

ROW = 4096  # tokens that are written together
IGNORED = -100  # in place of a target behind the end of the stream; torch's losses leave it out


class Stream(Shards):
    """The tokens of one split, on disk."""

    def __init__(self, folder: Path, about: dict[str, Any]) -> None:
        super().__init__(folder, about)
        self.tokens = int(about["tokens"])

    def read(self, start: int, stop: int) -> NDArray[np.int64]:
        """Tokens `start` to `stop`, which may be more than there are."""
        stop, size = min(stop, self.tokens), self.capacity * ROW
        parts = [np.empty(0, np.int64)]
        while start < stop:
            number, place = divmod(start, size)
            part = self.shard(number)[place : place + stop - start]
            parts.append(part.astype(np.int64))
            start += len(part)
        return np.concatenate(parts)


class Windows:
    """A stream in windows (N, size) of tokens that lie side by side, as rows of the data type asked for.

    `shift` 0 gives what the model reads, `shift` 1 what it is to say: the token behind each. Every token but the
    first is said once; the last window is filled up with `fill`.
    """

    def __init__(self, stream: Stream, size: int, shift: int, fill: int, dtype: str) -> None:
        self.stream = stream
        self.size = size
        self.shift = shift
        self.fill = fill
        self.dtype = np.dtype(dtype)

    def __len__(self) -> int:
        return -(-(self.stream.tokens - 1) // self.size)

    @property
    def shape(self) -> tuple[int, int]:
        """(N, size)."""
        return len(self), self.size

    def __getitem__(self, index: Index) -> NDArray[Any]:
        if isinstance(index, (int, np.integer)):
            one: NDArray[Any] = self[np.array([index])][0]
            return one
        places = positions(index, len(self))
        out = np.full((len(places), self.size), self.fill, self.dtype)
        for row, place in zip(out, places.tolist(), strict=True):
            start = place * self.size + self.shift
            stop = min(start + self.size, self.stream.tokens - 1 + self.shift)
            row[: stop - start] = self.stream.read(start, stop)
        return out


def write_stream(
    folder: Path, name: str, documents: Iterable[NDArray[np.int32]], end: int, dtype: str, shard_mib: float
) -> dict[str, Any]:
    """Write documents (T,) of token ids as one stream; returns what `Stream` needs."""
    count = 0
    border = np.array([end], np.int32)

    def rows() -> Iterator[NDArray[np.int32]]:
        nonlocal count
        waiting: list[NDArray[np.int32]] = []
        size = 0
        for piece in chain(chain.from_iterable((border, document) for document in documents), [border]):
            waiting.append(piece)
            size, count = size + len(piece), count + len(piece)
            if size >= ROW:
                flat = np.concatenate(waiting)
                whole = len(flat) // ROW * ROW
                yield flat[:whole].reshape(-1, ROW).astype(dtype)
                waiting, size = [flat[whole:]], len(flat) - whole
        flat = np.concatenate([np.empty(0, np.int32), *waiting])
        if len(flat):
            yield np.pad(flat, (0, ROW - len(flat))).reshape(1, ROW).astype(dtype)

    about = write_fixed(folder, name, rows(), (ROW,), dtype, shard_mib)
    return {**about, "tokens": count}
