"""Samples that belong together stay on one side of the split: parts of one scene, recording or work.

What belongs together is told by names of files, by long passages that texts share, and by near copies that are not
dropped. Each is used where it leaves every class enough to split, and told either way.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bessemer.data.config import DataConfig
from bessemer.data.copies import I64
from bessemer.data.kinds import find_kind
from bessemer.data.split import SPLITS
from bessemer.draws import U64
from bessemer.prepare.accounts import Fates
from bessemer.prepare.chosen import Chosen
from bessemer.prepare.names import groups_by_name, leaves_enough, name_keys
from bessemer.prepare.splits import choose_splits
from bessemer.prepare.staging import Staged

MOST_OF_A_CLASS = 0.5
TEST = SPLITS.index("test")


@dataclass
class Together:
    """The group of each kept row (N,), and what is told: of each rule, its groups and their rows, or why not."""

    groups: U64
    used: dict[str, dict[str, int]] = field(default_factory=dict)
    unused: dict[str, str] = field(default_factory=dict)
    across: int = 0  # groups that stand in the given test split and outside of it

    def facts(self) -> dict[str, Any]:
        """What `dataset.json` says of it."""
        return {"used": self.used, "unused": self.unused, "across": self.across}


def find_groups(config: DataConfig, staged: Staged, fates: Fates, labels: NDArray[np.int32]) -> Together:
    """What belongs together among the kept rows; `labels` (all rows,) are classes."""
    rows = fates.kept
    kept = labels[rows]
    together = Together(np.array(staged.groups[rows]))
    if not config.split.together:
        return together
    by_name = groups_by_name(*name_keys(staged.folder / "rows.arrow", rows), kept)
    _add(together, "names of files", kept, _pairs(by_name), 1.0)  # judged by class there
    chosen = Chosen(staged, rows, np.zeros(len(rows), np.uint8))
    related = find_kind(config.modality).related(chosen)
    _add(together, "shared passages", kept, related, MOST_OF_A_CLASS)
    if fates.alike is not None:
        alike = np.unique(fates.alike[rows], return_inverse=True)[1].astype(np.uint64) + np.uint64(1)
        _add(together, "near copies", kept, _pairs(alike), MOST_OF_A_CLASS)
    together.across = _across(together, staged.splits[rows])
    return together


def split_together(
    config: DataConfig, staged: Staged, fates: Fates, labels: NDArray[np.int32], seed: int
) -> tuple[NDArray[np.uint8], dict[str, Any]]:
    """The split of each kept row, groups being kept whole, and what is told of these.

    Where a class would be missing in a split for it, groups are split like all else.
    """
    rows, together = fates.kept, find_groups(config, staged, fates, labels)
    split = choose_splits(config.split, staged, rows, labels, seed)
    if together.used:
        whole = choose_splits(config.split, staged, rows, labels, seed, together.groups)
        if _there(split, labels[rows]) <= _there(whole, labels[rows]):
            return whole, together.facts()
        together.unused |= dict.fromkeys(together.used, "a class would be missing in a split")
        together.used = {}
    return split, together.facts()


def _there(split: NDArray[np.uint8], labels: NDArray[np.int32]) -> set[tuple[int, int]]:
    """The classes of each split."""
    return set(zip(split.tolist(), labels.tolist(), strict=True))


def _pairs(keys: U64) -> I64:
    """Each row (P, 2) with the first of its key; rows of key 0 stand alone."""
    named = np.flatnonzero(keys != 0)
    _, first, member = np.unique(keys[named], return_index=True, return_inverse=True)
    others = first[member] != np.arange(len(named))
    return np.stack([named[first][member][others], named[others]], axis=1)


def _add(together: Together, rule: str, labels: NDArray[np.int32], pairs: I64, largest: float) -> None:
    """Join the groups of pairs of rows, unless a class would be mostly one group."""
    if not len(pairs):
        return
    joined = join(together.groups, pairs)
    for label in np.unique(labels[pairs]):
        if not leaves_enough(joined[labels == label], largest):
            together.unused[rule] = "most of a class would be one group, or in few groups"
            return
    together.groups = joined
    touched = joined[np.unique(pairs)]
    together.used[rule] = {"groups": len(np.unique(touched)), "rows": int(np.isin(joined, touched).sum())}


def join(groups: U64, pairs: I64) -> U64:
    """Groups of rows after the rows of each pair have come together; each is named by its least number."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    names, member = np.unique(groups, return_inverse=True)
    edges = member[pairs]
    shape = (len(names), len(names))
    graph = coo_array((np.ones(len(edges), bool), (edges[:, 0], edges[:, 1])), shape=shape)
    _, component = connected_components(graph, directed=False)
    least = np.full(component.max() + 1, len(names), np.int64)
    np.minimum.at(least, component, np.arange(len(names)))
    return np.asarray(names[least[component]][member])


def _across(together: Together, splits: NDArray[np.uint8]) -> int:
    """Groups of more than one row that stand in the given test split and outside of it."""
    if not (splits == TEST).any() or not together.used:
        return 0
    in_test = np.unique(together.groups[splits == TEST])
    return int(np.isin(in_test, together.groups[splits != TEST]).sum())
