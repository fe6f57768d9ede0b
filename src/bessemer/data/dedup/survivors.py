"""Which row of a cluster of copies stays.

The rule: a row of the given test split before one of the validation split before all others; then one of the
cluster's commonest label; then the longer or larger one; then the first. A row of the test split that came with
the data is never dropped. A copy of a row that is tested is a leak, the others are duplicates.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

KEPT, DUPLICATE, LEAK = 0, 2, 3  # as in bessemer.data.accounts
VALIDATION, TEST = 1, 2
MOST_CONFLICTS = 20


@dataclass
class Survivors:
    """A state for each row (N,), the row that a dropped one is a copy of (N,), -1 for kept ones.

    `conflicts` lists clusters, as rows, whose rows have different labels: at most 20; `conflicting` counts all.
    """

    states: NDArray[np.uint8]
    survivors: NDArray[np.int64]
    conflicting: int = 0
    conflicts: list[list[int]] = field(default_factory=list)


def choose_survivors(
    root: NDArray[np.int64],
    splits: NDArray[np.uint8],
    labels: NDArray[np.int32],
    lengths: NDArray[np.float32],
) -> Survivors:
    """The fate of each row of clusters `root` (N,), given their splits (0, 1, 2, or another number for none)."""
    count = len(root)
    result = Survivors(np.full(count, KEPT, np.uint8), np.full(count, -1, np.int64))
    order = np.argsort(root, kind="stable")
    edges = np.flatnonzero(np.diff(root[order])) + 1
    starts, ends = np.concatenate([[0], edges]), np.concatenate([edges, [count]])
    for start, end in zip(starts[ends - starts > 1], ends[ends - starts > 1], strict=True):
        _settle(order[start:end], splits, labels, lengths, result)
    return result


def _settle(
    rows: NDArray[np.int64],
    splits: NDArray[np.uint8],
    labels: NDArray[np.int32],
    lengths: NDArray[np.float32],
    result: Survivors,
) -> None:
    """One cluster, its rows ascending."""
    names, sizes = np.unique(labels[rows], return_counts=True)
    if len(names) > 1:
        result.conflicting += 1
        if len(result.conflicts) < MOST_CONFLICTS:
            result.conflicts.append(rows.tolist())
    common = names[int(sizes.argmax())]
    rank = np.select([splits[rows] == TEST, splits[rows] == VALIDATION], [0, 1], 2)
    best = rows[np.lexsort((rows, -lengths[rows], labels[rows] != common, rank))[0]]
    dropped = rows[(rows != best) & (splits[rows] != TEST)]
    tested = splits[best] == TEST
    leaks = tested | ((splits[best] == VALIDATION) & (splits[dropped] != VALIDATION))
    result.states[dropped] = np.where(leaks, LEAK, DUPLICATE)
    result.survivors[dropped] = best
