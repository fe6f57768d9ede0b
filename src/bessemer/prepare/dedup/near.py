"""Which rows may be near copies, and the check that decides.

Near copies of text share a whole band of their MinHash (Leskovec, Rajaraman and Ullman, "Mining of massive
datasets", chapter 3); whether they count is decided by the exact Jaccard similarity of their texts. Near copies of
images agree in two of a few parts of their perceptual hash (Norouzi, Punjani and Fleet, "Fast search in Hamming
space with multi-index hashing", 2012); whether they count is decided by their pixels.
"""

from __future__ import annotations

import mmap
from collections import OrderedDict
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import combinations
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bessemer.data.order import U64, mix
from bessemer.data.signature import (
    COARSE,
    PERMUTATIONS,
    coarse,
    jaccard,
    minhashes,
    same_but_for_marks,
    thumbnail,
    words,
)

I64 = NDArray[np.int64]
Payload = Callable[[int], bytes]

BLOCK = 8192  # signatures that are read in one go, in their order
SCATTERED = 16  # the same, from all over
RECALL = 0.995  # of pairs of texts right at the wanted similarity
SURE = 4.0  # standard deviations of the estimate below the limit from where a pair of texts is not looked at
SHORT = 20  # words
CACHED_BYTES = 16 << 20  # of texts
CACHED_IMAGES = 1024
PAIRED_PARTS = 9  # bits of distance up to which two parts of the hash make a key
THUMBNAIL = 32
ROUNDING = 1 / 255
SMALL = 128  # pixels of the shorter side; in larger images a shift of an edge counts less
# Of two images, see `picture_difference`: overall, at worst, overall in shares of the contrast. Small, simple
# pictures of different things are very alike (two shirts of Fashion-MNIST), so little may differ there.
LIMITS_SMALL, LIMITS_LARGE = (0.06, 0.09, 0.25), (0.07, 0.20, 0.40)
MOST_BRIGHTER = 0.25  # of the full range
LEAST_GAIN = 0.5


class Search(Protocol):
    """How near copies of one kind of data are met and judged. Rows are given as numbers of representatives."""

    turns: int  # each with keys of its own
    crowd: int  # in buckets of more rows not all are compared with all

    def keys(self, turn: int) -> U64:
        """A number for each representative; rows with equal numbers are candidates."""
        ...

    def likely(self, one: I64, other: I64) -> NDArray[np.bool_]:
        """Which pairs may be copies, by their signatures."""
        ...

    def similarity(self, one: int, other: int) -> float:
        """Similarity of a pair by its payloads, 0 where they are no copies."""
        ...


def blocks(signatures: U64) -> Iterator[tuple[int, U64]]:
    """(first row, rows) one block after the other; what a memory map holds is given back after each."""
    for start in range(0, len(signatures), BLOCK):
        yield start, np.array(signatures[start : start + BLOCK])
        release(signatures)


def gather(signatures: U64, rows: I64) -> U64:
    """Some rows in any order. A page that is read brings its neighbors along, so they are few at a time."""
    out = np.empty((len(rows), signatures.shape[1]), np.uint64)
    for start in range(0, len(rows), SCATTERED):
        out[start : start + SCATTERED] = signatures[rows[start : start + SCATTERED]]
        release(signatures)
    return out


def release(array: U64) -> None:
    """Let go of the pages that a read-only memory map has read, which would count as this process's memory."""
    base: object = array
    while isinstance(base, np.ndarray):
        base = base.base
    if isinstance(base, mmap.mmap) and not array.flags.writeable and hasattr(mmap, "MADV_DONTNEED"):
        base.madvise(mmap.MADV_DONTNEED)


def places(heads: I64, rows: int) -> I64:
    """The number of each row among the representatives `heads`, -1 for the others."""
    place = np.full(rows, -1, np.int64)
    place[heads] = np.arange(len(heads))
    return place


# --- texts ----------------------------------------------------------------------------------------------


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


# --- images ---------------------------------------------------------------------------------------------


class ImageSearch:
    """Parts of the perceptual hash, then its distance and the 8x8 means, then the pixels.

    The 64 bits are cut into `most + 2` parts. Hashes that differ in at most `most` bits agree in two parts or
    more, so each choice of two is a key (of 21 bits for a distance of 4). From a distance of 10 on one of
    `most + 1` parts is a key.
    """

    crowd = 4096

    def __init__(
        self, signatures: U64, heads: I64, payload: Payload, shape: tuple[int, int, int], most: int
    ) -> None:
        self.signatures, self.heads, self.most = signatures, heads, most
        self.hashes = np.empty(len(heads), np.uint64)
        place = places(heads, len(signatures))
        for start, some in blocks(signatures):
            here = place[start : start + len(some)]
            self.hashes[here[here >= 0]] = some[here >= 0, 0]
        self.masks = part_masks(most, 2 if most <= PAIRED_PARTS else 1)
        self.turns = len(self.masks)
        small = min(shape[:2]) < SMALL
        self.limits = LIMITS_SMALL if small else LIMITS_LARGE
        self.coarse_is_mean = min(shape[:2]) >= COARSE
        self.image = lru_cache(CACHED_IMAGES)(
            lambda head: Picture(np.frombuffer(payload(int(heads[head])), np.uint8).reshape(shape))
        )

    def keys(self, turn: int) -> U64:
        """The bits of the chosen parts."""
        return self.hashes & self.masks[turn]

    def likely(self, one: I64, other: I64) -> NDArray[np.bool_]:
        """Pairs whose hashes are near, and whose means don't differ more than any copies' can."""
        near = np.asarray(np.bitwise_count(self.hashes[one] ^ self.hashes[other]) <= self.most)
        if self.coarse_is_mean and near.any():
            left, right = (coarse(gather(self.signatures, self.heads[rows[near]])) for rows in (one, other))
            near[near] = coarse_difference(left, right) <= self.limits[0] + ROUNDING
        return near

    def similarity(self, one: int, other: int) -> float:
        """1 less the overall difference, where no difference is beyond its limit."""
        left, right = self.image(one), self.image(other)
        if abs(left.mean - right.mean) > MOST_BRIGHTER or overall_difference(left, right) > self.limits[0]:
            return 0.0
        found = picture_difference(left, right)
        return 1 - found[0] if all(map(float.__le__, found, self.limits)) else 0.0


def part_masks(most: int, equal: int) -> list[np.uint64]:
    """Each choice of `equal` of the `most + equal` parts of 64 bits, as a mask."""
    parts = np.array_split(np.arange(64), most + equal)
    return [
        np.uint64(sum(1 << int(bit) for bits in chosen for bit in bits)) for chosen in combinations(parts, equal)
    ]


class Picture:
    """What is compared of an image (H, W, C): means in [0, 1] over areas, at most 32 a side, less their mean."""

    def __init__(self, pixels: NDArray[np.uint8]) -> None:
        height, width = (min(side, THUMBNAIL) for side in pixels.shape[:2])
        small = thumbnail(pixels, height, width) / np.float32(255)
        self.mean = float(small.mean())
        self.values = small - np.float32(self.mean)
        self.power = float((self.values**2).mean())


def overall_difference(one: Picture, other: Picture) -> float:
    """Root of the mean square of the difference, brightness and contrast aside, in shares of the full range."""
    strong, faint = (one, other) if one.power >= other.power else (other, one)
    product = float(np.vdot(one.values, other.values)) / one.values.size
    gain = float(gains(strong.power, product))
    return float(np.sqrt(max(0.0, gain**2 * strong.power - 2 * gain * product + faint.power)))


def picture_difference(one: Picture, other: Picture) -> tuple[float, float, float]:
    """How far two small pictures of one shape are apart, brightness and contrast aside; the same for (other, one).

    Overall, as above; at worst (largest mean over 3x3 pixels, which a small print on one of two equal shirts makes
    large), in shares of the full range; and overall in shares of the fainter picture's standard deviation.
    """
    import cv2

    strong, faint = (one, other) if one.power >= other.power else (other, one)
    product = float(np.vdot(one.values, other.values)) / one.values.size
    apart = strong.values * np.float32(gains(strong.power, product)) - faint.values
    local = cv2.blur(apart, (3, 3), borderType=cv2.BORDER_REFLECT)
    overall = float(np.sqrt((apart**2).mean()))
    return overall, float(np.abs(local).max()), overall / max(float(np.sqrt(faint.power)), 1e-6)


def coarse_difference(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float64]:
    """Overall difference of 8x8 means (N, 64) in shares of the full range; at most that of the pictures."""
    left, right = (means - means.mean(axis=1, keepdims=True) for means in (one, other))
    swap = ((left**2).mean(axis=1) < (right**2).mean(axis=1))[:, None]
    left, right = np.where(swap, right, left), np.where(swap, left, right)
    gain = gains((left**2).mean(axis=1), (left * right).mean(axis=1))
    return np.asarray(np.sqrt(((left * gain[:, None] - right) ** 2).mean(axis=1)) / 255)


def gains(power: Any, product: Any) -> Any:
    """What the stronger picture is multiplied with to meet the other, by least squares, within limits."""
    return np.clip(product / np.maximum(power, 1e-12), LEAST_GAIN, 1.0)
