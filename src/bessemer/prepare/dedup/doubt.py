"""Whether near copies are copies at all in this data, judged by what dropping them would do to its classes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bessemer.data.copies import I64

LEAST = 8  # different samples of a class, or near copies, from which anything is said
MOST_LOST = 0.5  # of the different samples of a class
MOST_CROSSING = 1 / 3  # of the near copies that would go


def doubt(root: I64, exact: I64, labels: NDArray[np.int32], names: Sequence[str]) -> str:
    """Why near copies are not to be dropped in this data, "" where they are.

    `root` and `exact` (N,) name each row's cluster with and without near copies, `labels` (N,) are places in
    `names`, below 0 where unknown. Parts under a fixed camera, or letters from one template, are all alike: a
    class that would lose most of itself shows it. So do near copies whose labels differ: what tells the classes
    apart is then smaller than what the search looks at.
    """
    rows = np.flatnonzero((exact == np.arange(len(exact))) & (labels >= 0))
    if not len(rows):
        return ""
    label, cluster = labels[rows].astype(np.int64), np.unique(root[rows], return_inverse=True)[1].astype(np.int64)
    code, counts = np.unique(cluster * (label.max() + 1) + label, return_counts=True)
    there = np.bincount(label)
    lost = there - np.bincount(code % (label.max() + 1), minlength=len(there))
    worst = int(np.argmax(np.where(there >= LEAST, lost / np.maximum(there, 1), 0)))
    if there[worst] >= LEAST and lost[worst] > MOST_LOST * there[worst]:
        return f"{names[worst]!r} would lose {lost[worst]:,} of its {there[worst]:,} samples"
    largest = np.zeros(cluster.max() + 1, np.int64)
    np.maximum.at(largest, code // (label.max() + 1), counts)
    crossing = int((np.bincount(cluster) - largest).sum())
    going = len(rows) - len(largest)
    if going >= LEAST and crossing > MOST_CROSSING * going:
        return f"{crossing:,} of {going:,} have another label than what they are like"
    return ""
