"""Stratified choice of samples as a function of their ids.

A sample's place depends on its own id and the seed, so the same sample falls into the same split whatever the
order of the files. Samples cut from one recording or document stand together.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bessemer.draws import U64, Stream, key, mix

SPLITS = ("train", "validation", "test")
MOST_OVER = 1.5  # times the wanted rows that a group may have


def class_ranks(labels: NDArray[Any], ids: U64, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Each sample's rank in the shuffled list of its class, and the size of that class; numbers are one class."""
    if labels.dtype.kind == "f":
        labels = np.zeros(len(labels), np.int64)
    shuffled = np.lexsort((np.arange(len(ids)), mix(ids ^ key(Stream.CHOICE, seed))))
    ranks, sizes = np.empty(len(ids), np.int64), np.empty(len(ids), np.int64)
    for label in np.unique(labels):
        members = shuffled[labels[shuffled] == label]
        ranks[members] = np.arange(len(members))
        sizes[members] = len(members)
    return ranks, sizes


def take_share(
    labels: NDArray[np.integer], ids: U64, share: float, seed: int, sizes: NDArray[np.int64] | None = None
) -> NDArray[np.bool_]:
    """Choose `share` of every class, rounded, but at least one and never all of it.

    With `sizes` (N,) the share is one of rows: each of the N is a group of so many, taken whole.
    """
    if sizes is not None and (sizes > 1).any():
        return _take_groups(labels, ids, share, seed, sizes)
    ranks, counts = class_ranks(labels, ids, seed)
    wanted = np.rint(share * counts).astype(np.int64).clip(1, np.maximum(counts - 1, 1))
    chosen: NDArray[np.bool_] = ranks < wanted
    return chosen


def _take_groups(
    labels: NDArray[np.integer], ids: U64, share: float, seed: int, sizes: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Groups in shuffled order while their middle lies within the share; much larger ones are passed over."""
    ranks, _ = class_ranks(labels, ids, seed)
    chosen = np.zeros(len(ids), bool)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        members = members[np.argsort(ranks[members])]
        wanted = max(1, round(share * int(sizes[members].sum())))
        fits = members[sizes[members] <= MOST_OVER * wanted]
        taken = fits[np.cumsum(sizes[fits]) - sizes[fits] / 2 <= wanted]
        if len(taken) == 0:
            taken = members[[np.argmin(sizes[members])]]
        chosen[taken[: max(1, len(members) - 1)]] = True
    return chosen


def take_count(groups: NDArray[Any], ids: U64, count: int, seed: int) -> NDArray[np.int64]:
    """Positions, ascending, of `count` samples in which every group keeps its share; floats are one group."""
    ranks, sizes = class_ranks(groups, ids, seed)
    return np.sort(np.argsort((ranks + 0.5) / sizes, kind="stable")[:count])
