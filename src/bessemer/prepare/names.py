"""Parts of one scene, recording or work by how files are named: `scene03_01.png`, `scene03_02.png`; `a_part1.txt`.

A name gives up to three stems, from fine to coarse, as numbers are taken off its end (`p12_3_07`: p12_3, p12, p);
the folder that a file stands in, its class aside, is the coarsest. Which of them stand for what belongs together
is decided by class and with care: the coarsest by which the class can still be split, and whose numbers follow
each other in most groups, as those of parts do. A stem that more than a third of a class shares is one for all.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bessemer.data.names import batches_of
from bessemer.draws import U64, mix

STEMS = 3
FOLDER, WHOLE = STEMS, STEMS + 1  # the columns of the folder's key and of that of the whole name
LARGEST, FEWEST, LEAST = 1 / 3, 4, 8  # share of a class in one group; groups of a class; rows of a class
DENSE = 0.8  # share of the rows in groups whose numbers follow each other, from which no finer stem is looked at
SPARSE = 2  # times as many numbers as there are rows may lie between the first and the last
RECURRING = 0.1  # share of the names that stand in several classes, from which names are those of a class
STEPPED = 4  # numbers from which they may follow in steps
PART = (
    "part parts pt p page pg seg segment chunk frame fr f slice take view v crop clip shot track no nr image copy"
)
WORD = PART.replace(" ", "|")
NUMBER = re.compile(rf"^(.*?)(?:[\s_.\-]+(?:{WORD}))?[\s_.\-]*[(\[]?(\d{{1,9}})[)\]]?$", re.IGNORECASE)
SIDES = ("left", "right", "front", "back", "top", "bottom", "side")
SIDE = re.compile(rf"^(.*?)(?:[\s_.\-]+({'|'.join(SIDES)}|[a-h])|(?<=\d)([a-d]))$", re.IGNORECASE)


def stems_of(name: str) -> list[tuple[str, int]]:
    """(stem, number of the part) of a file's name without suffix, from fine to coarse, where it has a stem."""
    found: list[tuple[str, int]] = []
    while len(found) < STEMS:
        if match := NUMBER.match(name):
            name, number = match[1], int(match[2])
        elif match := SIDE.match(name):
            side = (match[2] or match[3]).lower()
            name, number = match[1], SIDES.index(side) if side in SIDES else ord(side)
        else:
            break
        name = name.rstrip(" _.-([")
        if not name:
            break
        found.append((name, number))
    return found


def name_keys(path: Path, rows: NDArray[np.int64]) -> tuple[U64, NDArray[np.int64]]:
    """Keys of stems, folder and name of `rows` (N, 5) of a table of rows, and the numbers of parts (N, 3).

    A key is 0 where a row is no whole file or has no stem. A coarser stem that a name lacks is its coarsest.
    """
    keys, numbers = np.zeros((len(rows), WHOLE + 1), np.uint64), np.zeros((len(rows), STEMS), np.int64)
    with pa.memory_map(str(path)) as source:
        for batch in batches_of(source):
            first = batch.column("row")[0].as_py() if batch.num_rows else 0
            begin, end = np.searchsorted(rows, [first, first + batch.num_rows])
            columns = (batch.column(name) for name in ("origin", "place", "label"))
            lines = list(zip(*(column.to_pylist() for column in columns), strict=True))
            for place, row in enumerate((rows[begin:end] - first).tolist(), int(begin)):
                origin, part, label = lines[row]
                if not part:
                    _fill(keys[place], numbers[place], origin, label)
    return keys, numbers


def _fill(keys: U64, numbers: NDArray[np.int64], origin: str, label: str | None) -> None:
    *folders, file = origin.replace("!", "/").split("/")
    folder = "/".join(name for name in folders if name != label)
    stem = file.rpartition(".")[0] or file
    keys[FOLDER], keys[WHOLE] = _key(folder), _key(f"{folder}/{stem}")
    found = stems_of(stem)
    for level in range(STEMS if found else 0):
        coarse, number = found[min(level, len(found) - 1)]
        keys[level], numbers[level] = _key(f"{folder}/{coarse}"), number


def _key(text: str) -> int:
    digest = blake2b(text.casefold().encode(errors="surrogateescape"), digest_size=8).digest()
    return int.from_bytes(digest, "little") | 1


def groups_by_name(keys: U64, numbers: NDArray[np.int64], labels: NDArray[np.int32]) -> U64:
    """For each row the key of its group (N,), 0 where it stands alone; `labels` (N,) are classes."""
    if _recur(keys[:, WHOLE], labels):
        own = mix(keys ^ mix(labels.astype(np.int64).view(np.uint64) + np.uint64(1))[:, None])
        keys = np.where(keys != 0, own | np.uint64(1), keys)
    groups = np.zeros(len(keys), np.uint64)
    shared = [_shared(keys[:, level]) for level in range(FOLDER + 1)]
    dense = [are_dense(keys[:, level], numbers[:, level]) for level in range(STEMS)]
    dense.append(np.ones(len(keys), bool))  # no numbers are asked of folders
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        best, most = np.zeros(len(rows), np.uint64), 0
        for level in (FOLDER, *reversed(range(STEMS))):
            several = shared[level][rows]
            some = _without_large(np.where(several & dense[level][rows], keys[rows, level], 0))
            follow = some != 0
            if len(rows) < LEAST or not follow.any() or not leaves_enough(some, LARGEST):
                continue
            if follow.sum() > most:
                best, most = some, int(follow.sum())
            if follow.sum() >= DENSE * several.sum():
                best = some
                break
        groups[rows] = _with_finer(best, keys[rows, :STEMS], np.stack(dense[:STEMS], axis=1)[rows])
    return groups


def _with_finer(groups: U64, keys: U64, dense: NDArray[np.bool_]) -> U64:
    """The groups of a class, and finer ones for the rows that stand alone by them."""
    if not groups.any():
        return groups
    for level in reversed(range(STEMS)):
        more = _without_large(np.where((groups == 0) & dense[:, level], keys[:, level], groups))
        groups = more if leaves_enough(more, LARGEST) else groups
    return groups


def _without_large(keys: U64) -> U64:
    """The keys of a class, 0 for those of a group that is too large for one: the stem is one for all."""
    _, member, counts = np.unique(keys, return_inverse=True, return_counts=True)
    return np.where(counts[member] > LARGEST * len(keys), np.uint64(0), keys)


def _recur(names: U64, labels: NDArray[np.int32]) -> bool:
    """Whether classes use the same names: `ill/scene1_01` and `well/scene1_01` are of two scenes."""
    pairs = np.unique(np.stack([names, labels.astype(np.uint64)], axis=1)[names != 0], axis=0)
    _, counts = np.unique(pairs[:, 0], return_counts=True)
    return bool(counts[counts > 1].sum() > RECURRING * max(1, len(pairs)))


def _shared(keys: U64) -> NDArray[np.bool_]:
    """Which rows share their key with another."""
    _, member, counts = np.unique(keys, return_inverse=True, return_counts=True)
    return np.asarray((counts[member] > 1) & (keys != 0))


def leaves_enough(keys: U64, largest: float) -> bool:
    """Whether the groups of a class (N,), 0 standing alone, can be split, none having more than a share of it."""
    named, counts = np.unique(keys[keys != 0], return_counts=True)
    units = len(named) + int((keys == 0).sum())
    return units >= FEWEST and bool((counts <= largest * len(keys)).all())


def are_dense(keys: U64, numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
    """For each row whether the different numbers in its group follow each other, with gaps, or in steps."""
    dense = np.zeros(len(keys), bool)
    if not len(keys):
        return dense
    order = np.lexsort((numbers, keys))
    key, number = keys[order], numbers[order]
    new = np.r_[True, (key[1:] != key[:-1]) | (number[1:] != number[:-1])]
    key, number = key[new], number[new]
    starts = np.flatnonzero(np.r_[True, key[1:] != key[:-1]])
    ends = np.r_[starts[1:], len(key)] - 1
    count = ends - starts + 1
    gaps = np.diff(number, prepend=0)
    gaps[starts] = 0
    step = np.maximum(np.gcd.reduceat(gaps, starts), 1)
    span = (number[ends] - number[starts]) // np.where(count >= STEPPED, step, 1) + 1
    fits = (count > 1) & (span <= SPARSE * count)
    dense[:] = fits[np.searchsorted(key[starts], keys)]
    return dense
