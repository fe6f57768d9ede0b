"""Short signatures of texts, so that near copies can be found without comparing all with all.

MinHash over word 5-grams (Broder, "On the resemblance and containment of documents", 1997); the share of equal
numbers in two signatures estimates the Jaccard similarity of the two sets of 5-grams.
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

PERMUTATIONS = 128
GRAM = 5  # words
SEED = 20_971
WORD = re.compile(r"\w+")
# Scripts that set no spaces between words (Thai, Lao, Burmese, Khmer, kana, Han): each character counts as a word.
UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
UNSPACED_WORD = re.compile(rf"[{UNSPACED}]|[^\W{UNSPACED}]+")
# Words and symbols, but not the marks of sentences and quotes that a copy of a short text may lack or have.
TOKEN = re.compile(r"\w+|[^\w\s.,;:!?…'\"`´‘’‚“”„«»‒–—]")


def text_signature(text: str) -> NDArray[np.uint64]:
    """MinHash of a text: 128 numbers of 32 bits, packed as uint64 (64,). Case and punctuation don't count."""
    from rensa import RMinHash

    sketch = RMinHash(num_perm=PERMUTATIONS, seed=SEED)
    sketch.update(grams(text))
    return np.array(sketch.digest(), np.uint32).view(np.uint64)


def words(text: str) -> list[str]:
    """The words of a text, case aside."""
    folded = text.casefold()
    return (WORD if text.isascii() else UNSPACED_WORD).findall(folded)


def grams(text: str) -> list[str]:
    """The word 5-grams of a text; a shorter text is one gram, one without words its characters."""
    found = words(text)
    if not found:
        return ["".join(text.split())]
    return [" ".join(found[i : i + GRAM]) for i in range(max(1, len(found) - GRAM + 1))]


def jaccard(one: str, other: str) -> float:
    """Exact Jaccard similarity of two texts' sets of word 5-grams."""
    left, right = set(grams(one)), set(grams(other))
    return len(left & right) / len(left | right)


def same_but_for_marks(one: str, other: str) -> bool:
    """Whether two texts are equal, or differ in case, white space, quotes and marks of sentences alone."""
    return TOKEN.findall(one.casefold()) == TOKEN.findall(other.casefold())


def minhashes(signatures: NDArray[np.uint64]) -> NDArray[np.uint32]:
    """The numbers (..., 128) of packed signatures (..., 64)."""
    return np.ascontiguousarray(signatures).view(np.uint32)
