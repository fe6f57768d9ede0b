"""Clusters of copies, found without comparing all with all, in about 100 bytes of memory a row.

Exact copies share an id. Near copies are met in buckets of equal keys, one set of keys at a time, and verified on
their payloads before they count (`Kind.search`). Being a copy is passed on: where A is a copy of B
and B of C, all three are one cluster, though A and C may be less alike than the limit. Rows are looked at in the
order of their ids, so the clusters don't depend on the order of the rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from bessemer.data.config import DedupConfig
from bessemer.data.copies import I64, Payload, Search
from bessemer.data.kind import Kind, Settled
from bessemer.draws import U64

CHUNK = 4096  # pairs that are looked at in one go
RUN = 65_536  # rows of buckets whose pairs are listed in one go
LEADERS = 16  # rows of a crowded bucket that the others are compared with, one after the other
PATIENCE = 100  # comparisons without success after which two rows are no longer compared with each other
LISTED = 500


@dataclass
class Copies:
    """For each row the first row of its cluster (N,), and near pairs (similarity, row, row) that joined clusters.

    `exact` (N,) is the same without near copies, where any were looked for.
    `pairs`, the most similar first, holds all of them, or the 250 most and the 250 least similar.
    """

    root: I64
    exact: I64 | None = None
    near: int = 0  # pairs of near copies that joined clusters
    pairs: list[tuple[float, int, int]] = field(default_factory=list)

    def find(self, rows: I64) -> I64:
        """The first row of each row's cluster as far as it is known; the way there is shortened."""
        found = self.root[rows]
        while not np.array_equal(found, above := self.root[found]):
            self.root[rows] = above
            found = above
        return found

    def first(self, row: int) -> int:
        """The same for one row."""
        while (above := int(self.root[row])) != row:
            row = above
        return row

    def join(self, one: int, other: int, similarity: float) -> None:
        """Make the clusters of two rows one."""
        first, second = sorted((self.first(one), self.first(other)))
        self.root[second] = first
        self.near += 1
        self.pairs.append((similarity, min(one, other), max(one, other)))
        if len(self.pairs) >= 4 * LISTED:
            self.trim()

    def trim(self) -> None:
        """Keep the surest and the least sure pairs."""
        self.pairs.sort(key=lambda pair: (-pair[0], pair[1:]))
        if len(self.pairs) > LISTED:
            del self.pairs[LISTED // 2 : -LISTED // 2]


def find_copies(
    ids: U64,
    signatures: U64 | None,
    payload: Payload,
    kind: Kind,
    config: DedupConfig,
    settled: Settled,
) -> Copies:
    """Clusters of copies among rows with content ids (N,).

    `signatures` (N, S), None where only exact copies are wanted, are read in blocks and may be memory-mapped;
    `payload(row)` gives the stored bytes, `settled` is what the cleaner decided.
    """
    _, heads, member = np.unique(ids, return_index=True, return_inverse=True)
    copies = Copies(heads[member])
    del member
    if config.near and signatures is not None and len(heads) > 1:
        search = kind.search(signatures, heads, payload, config, settled)
        if search is not None:
            copies.exact = copies.root.copy()
            join_near(copies, heads, search)
    copies.root = copies.find(np.arange(len(ids)))
    copies.trim()
    return copies


def join_near(copies: Copies, heads: I64, search: Search) -> None:
    """Join the clusters of near copies among representatives `heads`, one set of keys after the other."""
    judge = Judge(copies, heads, search)
    for turn in range(search.turns):
        order, starts, sizes = buckets(search.keys(turn))
        usual = sizes <= search.crowd
        for one, other in all_pairs(starts[usual], sizes[usual]):
            judge.compare(order[one], order[other])
        for start, size in zip(starts[~usual], sizes[~usual], strict=True):
            judge.compare_crowd(order[start : start + size])


def buckets(keys: U64) -> tuple[I64, I64, I64]:
    """Positions sorted by key, and where runs of two or more equal keys start there and how long they are."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    sizes = np.diff(starts, append=len(ordered))
    return order, starts[sizes > 1], sizes[sizes > 1]


def all_pairs(starts: I64, sizes: I64) -> Iterator[tuple[I64, I64]]:
    """All pairs of places within runs, a few thousand at a time: neighbors, then the next but one, and so on."""
    turns = (np.cumsum(sizes) - 1) // RUN
    for turn in np.unique(turns):
        first, count = starts[turns == turn], sizes[turns == turn]
        ends = np.repeat(first + count, count)
        places = np.arange(len(ends)) + np.repeat(first - np.cumsum(count) + count, count)
        step = 1
        while len(places := places[keep := places + step < ends]):
            ends = ends[keep]
            for at in range(0, len(places), CHUNK):
                some = places[at : at + CHUNK]
                yield some, some + step
            step += 1


@dataclass
class Judge:
    """Compares candidates and joins what passes, without comparing again what is joined or was refused.

    Where a great many different rows look alike by their signatures, each is compared in vain 100 times at most
    (with rows of the same fate), so time grows with the number of rows, not of pairs.
    """

    copies: Copies
    heads: I64
    search: Search
    refused: set[tuple[int, int]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.vain = np.zeros(len(self.heads), np.uint8)

    def compare(self, one: I64, other: I64) -> None:
        """Pairs of representatives, by their numbers."""
        apart = self.copies.find(self.heads[one]) != self.copies.find(self.heads[other])
        one, other = one[apart], other[apart]
        if len(one) == 0:
            return
        likely = self.search.likely(one, other)
        for left, right in zip(one[likely].tolist(), other[likely].tolist(), strict=True):
            self.judge(left, right)

    def compare_crowd(self, rest: I64) -> None:
        """A crowded bucket: all with the first, those that are no copies with their first, and so on.

        Copies that are missed here most likely meet in the smaller bucket of another key.
        """
        for _ in range(LEADERS):
            first, rest = rest[:1], rest[1:]
            for at in range(0, len(rest), CHUNK):
                some = rest[at : at + CHUNK]
                self.compare(np.repeat(first, len(some)), some)
            rest = rest[self.copies.find(self.heads[rest]) != self.copies.find(self.heads[first])]

    def judge(self, one: int, other: int) -> None:
        """One pair, on its payloads."""
        pair = (min(one, other), max(one, other))
        if pair in self.refused or (self.vain[one] >= PATIENCE and self.vain[other] >= PATIENCE):
            return
        left, right = int(self.heads[one]), int(self.heads[other])
        if self.copies.first(left) == self.copies.first(right):
            return
        similarity = self.search.similarity(one, other)
        if similarity > 0:
            self.copies.join(left, right, similarity)
            return
        for row in pair:
            self.vain[row] = min(int(self.vain[row]) + 1, PATIENCE)
        if len(self.refused) >= RUN:
            self.refused.clear()
        self.refused.add(pair)
