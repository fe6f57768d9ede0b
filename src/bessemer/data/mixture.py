"""Several sources mixed by weight, by arithmetic.

A source of weight 2 is seen twice in an epoch; of weight 0.3, three tenths of it, others in each epoch. An epoch
is then a list of virtual places, and which sample stands at a place is computed, like the order itself.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bessemer.data.order import permute
from bessemer.draws import Stream, key


class Mixture:
    """The places of an epoch over samples that come from several sources.

    `sources` (N,) says which source each sample is of, `weights` how often each source is seen in an epoch. With
    all weights 1 every sample is seen once.
    """

    def __init__(self, sources: NDArray[np.integer], weights: Sequence[float], seed: int) -> None:
        self.members = [np.flatnonzero(sources == number) for number in range(len(weights))]
        counts = [
            max(1, round(weight * len(own))) if len(own) else 0
            for own, weight in zip(self.members, weights, strict=True)
        ]
        self.ends = np.cumsum(counts)
        self.seed = seed

    def __len__(self) -> int:
        return int(self.ends[-1])

    def positions(self, places: NDArray[np.int64], epochs: NDArray[np.int64]) -> NDArray[np.int64]:
        """The samples that stand at these places of these epochs."""
        of = np.searchsorted(self.ends, places, side="right")
        out = np.empty_like(places)
        for number in np.unique(of):
            own = self.members[number]
            within = places - (self.ends[number - 1] if number else 0)
            turns = within // len(own)
            for epoch, turn in {(int(e), int(t)) for e, t in zip(epochs, turns, strict=True)}:
                here = (of == number) & (epochs == epoch) & (turns == turn)
                shuffle = key(Stream.MIXTURE, self.seed, epoch, int(number), turn)
                out[here] = own[permute(within[here] % len(own), len(own), shuffle)]
        return out
