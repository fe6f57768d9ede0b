"""Short signatures of texts and images, so that near copies can be found without comparing all with all.

Texts: MinHash over word 5-grams (Broder, "On the resemblance and containment of documents", 1997); the share of
equal numbers in two signatures estimates the Jaccard similarity of the two sets of 5-grams. Images: the perceptual
hash, 64 bits of the sign of low frequencies (Zauner, "Implementation and benchmarking of perceptual image hash
functions", 2010), and 8x8 means, which tell most pairs of different images with equal hashes apart.
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

PERMUTATIONS = 128
GRAM = 5  # words
SEED = 20_971
HASH_SIDE, HASH_LOW = 32, 8
COARSE = 8
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


def image_signature(pixels: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Perceptual hash of an image (H, W, C) and its 8x8 means: uint64 (9,)."""
    import cv2

    small = cv2.resize(gray(pixels).astype(np.float32), (HASH_SIDE, HASH_SIDE), interpolation=cv2.INTER_AREA)
    low = cv2.dct(small)[:HASH_LOW, :HASH_LOW].ravel()
    bits = np.packbits(low > np.median(low))
    means = thumbnail(pixels, COARSE, COARSE).mean(axis=2).round().astype(np.uint8)
    return np.concatenate([bits, means.ravel()]).view(np.uint64)


def coarse(signatures: NDArray[np.uint64]) -> NDArray[np.float32]:
    """The means (N, 64) of signatures of images (N, 9)."""
    return np.ascontiguousarray(signatures[:, 1:]).view(np.uint8).astype(np.float32)


def gray(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """An image (H, W, C) in gray (H, W)."""
    import cv2

    if pixels.shape[2] == 1:
        return pixels[..., 0]
    flat: NDArray[np.uint8] = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    return flat


def thumbnail(pixels: NDArray[np.uint8], height: int, width: int) -> NDArray[np.float32]:
    """Means of an image (H, W, C) over areas: float32 (height, width, C)."""
    import cv2

    small = cv2.resize(pixels.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32).reshape(height, width, -1)
