"""Simple features of images: pixels, in the scale that a linear model wants."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bessemer.data.features import BLOCK, Features, Transform

MAX_VALUES = 1024  # of an image: larger ones are averaged down


def centered_pixels(images: Any) -> tuple[Features, Transform]:
    """Pixels less their mean over the training samples, and the same of others; images uint8 (N, H, W, C)."""
    pixels = image_features(images)
    mean = pixels.mean(0)
    pixels -= mean
    return pixels, lambda others: image_features(others) - mean


def image_features(images: Any) -> NDArray[np.float32]:
    """Pixels float32 (N, D) from 0 to 1; images of more than 1,024 values are averaged down to fewer.

    `images`: uint8 (N, H, W, C), an array or anything that is read by slices; only a block is held at a time.
    """
    height, width, channels = images[0].shape
    size = _small_enough(height, width, channels)
    out = np.empty((len(images), size[0] * size[1] * channels), np.float32)
    for start in range(0, len(images), BLOCK):
        block = np.asarray(images[start : start + BLOCK])
        if size != (height, width):
            block = np.stack([_averaged(image, size) for image in block])
        out[start : start + len(block)] = block.reshape(len(block), -1)
    out /= 255
    return out


def _small_enough(height: int, width: int, channels: int) -> tuple[int, int]:
    """Sides of the same shape, of an image with at most `MAX_VALUES` values."""
    shrink = min(1.0, (MAX_VALUES / (height * width * channels)) ** 0.5)
    short, long = sorted((height, width))
    less = max(1, int(short * shrink))
    more = max(1, min(int(long * shrink), MAX_VALUES // (less * channels)))
    return (less, more) if height <= width else (more, less)


def _averaged(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.float32]:
    import cv2

    small = cv2.resize(image.astype(np.float32), size[::-1], interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32).reshape(*size, -1)
