"""Which images may be near copies, and the check that decides.

Near copies agree in two of a few parts of their perceptual hash (Norouzi, Punjani and Fleet, "Fast search in
Hamming space with multi-index hashing", 2012); whether they count is decided by their pixels.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bessemer.data.copies import I64, Payload, blocks, gather, places
from bessemer.data.image.signature import COARSE, coarse, thumbnail
from bessemer.draws import U64

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
