"""Which split each row falls into: as its source says, the rest by arithmetic (bessemer.data.split)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bessemer.data.config import SplitConfig
from bessemer.data.split import SPLITS, take_share
from bessemer.draws import U64, Stream, seed_for
from bessemer.prepare.staging import UNSET, Staged


def choose_splits(
    config: SplitConfig,
    staged: Staged,
    rows: NDArray[np.int64],
    labels: NDArray[np.int32],
    seed: int,
    together: U64 | None = None,
) -> NDArray[np.uint8]:
    """0, 1 or 2 (train, validation, test) for each of `rows`: as the source says, the rest stratified by class.

    Rows of one group fall into one split as a whole. Parts of one file share one; with `together` (of `rows`) so
    do others, and shares are then shares of rows.
    """
    given = staged.splits[rows]
    split = np.where(given == UNSET, 0, given).astype(np.uint8)
    joined = staged.groups[rows] if together is None else together
    groups, first, member = np.unique(joined, return_index=True, return_inverse=True)
    sizes = None if together is None else np.bincount(member, minlength=len(groups))
    group_labels = labels[rows][first]
    for name, share in (("test", config.test), ("validation", config.validation)):
        code = SPLITS.index(name)
        if (given == code).any():
            continue
        open_groups = np.flatnonzero(split[first] == 0)
        chosen = np.zeros(len(groups), bool)
        turn = seed_for(Stream.SPLIT, seed, code)
        some = sizes[open_groups] if sizes is not None else None
        chosen[open_groups] = take_share(group_labels[open_groups], groups[open_groups], share, turn, some)
        split[chosen[member] & (split == 0)] = code
    return split
