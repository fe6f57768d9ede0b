"""Short signatures of images, so that near copies can be found without comparing all with all.

The perceptual hash, 64 bits of the sign of low frequencies (Zauner, "Implementation and benchmarking of perceptual
image hash functions", 2010), and 8x8 means, which tell most pairs of different images with equal hashes apart.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

HASH_SIDE, HASH_LOW = 32, 8
COARSE = 8


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
