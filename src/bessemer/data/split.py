"""Stratified choice of samples as a function of their ids.

A sample's place depends on its own id and the seed, so the same sample falls into the same split whatever the
order of the files. Samples cut from one recording or document stand together.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bessemer.data.config import SplitConfig
from bessemer.data.order import U64, key, mix
from bessemer.data.staging import UNSET, Staged

SPLITS = ("train", "validation", "test")


def class_ranks(labels: NDArray[np.integer], ids: U64, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Each sample's rank in the shuffled list of its class, and the size of that class."""
    shuffled = np.lexsort((np.arange(len(ids)), mix(ids ^ key(seed, 0x5B117))))
    ranks, sizes = np.empty(len(ids), np.int64), np.empty(len(ids), np.int64)
    for label in np.unique(labels):
        members = shuffled[labels[shuffled] == label]
        ranks[members] = np.arange(len(members))
        sizes[members] = len(members)
    return ranks, sizes


def take_share(labels: NDArray[np.integer], ids: U64, share: float, seed: int) -> NDArray[np.bool_]:
    """Choose `share` of every class, rounded, but at least one and never all of it."""
    ranks, sizes = class_ranks(labels, ids, seed)
    wanted = np.rint(share * sizes).astype(np.int64).clip(1, np.maximum(sizes - 1, 1))
    chosen: NDArray[np.bool_] = ranks < wanted
    return chosen


def take_count(groups: NDArray[np.integer], ids: U64, count: int, seed: int) -> NDArray[np.int64]:
    """Positions, ascending, of `count` samples in which every group keeps its share."""
    ranks, sizes = class_ranks(groups, ids, seed)
    return np.sort(np.argsort((ranks + 0.5) / sizes, kind="stable")[:count])


def choose_splits(
    config: SplitConfig, staged: Staged, rows: NDArray[np.int64], labels: NDArray[np.int32], seed: int
) -> NDArray[np.uint8]:
    """0, 1 or 2 (train, validation, test) for each of `rows`: as the source says, the rest stratified by class."""
    given = staged.splits[rows]
    split = np.where(given == UNSET, 0, given).astype(np.uint8)
    # Parts of one file share a group, which falls into one split as a whole.
    groups, first, member = np.unique(staged.groups[rows], return_index=True, return_inverse=True)
    group_labels = labels[rows][first]
    for name, share in (("test", config.test), ("validation", config.validation)):
        code = SPLITS.index(name)
        if (given == code).any():
            continue
        open_groups = np.flatnonzero(split[first] == 0)
        chosen = np.zeros(len(groups), bool)
        turn = int(key(seed, code) >> np.uint64(1))
        chosen[open_groups] = take_share(group_labels[open_groups], groups[open_groups], share, turn)
        split[chosen[member] & (split == 0)] = code
    return split
