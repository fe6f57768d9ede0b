"""Which sample stands where, by arithmetic.

The order of an epoch is a pseudo-random permutation that is computed, not stored: a Feistel network over the
smallest even number of bits that holds `n`, walked until it lands inside [0, n) (Black and Rogaway, "Ciphers
with arbitrary finite domains", 2002). So the samples of global batch `t` are known from (seed, t) alone, for
10^9 samples as for ten, and resuming or changing the number of workers needs no state.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bessemer.draws import Stream, chained, key, mix

ROUNDS = 6


def permute(index: NDArray[np.int64], n: int, seed: np.uint64) -> NDArray[np.int64]:
    """Where each of `index` (values in [0, n)) stands in the permutation of [0, n) that `seed` names."""
    half = np.uint64(max(1, ((n - 1).bit_length() + 1) // 2))
    low = np.uint64((1 << int(half)) - 1)
    keys = [chained(int(seed), turn) for turn in range(ROUNDS)]
    out = index.astype(np.uint64)
    todo = np.ones(len(out), bool)
    while todo.any():
        left, right = out[todo] >> half, out[todo] & low
        for turn in keys:
            left, right = right, left ^ (mix(right ^ turn) & low)
        out[todo] = (left << half) | right
        todo &= out >= n
    return out.astype(np.int64)


BLOCK = 1 << 14  # places that are permuted at once: a batch at a time would take ten times as long
KEPT = 4  # blocks, since a batch may reach over the edges of some

Phase = tuple[int, int]  # so many batches, of such a size


class Order:
    """The endless, batch-wise order of `n` samples: each once in every epoch, batches of equal size.

    Batches run on over the edge of an epoch, so none is short and none is dropped. `phases` (batches, size) come
    before those of `batch_size`, for batches that grow.
    """

    def __init__(self, n: int, batch_size: int, seed: int, phases: Sequence[Phase] = ()) -> None:
        if n < 1 or batch_size < 1 or any(count < 1 or size < 1 for count, size in phases):
            raise ValueError(f"need at least one sample and a batch of one, got n={n}, batch_size={batch_size}")
        self.n = n
        self.batch_size = batch_size
        self.seed = seed
        self.phases = list(phases)
        self._blocks: dict[tuple[int, int], NDArray[np.int64]] = {}

    def steps(self, epochs: float) -> int:
        """Number of batches in so many epochs, rounded up, at least one."""
        before, left = 0, epochs * self.n
        for count, size in self.phases:
            if left <= count * size:
                return max(1, before + int(np.ceil(left / size)))
            before, left = before + count, left - count * size
        return max(1, before + int(np.ceil(left / self.batch_size)))

    def size(self, step: int) -> int:
        """Samples of global batch `step`."""
        for count, size in self.phases:
            if step < count:
                return size
            step -= count
        return self.batch_size

    def offset(self, step: int) -> int:
        """Samples of all batches before global batch `step`."""
        before = 0
        for count, size in self.phases:
            if step < count:
                return before + step * size
            before, step = before + count * size, step - count
        return before + step * self.batch_size

    def batch(self, step: int, rank: int = 0, world: int = 1) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Positions of the samples, and their epochs, in this rank's even share of global batch `step`."""
        share = self.size(step) // world
        start = self.offset(step) + rank * share
        stop = start + share
        place = np.arange(start, stop, dtype=np.int64)
        positions = [np.empty(0, np.int64)]
        while start < stop:
            epoch, within = divmod(start, self.n)
            number, first = divmod(within, BLOCK)
            part = self._block(epoch, number)[first : first + stop - start]
            positions.append(part)
            start += len(part)
        return np.concatenate(positions), place // self.n

    def _block(self, epoch: int, number: int) -> NDArray[np.int64]:
        """Positions of the samples at BLOCK places of an epoch, at fewer behind its last whole block."""
        if (epoch, number) not in self._blocks:
            within = np.arange(number * BLOCK, min((number + 1) * BLOCK, self.n), dtype=np.int64)
            found = permute(within, self.n, key(Stream.ORDER, self.seed, epoch))
            self._blocks = dict([*self._blocks.items(), ((epoch, number), found)][-KEPT:])
        return self._blocks[epoch, number]


def doubling_phases(samples: float, batch_size: int, doublings: int) -> list[Phase]:
    """Phases of batches that grow from batch_size / 2^doublings by doubling, each over an even share of `samples`.

    Small batches early cost little, since gradients then agree between samples (Smith, Kindermans, Ying and Le,
    "Don't decay the learning rate, increase the batch size", 2018; McCandlish et al., "An empirical model of
    large-batch training", 2018).
    """
    sizes = [batch_size >> (doublings - level) for level in range(doublings)]
    return [(max(1, round(samples / doublings / size)), size) for size in sizes]
