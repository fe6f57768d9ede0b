"""Short signatures of texts and images, so that near copies can be found without comparing all with all.

Texts: MinHash over word 5-grams (Broder, "On the resemblance and containment of documents", 1997); the share of
equal numbers in two signatures estimates the Jaccard similarity of the two sets of 5-grams. Images: the perceptual hash,
64 bits of the sign of low frequencies (Zauner, "Implementation and benchmarking of perceptual image hash
functions", 2010). Near copies differ in few of them.
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

PERMUTATIONS = 126  # 18 bands of 7, see bessemer.data.dedup.search
GRAM = 5  # words
SEED = 20_971
HASH_SIDE, HASH_LOW = 32, 8
THUMBNAIL = 32
WORD = re.compile(r"\w+")


def text_signature(text: str) -> NDArray[np.uint64]:
    """MinHash of a text: 126 numbers of 32 bits, packed as uint64 (63,). Case and punctuation don't count."""
    from rensa import RMinHash

    sketch = RMinHash(num_perm=PERMUTATIONS, seed=SEED)
    sketch.update(grams(text))
    return np.array(sketch.digest(), np.uint32).view(np.uint64)


def grams(text: str) -> list[str]:
    """The word 5-grams of a text, lower case; a shorter text is one gram, one without words its characters."""
    words = WORD.findall(text.casefold())
    if not words:
        return ["".join(text.split())]
    return [" ".join(words[i : i + GRAM]) for i in range(max(1, len(words) - GRAM + 1))]


def jaccard(one: str, other: str) -> float:
    """Exact Jaccard similarity of two texts' sets of word 5-grams."""
    left, right = set(grams(one)), set(grams(other))
    return len(left & right) / len(left | right)


def minhashes(signatures: NDArray[np.uint64]) -> NDArray[np.uint32]:
    """The numbers (..., 126) of packed signatures (..., 63)."""
    return np.ascontiguousarray(signatures).view(np.uint32)


def image_signature(pixels: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Perceptual hash of an image (H, W, C): uint64 (1,)."""
    import cv2

    small = cv2.resize(gray(pixels).astype(np.float32), (HASH_SIDE, HASH_SIDE), interpolation=cv2.INTER_AREA)
    low = cv2.dct(small)[:HASH_LOW, :HASH_LOW].ravel()
    bits = low > np.median(low)
    return np.packbits(bits).view(np.uint64)


def gray(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """An image (H, W, C) in gray (H, W)."""
    import cv2

    if pixels.shape[2] == 1:
        return pixels[..., 0]
    flat: NDArray[np.uint8] = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    return flat


def picture_difference(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> tuple[float, float]:
    """How far two images (H, W, C) of one size are apart, brightness and contrast aside: (overall, at worst).

    Both in shares of the full range, on gray thumbnails of at most 32 pixels a side: the root of the mean square,
    and the largest mean over 3x3 pixels, which a small print on one of two equal shirts makes large.
    """
    import cv2

    left, right = (_thumbnail(image) for image in (one, other))
    spread = left.var()
    gain = ((left - left.mean()) * (right - right.mean())).mean() / spread if spread > 0 else 1.0
    gain = min(max(float(gain), 0.5), 2.0)
    apart = (left - left.mean()) * gain - (right - right.mean())
    local = cv2.blur(apart, (3, 3), borderType=cv2.BORDER_REFLECT)
    scale = 255 * max(1.0, gain)
    return float(np.sqrt((apart**2).mean())) / scale, float(np.abs(local).max()) / scale


def _thumbnail(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    import cv2

    flat = gray(pixels).astype(np.float32)
    height, width = (min(side, THUMBNAIL) for side in flat.shape)
    small: NDArray[np.float32] = cv2.resize(flat, (width, height), interpolation=cv2.INTER_AREA)
    return small
