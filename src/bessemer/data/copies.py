"""How a search for near copies meets its candidates, and how it reads signatures in flat memory."""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bessemer.draws import U64

I64 = NDArray[np.int64]
Payload = Callable[[int], bytes]

BLOCK = 8192  # signatures that are read in one go, in their order
SCATTERED = 16  # the same, from all over


class Search(Protocol):
    """How near copies of one kind of data are met and judged. Rows are given as numbers of representatives."""

    turns: int  # each with keys of its own
    crowd: int  # in buckets of more rows not all are compared with all

    def keys(self, turn: int) -> U64:
        """A number for each representative; rows with equal numbers are candidates."""
        ...

    def likely(self, one: I64, other: I64) -> NDArray[np.bool_]:
        """Which pairs may be copies, by their signatures."""
        ...

    def similarity(self, one: int, other: int) -> float:
        """Similarity of a pair by its payloads, 0 where they are no copies."""
        ...


def blocks(signatures: U64) -> Iterator[tuple[int, U64]]:
    """(first row, rows) one block after the other; what a memory map holds is given back after each."""
    for start in range(0, len(signatures), BLOCK):
        yield start, np.array(signatures[start : start + BLOCK])
        release(signatures)


def gather(signatures: U64, rows: I64) -> U64:
    """Some rows in any order. A page that is read brings its neighbors along, so they are few at a time."""
    out = np.empty((len(rows), signatures.shape[1]), np.uint64)
    for start in range(0, len(rows), SCATTERED):
        out[start : start + SCATTERED] = signatures[rows[start : start + SCATTERED]]
        release(signatures)
    return out


def release(array: U64) -> None:
    """Let go of the pages that a read-only memory map has read, which would count as this process's memory."""
    base: object = array
    while isinstance(base, np.ndarray):
        base = base.base
    if isinstance(base, mmap.mmap) and not array.flags.writeable and hasattr(mmap, "MADV_DONTNEED"):
        base.madvise(mmap.MADV_DONTNEED)


def places(heads: I64, rows: int) -> I64:
    """The number of each row among the representatives `heads`, -1 for the others."""
    place = np.full(rows, -1, np.int64)
    place[heads] = np.arange(len(heads))
    return place
