"""What the simple models beside a network share: the samples that train them, and that choose between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bessemer.data.boosting import Boosted, Columns, fit_boosting
from bessemer.data.dataset import Dataset
from bessemer.data.kind import Kind
from bessemer.data.split import take_count
from bessemer.draws import Stream, mix, seed_for

LEAST = 20  # held-out samples that can choose


def values_of(dataset: Dataset, split: str) -> Any:
    """The samples of a split as simple models take them: texts, or what the kind of data stores."""
    return dataset.texts(split) if "texts" in dataset.about else dataset.split(split).inputs


def affordable(kind: Kind, values: Any, labels: NDArray[Any], limit: int, seed: int) -> NDArray[np.int64]:
    """Positions, ascending, of at most `limit` samples, fewer where the kind of data asks for it."""
    limit = kind.affordable(values, limit)
    if limit >= len(labels):
        return np.arange(len(labels))
    return take_count(labels, mix(np.arange(len(labels), dtype=np.uint64)), limit, seed)


def taken(values: Any, chosen: NDArray[np.int64]) -> Any:
    """The samples at some positions."""
    if len(chosen) == len(values):
        return values
    return [values[int(i)] for i in chosen] if isinstance(values, list) else values[chosen]


@dataclass(frozen=True)
class Trial:
    """Positions of training samples that models learn from, and of a fifth that chooses between them."""

    train: NDArray[np.int64]
    check: NDArray[np.int64]

    @property
    def chooses(self) -> bool:
        """Whether there are enough to choose by."""
        return len(self.check) >= LEAST


def trial(labels: NDArray[Any], most: int, seed: int) -> Trial:
    """At most so many of the training samples, every class keeping its share, in two parts."""
    some = take_count(labels, mix(np.arange(len(labels), dtype=np.uint64)), min(most, len(labels)), seed)
    held_out = np.zeros(len(some), bool)
    ids = mix(some.astype(np.uint64))
    held_out[take_count(labels[some], ids, len(some) // 5, seed_for(Stream.BASELINE, seed))] = True
    return Trial(some[~held_out], some[held_out])


def boosted(columns: Columns, targets: NDArray[Any], parts: Trial, seed: int, numbers: bool = False) -> Boosted:
    """Gradient boosting on columns of the samples of both parts, in this order: train, check."""
    order = np.concatenate([parts.train, parts.check])
    held_out = np.arange(len(order)) >= len(parts.train)
    return fit_boosting((columns[0][order], columns[1]), targets[order], held_out, seed, numbers)
