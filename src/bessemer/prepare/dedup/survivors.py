"""Which row of a cluster of copies stays.

The rule: a row of the given test split before one of the validation split before all others; then one of the
label that most rows of the cluster have, unknown labels aside; then the longer or larger one; then the first. A
row of the test split that came with the data is never dropped. A copy that goes is a leak where its cluster holds
a row of the test split, or holds one of the validation split and it is none itself; else it is a duplicate.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bessemer.data.copies import I64

KEPT, DUPLICATE, LEAK = 0, 2, 3  # as in bessemer.prepare.accounts
VALIDATION, TEST = 1, 2
MOST_CONFLICTS, MOST_ROWS = 20, 20


@dataclass
class Survivors:
    """A state for each row (N,), the row that a dropped one is a copy of (N,), -1 for kept ones.

    `conflicts` lists clusters, as rows, whose rows have different labels: at most 20 of them and 20 rows of each;
    `conflicting` counts all such clusters.
    """

    states: NDArray[np.uint8]
    survivors: I64
    conflicting: int = 0
    conflicts: list[list[int]] = field(default_factory=list)


def choose_survivors(
    root: I64, splits: NDArray[np.uint8], labels: NDArray[np.int32], lengths: NDArray[np.float32]
) -> Survivors:
    """The fate of each row of clusters `root` (N,), each named by its first row.

    `splits` are 0, 1, 2 (train, validation, test) or another number for none, `labels` below 0 where unknown.
    """
    rows = np.flatnonzero(np.bincount(root, minlength=len(root))[root] > 1)
    cluster = root[rows]
    rank = np.select([splits[rows] == TEST, splits[rows] == VALIDATION], [0, 1], 2)
    order = np.lexsort((rows, -lengths[rows], -votes(cluster, labels[rows]), rank, cluster))
    ranked, rank, cluster = rows[order], rank[order], cluster[order]
    is_best = np.diff(cluster, prepend=-1) != 0
    place = np.flatnonzero(is_best)[np.cumsum(is_best) - 1]
    goes = ~is_best & (rank != 0)
    leaks = goes & (rank[place] < rank)
    result = Survivors(np.full(len(root), KEPT, np.uint8), np.full(len(root), -1, np.int64))
    result.states[ranked[goes]] = DUPLICATE
    result.states[ranked[leaks]] = LEAK
    result.survivors[ranked[goes]] = ranked[place][goes]
    result.conflicting, result.conflicts = find_conflicts(root, labels, rows)
    return result


def votes(cluster: I64, labels: NDArray[np.int32]) -> I64:
    """For each row how many rows of its cluster have its label; 0 where it has none."""
    order = np.lexsort((labels, cluster))
    first = (np.diff(cluster[order], prepend=-1) != 0) | (np.diff(labels[order], prepend=-1) != 0)
    group = np.cumsum(first) - 1
    found = np.zeros(len(order), np.int64)
    found[order] = np.bincount(group, minlength=1)[group]
    return np.where(labels < 0, 0, found)


def find_conflicts(root: I64, labels: NDArray[np.int32], rows: I64) -> tuple[int, list[list[int]]]:
    """Number of clusters with two or more known labels, and the rows of the first of them."""
    known = rows[labels[rows] >= 0]
    known = known[np.lexsort((labels[known], root[known]))]
    changes = (np.diff(root[known]) == 0) & (np.diff(labels[known]) != 0)
    clusters = np.unique(root[known][1:][changes])
    return len(clusters), [
        rows[root[rows] == one][:MOST_ROWS].tolist() for one in clusters[:MOST_CONFLICTS].tolist()
    ]
