"""Lines that stand in many documents: licence headers, navigation, signatures.

They are found in one streaming pass whose memory doesn't grow: a count-min sketch (Cormode and Muthukrishnan, "An
improved data stream summary", 2005) counts in how many documents each line stands, and the lines that may reach
the share are kept as candidates. The sketch never counts too little, so no line is missed. It counts too much
by at most e/2^20 of all lines with certainty 98%: 26 documents for ten million lines.

A line is dropped only where it says nothing of the class. A second sketch counts lines by class, and a chi-squared
test of independence, with Cramér's V (Cramér, "Mathematical methods of statistics", 1946) for its size, decides.
Numbers count as one class where they agree in three digits.

Lines are compared as in CCNet (Wenzek et al., 2020): case folded, digits alike, spaces collapsed; a hash of
64 bits stands for each.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
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
TELLING, BY_CHANCE = 0.1, 0.01  # least Cramér's V, and most probability by chance, of a line that tells the class

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
    """Counts in how many documents each line stands, in 34 MB whatever the number of documents."""

    def __init__(self, share: float) -> None:
        self.share = share
        self.documents = 0
        self._counts = np.zeros((DEPTH, WIDTH), np.uint32)
        self._in_class = np.zeros((DEPTH, WIDTH), np.uint32)
        self._classes: Counter[int] = Counter()  # documents of each
        self._candidates: set[int] = set()
        self._waiting: list[U64] = []
        self._waiting_in_class: list[U64] = []
        self._size = 0

    def add(self, hashes: U64, label: int = 0) -> None:
        """Count one document's distinct lines; `label` is the hash of its class."""
        self.documents += 1
        self._classes[label] += 1
        self._waiting.append(hashes)
        self._waiting_in_class.append(mix(hashes ^ np.uint64(label)))
        self._size += len(hashes)
        if self._size >= AT_ONCE:
            self._count()

    def repeated(self) -> tuple[list[int], int]:
        """Lines in at least `share` of the documents, and in at least 10.

        Returns the hashes of those that say nothing of the class, sorted, and how many others tell it.
        """
        self._count()
        frequent = sorted(self._candidates)
        kept = [line for line in frequent if not self._tells(line)]
        return kept, len(frequent) - len(kept)

    def _tells(self, line: int) -> bool:
        """Whether a line stands in some classes clearly more often than in others."""
        if len(self._classes) < 2:
            return False
        from scipy.stats import chi2

        documents = np.array(list(self._classes.values()), np.float64)
        labels = np.array(list(self._classes), np.uint64)
        places = _places(mix(np.uint64(line) ^ labels))
        found = np.minimum.reduce([row[place] for row, place in zip(self._in_class, places, strict=True)])
        found = np.minimum(found, documents)
        share = found.sum() / documents.sum()
        if not 0 < share < 1:
            return False
        squares = float((np.square(found - share * documents) / documents).sum() / (share * (1 - share)))
        by_chance = float(chi2.sf(squares, len(documents) - 1))
        return bool(np.sqrt(squares / documents.sum()) >= TELLING and by_chance < BY_CHANCE)

    def _count(self) -> None:
        if not self._waiting:
            return
        _add(self._in_class, np.concatenate(self._waiting_in_class))
        hashes = _add(self._counts, np.concatenate(self._waiting))
        self._waiting, self._waiting_in_class, self._size = [], [], 0
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


def label_hash(label: str) -> int:
    """64 bits of a label; numbers that agree in three digits have the same."""
    try:
        label = f"{float(label):.2e}"
    except ValueError:
        label = f"class {label}"  # no number
    return int.from_bytes(hashlib.blake2b(label.encode("utf-8", "replace"), digest_size=8).digest(), "little")


def _add(counts: NDArray[np.uint32], hashes: U64) -> U64:
    """Count hashes in a sketch; returns the distinct ones."""
    distinct, times = np.unique(hashes, return_counts=True)
    for row, places in zip(counts, _places(distinct), strict=True):
        np.add.at(row, places, times.astype(np.uint32))
    return distinct


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
