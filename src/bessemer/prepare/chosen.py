"""The rows that are kept, as a kind of data stores them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bessemer.prepare.staging import Staged

BLOCK = 1024


@dataclass(frozen=True)
class Chosen:
    """The rows that are kept, in order, and the split (0, 1, 2) of each."""

    staged: Staged
    rows: NDArray[np.int64]
    split: NDArray[np.uint8]

    def payloads(self, which: NDArray[np.int64] | None = None) -> Iterator[NDArray[np.uint8]]:
        """The stored bytes of the kept rows, or of those at some of their places."""
        rows = self.rows if which is None else self.rows[which]
        path = self.staged.folder / "payload.bin"
        for start in range(0, len(rows), BLOCK):  # all is mapped again for each block, to let go what was read
            flat, some = np.memmap(path, np.uint8, "r"), rows[start : start + BLOCK]
            begins = self.staged.starts[some]
            for begin, end in zip(begins, begins + self.staged.sizes[some], strict=True):
                yield np.array(flat[begin:end])

    @property
    def train(self) -> NDArray[np.int64]:
        """Places of the training samples among the kept rows."""
        return np.flatnonzero(self.split == 0)

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Bytes of each kept row."""
        return self.staged.sizes[self.rows]
