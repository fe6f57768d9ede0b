"""Texts that share long passages, such as two editions of one work, found without comparing all with all.

Hashes of all windows of WINDOW characters are sampled by their value, so that equal passages give equal samples
(Manber, "Finding similar files in a large file system", 1994). A window that stands in many texts is a form, not a
passage, and tells nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from bessemer.data.copies import I64
from bessemer.draws import U64, mix

WINDOW = 64  # characters, case, marks and white space aside
EVERY = 32  # of so many windows one is sampled, or of more where there is much text
MOST = 2_000_000  # samples that are held
COMMON = 20  # texts that share a window from which it says nothing
LEAST, SHARE = 8, 0.25  # windows that two texts share, at least; and their share of the shorter one's
BASE = np.uint64(0x9E3779B97F4A7C15)
APART = re.compile(rb"[^0-9a-z\x80-\xff]+")


def share_passages(texts: Iterable[bytes], size: int) -> I64:
    """Pairs (P, 2) of places of UTF-8 texts that share long passages; `size` is their bytes in all, about."""
    every = max(EVERY, -(-size // MOST))
    samples, owners, counts = [], [], []
    for place, text in enumerate(texts):
        found = sampled(text, every)
        samples.append(found)
        owners.append(np.full(len(found), place, np.int32))
        counts.append(len(found))
    if not sum(counts):
        return np.empty((0, 2), np.int64)
    return _pairs(np.concatenate(samples), np.concatenate(owners), np.array(counts))


def sampled(text: bytes, every: int) -> U64:
    """The different sampled hashes of a text's windows, ascending."""
    letters = np.frombuffer(APART.sub(b"", text.lower()), np.uint8)
    if len(letters) < WINDOW:
        return np.empty(0, np.uint64)
    hashes = windows(letters)
    return np.unique(hashes[hashes < np.uint64((1 << 64) // every)])


def windows(letters: NDArray[np.uint8]) -> U64:
    """A hash of each window of WINDOW bytes, of a polynomial modulo 2^64."""
    values = mix(np.arange(256, dtype=np.uint64))[letters]
    with np.errstate(over="ignore"):
        width, power = 1, BASE
        while width < WINDOW:  # by doubling: the hash of 2w bytes from two of w bytes
            values = values[:-width] * power + values[width:]
            power, width = power * power, 2 * width
    return mix(values)


def _pairs(samples: U64, owners: NDArray[np.int32], counts: NDArray[np.int64]) -> I64:
    order = np.argsort(samples, kind="stable")
    samples, owners = samples[order], owners[order].astype(np.int64)
    starts = np.flatnonzero(np.r_[True, samples[1:] != samples[:-1]])
    sizes = np.diff(starts, append=len(samples))
    told = (sizes > 1) & (sizes <= COMMON)
    first = np.repeat(owners[starts], sizes)
    member = np.repeat(told, sizes) & (owners != first)
    code, shared = np.unique(first[member] * len(counts) + owners[member], return_counts=True)
    pairs = np.stack([code // len(counts), code % len(counts)], axis=1)
    shorter = counts[pairs].min(axis=1) if len(pairs) else np.empty(0)
    return pairs[(shared >= LEAST) & (shared >= SHARE * shorter)]
