"""Several sequences in one row, so that little is padding; `segments` keeps attention within each sequence.

First-fit decreasing (Johnson, 1973: at most 11/9 of the least number of rows, plus one): the longest sequence
first, each into the first row that still has room.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

I32 = NDArray[np.int32]
I64 = NDArray[np.int64]


@dataclass(frozen=True)
class Packing:
    """Where each of N samples stands: `row` (N,) and `offset` (N,) within the row; `rows` of `capacity` tokens."""

    row: I64
    offset: I64
    lengths: I64
    rows: int
    capacity: int

    @property
    def efficiency(self) -> float:
        """Share of the places that hold a token."""
        return float(self.lengths.sum()) / max(1, self.rows * self.capacity)


def pack(lengths: NDArray[np.integer], capacity: int) -> Packing:
    """First-fit decreasing; equal lengths keep their order, so the result is a function of the lengths alone.

    A sample without tokens takes no room. Raises ValueError where one is longer than `capacity`.
    """
    sizes = np.asarray(lengths, np.int64)
    if len(sizes) and (sizes.max() > capacity or sizes.min() < 0):
        raise ValueError(f"lengths must be 0 to {capacity}, got {sizes.min()} to {sizes.max()}")
    row, offset = np.zeros(len(sizes), np.int64), np.zeros(len(sizes), np.int64)
    room = np.full(max(1, len(sizes)), capacity, np.int64)
    for sample in np.argsort(-sizes, kind="stable").tolist():
        size = sizes[sample]
        first = int(np.argmax(room >= size))
        row[sample], offset[sample] = first, capacity - room[first]
        room[first] -= size
    rows = int(row.max()) + 1 if len(sizes) else 0
    return Packing(row, offset, sizes, rows, capacity)


def pack_batch(tokens: I32, lengths: NDArray[np.integer], capacity: int) -> tuple[I32, I32, I32]:
    """Pack padded tokens (B, T) with `lengths` (B,) into rows (R, capacity), padded with 0.

    Returns rows, segments (the number of the sample in the batch, -1 where there is none) and positions (from 0
    within the sample), all int32 (R, capacity).
    """
    packing = pack(lengths, capacity)
    rows = np.zeros((packing.rows, capacity), np.int32)
    segments, positions = np.full_like(rows, -1), np.zeros_like(rows)
    sample = np.repeat(np.arange(len(packing.lengths)), packing.lengths)
    starts = np.cumsum(packing.lengths) - packing.lengths
    place = np.arange(len(sample)) - starts[sample]
    at = packing.row[sample], packing.offset[sample] + place
    rows[at], segments[at], positions[at] = tokens[sample, place], sample, place
    return rows, segments, positions


def pack_stream(documents: Iterable[NDArray[np.integer]], capacity: int) -> Iterator[tuple[I32, I32]]:
    """Fill rows with documents in their order, cutting them where a row is full; memory holds one row.

    Yields tokens int32 (capacity,) and segments int32 (capacity,): the number of the piece within the row, -1 in
    the padding that ends the last row.
    """
    if capacity < 1:
        raise ValueError(f"capacity must be at least 1, got {capacity}")
    tokens, segments = _empty(capacity)
    filled = piece = 0
    for document in documents:
        start = 0
        while start < len(document):
            size = min(len(document) - start, capacity - filled)
            tokens[filled : filled + size] = document[start : start + size]
            segments[filled : filled + size] = piece
            start, filled, piece = start + size, filled + size, piece + 1
            if filled == capacity:
                yield tokens, segments
                tokens, segments = _empty(capacity)
                filled = piece = 0
    if filled:
        yield tokens, segments


def _empty(capacity: int) -> tuple[I32, I32]:
    return np.zeros(capacity, np.int32), np.full(capacity, -1, np.int32)
