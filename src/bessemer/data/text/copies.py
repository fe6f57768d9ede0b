"""Which texts may be near copies, and the check that decides.

Near copies share a whole band of their MinHash (Leskovec, Rajaraman and Ullman, "Mining of massive datasets",
chapter 3); whether they count is decided by the exact Jaccard similarity of their texts.
"""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray

from bessemer.data.copies import I64, Payload, blocks, gather, places
from bessemer.data.text.signature import PERMUTATIONS, jaccard, minhashes, same_but_for_marks, words
from bessemer.draws import U64, mix

RECALL = 0.995  # of pairs of texts right at the wanted similarity
SURE = 4.0  # standard deviations of the estimate below the limit from where a pair of texts is not looked at
SHORT = 20  # words
CACHED_BYTES = 16 << 20  # of texts


def banding(similarity: float) -> tuple[int, int]:
    """Number of bands and of MinHashes in each: the longest bands that find RECALL of pairs at this similarity.

    Two texts of similarity s agree in at least one of b bands of r numbers with probability 1 - (1 - s^r)^b.
    """
    for size in range(PERMUTATIONS, 1, -1):
        if 1 - (1 - similarity**size) ** (PERMUTATIONS // size) >= RECALL:
            return PERMUTATIONS // size, size
    return PERMUTATIONS, 1


class TextSearch:
    """Bands of MinHash, then exact Jaccard similarity.

    Punctuation doesn't count for it, so texts of fewer than 20 words must in addition be equal but for case,
    white space and marks of sentences: where little is said, an operator or a number is what it is about.
    """

    crowd = 512

    def __init__(self, signatures: U64, heads: I64, payload: Payload, least: float) -> None:
        self.signatures, self.heads, self.payload, self.least = signatures, heads, payload, least
        self.turns, self.size = banding(least)
        self.doubtful = least - SURE * float(np.sqrt(least * (1 - least) / PERMUTATIONS)) - 1e-9
        self.place = places(heads, len(signatures))
        self.texts: OrderedDict[int, str] = OrderedDict()
        self.held = 0

    def keys(self, turn: int) -> U64:
        """A hash of one band."""
        keys = np.empty(len(self.heads), np.uint64)
        for start, some in blocks(self.signatures):
            place = self.place[start : start + len(some)]
            band = minhashes(some[place >= 0])[:, turn * self.size : (turn + 1) * self.size]
            key = np.zeros(len(band), np.uint64)
            for column in band.T:
                key = mix(key ^ (column + np.uint64(0x9E3779B97F4A7C15)))
            keys[place[place >= 0]] = key
        return keys

    def likely(self, one: I64, other: I64) -> NDArray[np.bool_]:
        """Pairs whose estimated similarity is not far below the limit."""
        left, right = (minhashes(gather(self.signatures, self.heads[rows])) for rows in (one, other))
        return np.asarray((left == right).mean(axis=1) >= self.doubtful)

    def similarity(self, one: int, other: int) -> float:
        """Exact Jaccard similarity of the word 5-grams."""
        left, right = self.text(one), self.text(other)
        found = jaccard(left, right)
        if found < self.least:
            return 0.0
        short = min(len(words(left)), len(words(right))) < SHORT
        return 0.0 if short and not same_but_for_marks(left, right) else found

    def text(self, head: int) -> str:
        """A text; the last ones that were asked for are kept."""
        if head in self.texts:
            self.texts.move_to_end(head)
            return self.texts[head]
        text = self.texts[head] = self.payload(int(self.heads[head])).decode("utf-8")
        self.held += len(text)
        while self.held > CACHED_BYTES and len(self.texts) > 1:
            self.held -= len(self.texts.popitem(last=False)[1])
        return text
