"""Copies found without comparing all with all, in memory of a few numbers a row.

Exact copies share an id. Near copies of text share all seven numbers of at least one of 18 bands of their MinHash
(Leskovec, Rajaraman and Ullman, "Mining of massive datasets", chapter 3): a pair of similarity 0.8 is met with
probability 0.98, one of 0.5 with 0.13. Near copies of images share at least one of five parts of their perceptual
hash, since at most four bits differ. One band is looked at at a time. What is met is verified before it counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from bessemer.data.config import DedupConfig, Modality
from bessemer.data.dedup.signature import PERMUTATIONS, jaccard, minhashes, picture_difference
from bessemer.data.order import U64, mix

BANDS, BAND_ROWS = 18, 7
SURE = 4.0  # standard deviations of the estimate beyond which a pair of texts needs no exact comparison
PARTS = ((0, 13), (13, 13), (26, 13), (39, 13), (52, 12))  # (first bit, bits) of a perceptual hash
MOST_APART, MOST_APART_LOCALLY = 0.06, 0.09  # of two images, see signature.picture_difference
BLOCK = 65_536
WHOLE_BUCKET = 64  # in larger ones each is compared with the first and the one before it, not all with all
LISTED = 500
CACHED = 4096

Payload = Callable[[int], bytes]


@dataclass
class Copies:
    """For each row the first row of its cluster (N,), and the most similar near pairs (similarity, row, row)."""

    root: NDArray[np.int64]
    near: int = 0  # pairs of near copies that joined clusters
    pairs: list[tuple[float, int, int]] = field(default_factory=list)


def find_copies(
    ids: U64,
    signatures: NDArray[np.uint64] | None,
    payload: Payload,
    modality: Modality,
    config: DedupConfig,
    shape: tuple[int, int, int] | None = None,
) -> Copies:
    """Clusters of copies among rows with content ids (N,).

    `signatures` (N, S), None where only exact copies are wanted, are read in blocks and may be memory-mapped;
    `payload(row)` gives the stored bytes, `shape` (H, W, C) that of stored images.
    """
    copies = Copies(exact_roots(ids))
    if not config.near or signatures is None or modality == "audio":
        return copies
    if modality == "text":
        candidates, similarity = text_candidates(signatures, copies), text_similarity(signatures, payload, config)
        least = config.text_similarity
    else:
        assert shape is not None
        candidates = image_candidates(signatures, copies, config.image_distance)
        similarity, least = image_similarity(payload, shape), 1 - MOST_APART
    for one, other in candidates:
        if find(copies.root, one) == find(copies.root, other):
            continue
        found = similarity(one, other)
        if found >= least:
            join(copies.root, one, other)
            copies.near += 1
            copies.pairs.append((found, one, other))
            if len(copies.pairs) > 2 * LISTED:
                copies.pairs = sorted(copies.pairs, reverse=True)[:LISTED]
    copies.pairs = sorted(copies.pairs, reverse=True)[:LISTED]
    flatten(copies.root)
    return copies


# --- clusters -------------------------------------------------------------------------------------------


def exact_roots(ids: U64) -> NDArray[np.int64]:
    """For each row the first row with the same id."""
    _, first, member = np.unique(ids, return_index=True, return_inverse=True)
    return first[member].astype(np.int64)


def find(root: NDArray[np.int64], row: int) -> int:
    """The first row of a cluster; the way there is halved for the next who asks."""
    while root[row] != row:
        root[row] = root[root[row]]
        row = int(root[row])
    return row


def join(root: NDArray[np.int64], one: int, other: int) -> None:
    """Make two clusters one, named by its first row."""
    first, second = sorted((find(root, one), find(root, other)))
    root[second] = first


def flatten(root: NDArray[np.int64]) -> None:
    """Let every row name the first row of its cluster directly."""
    while True:
        above = root[root]
        if np.array_equal(above, root):
            return
        root[:] = above


# --- texts ----------------------------------------------------------------------------------------------


def text_candidates(signatures: NDArray[np.uint64], copies: Copies) -> Iterator[tuple[int, int]]:
    """Pairs of rows whose MinHashes agree in a whole band."""
    rows = np.flatnonzero(copies.root == np.arange(len(copies.root)))  # one of each kind of exact copies
    for band in range(BANDS):
        keys = np.empty(len(rows), np.uint64)
        for start in range(0, len(rows), BLOCK):
            some = minhashes(signatures[rows[start : start + BLOCK]])
            columns = some[:, band * BAND_ROWS : (band + 1) * BAND_ROWS].astype(np.uint64)
            key = np.zeros(len(some), np.uint64)
            for column in columns.T:
                key = mix(key ^ (column + np.uint64(0x9E3779B97F4A7C15)))
            keys[start : start + BLOCK] = key
        for bucket in buckets(keys):
            yield from pairs_of(rows[bucket])


def buckets(keys: NDArray[np.integer]) -> Iterator[NDArray[np.int64]]:
    """Positions of equal keys, ascending, for each key that occurs more than once."""
    order = np.argsort(keys, kind="stable")
    edges = np.flatnonzero(np.diff(keys[order])) + 1
    starts, ends = np.concatenate([[0], edges]), np.concatenate([edges, [len(order)]])
    for start, end in zip(starts[ends - starts > 1], ends[ends - starts > 1], strict=True):
        yield order[start:end]


def pairs_of(rows: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """All pairs of a small bucket; of a large one each row with the first and the one before it."""
    members = rows.tolist()
    if len(members) <= WHOLE_BUCKET:
        for place, one in enumerate(members):
            for other in members[place + 1 :]:
                yield one, other
        return
    for before, row in pairwise(members):
        yield members[0], row
        yield before, row


def text_similarity(
    signatures: NDArray[np.uint64], payload: Payload, config: DedupConfig
) -> Callable[[int, int], float]:
    """Jaccard similarity of two rows: estimated where the estimate is far from the limit, else exact."""
    least = config.text_similarity
    doubt = SURE * float(np.sqrt(least * (1 - least) / PERMUTATIONS))

    @lru_cache(CACHED)
    def text(row: int) -> str:
        return payload(row).decode("utf-8")

    def similarity(one: int, other: int) -> float:
        estimate = float((minhashes(signatures[one]) == minhashes(signatures[other])).mean())
        if abs(estimate - least) > doubt:
            return estimate
        return jaccard(text(one), text(other))

    return similarity


# --- images ---------------------------------------------------------------------------------------------


def image_candidates(signatures: NDArray[np.uint64], copies: Copies, most: int) -> Iterator[tuple[int, int]]:
    """Pairs of rows whose perceptual hashes differ in at most `most` bits."""
    rows = np.flatnonzero(copies.root == np.arange(len(copies.root)))
    hashes = np.array(signatures[:, 0])[rows]
    for first, bits in PARTS:
        part = (hashes >> np.uint64(first)) & np.uint64((1 << bits) - 1)
        for bucket in buckets(part):
            found = hashes[bucket]
            for place in range(len(bucket) - 1):
                apart = np.bitwise_count(found[place] ^ found[place + 1 :])
                for other in bucket[place + 1 :][apart <= most]:
                    yield int(rows[bucket[place]]), int(rows[other])


def image_similarity(payload: Payload, shape: tuple[int, int, int]) -> Callable[[int, int], float]:
    """1 less the overall difference of two images; 0 where they differ clearly in one place."""

    @lru_cache(CACHED)
    def image(row: int) -> NDArray[np.uint8]:
        return np.frombuffer(payload(row), np.uint8).reshape(shape)

    def similarity(one: int, other: int) -> float:
        overall, locally = picture_difference(image(one), image(other))
        return 1 - overall if locally <= MOST_APART_LOCALLY else 0.0

    return similarity
