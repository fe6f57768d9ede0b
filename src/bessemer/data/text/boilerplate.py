"""Lines that stand in many documents: licence headers, navigation, signatures.

They are found in one streaming pass whose memory doesn't grow: a count-min sketch (Cormode and Muthukrishnan, "An
improved data stream summary", 2005) counts in how many documents each line stands, and the lines that may reach
the share are kept as candidates. The sketch never counts too little, so no line is missed. It counts too much
by at most e/2^20 of all lines with certainty 98%: 26 documents for ten million lines.

Lines are compared as in CCNet (Wenzek et al., 2020): case folded, digits alike, spaces collapsed; a hash of
64 bits stands for each.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from bessemer.draws import U64, mix

SHORTEST = 20  # characters of a line that is looked at
ALONE = 40  # characters and
WORDS = 5  # words that a line needs to be dropped on its own: `import unittest` tells the class
RUN = 3  # lines that follow each other are dropped together even where each is shorter
FEWEST = 10  # documents
DEPTH, WIDTH = 4, 2**20
MOST_CANDIDATES = 200_000
AT_ONCE = 200_000  # hashes counted in one step

_DIGITS, _SPACES = re.compile(r"\d"), re.compile(r"\s+")


def line_hash(line: str) -> int | None:
    """64 bits that are alike for lines alike but for case, digits and spaces; None for short ones."""
    plain = _SPACES.sub(" ", line.strip())
    if len(plain) < SHORTEST or not any(map(str.isalpha, plain)):
        return None
    plain = _DIGITS.sub("0", plain.casefold())
    return int.from_bytes(hashlib.blake2b(plain.encode("utf-8", "replace"), digest_size=8).digest(), "little")


def line_hashes(text: str) -> U64:
    """Hashes of a document's distinct lines, sorted."""
    found = {line_hash(line) for line in text.split("\n")} - {None}
    return np.array(sorted(h for h in found if h is not None), np.uint64)


class LineCounter:
    """Counts in how many documents each line stands, in 17 MB whatever the number of documents."""

    def __init__(self, share: float) -> None:
        self.share = share
        self.documents = 0
        self._counts = np.zeros((DEPTH, WIDTH), np.uint32)
        self._candidates: set[int] = set()
        self._waiting: list[U64] = []
        self._size = 0

    def add(self, hashes: U64) -> None:
        """Count one document's distinct lines."""
        self.documents += 1
        self._waiting.append(hashes)
        self._size += len(hashes)
        if self._size >= AT_ONCE:
            self._count()

    def repeated(self) -> list[int]:
        """Hashes of the lines in at least `share` of the documents, and in at least 10, sorted."""
        self._count()
        return sorted(self._candidates)

    def _count(self) -> None:
        if not self._waiting:
            return
        hashes, times = np.unique(np.concatenate(self._waiting), return_counts=True)
        self._waiting, self._size = [], 0
        for row, places in zip(self._counts, _places(hashes), strict=True):
            np.add.at(row, places, times.astype(np.uint32))
        # A line that reaches the share in the end reaches it where it last occurs, so one look there finds it.
        known = np.array(sorted(self._candidates), np.uint64)
        hashes = np.union1d(hashes, known)
        self._candidates = set(hashes[self._estimates(hashes) >= self._bound()].tolist())
        if len(self._candidates) > MOST_CANDIDATES:
            self._candidates = self._commonest()

    def _bound(self) -> float:
        return max(FEWEST, self.share * self.documents)

    def _estimates(self, hashes: U64) -> NDArray[np.uint32]:
        rows = [row[places] for row, places in zip(self._counts, _places(hashes), strict=True)]
        least: NDArray[np.uint32] = np.minimum.reduce(rows)
        return least

    def _commonest(self) -> set[int]:
        hashes = np.array(sorted(self._candidates), np.uint64)
        order = np.argsort(-self._estimates(hashes).astype(np.int64), kind="stable")
        return set(hashes[order[:MOST_CANDIDATES]].tolist())


def _places(hashes: U64) -> list[NDArray[np.int64]]:
    """Where each hash is counted in each row of the sketch."""
    return [(mix(hashes ^ np.uint64(row + 1)) % np.uint64(WIDTH)).astype(np.int64) for row in range(DEPTH)]


def drop_lines(text: str, repeated: frozenset[int]) -> str:
    """The text without repeated lines that are long, or that follow each other (blank lines may stand between)."""
    if not repeated:
        return text
    lines = text.split("\n")
    known = [line_hash(line) in repeated for line in lines]
    dropped = {i for i, line in enumerate(lines) if known[i] and len(line.strip()) >= ALONE and _is_prose(line)}
    for run in _runs(lines, known):
        dropped.update(run)
    return "\n".join(line for i, line in enumerate(lines) if i not in dropped)


def _is_prose(line: str) -> bool:
    return len(line.split()) >= WORDS


def _runs(lines: list[str], known: list[bool]) -> Iterable[list[int]]:
    run: list[int] = []
    for i, line in enumerate([*lines, "."]):
        if i < len(lines) and known[i]:
            run.append(i)
        elif line.strip():
            if len(run) >= RUN:
                yield run
            run = []
