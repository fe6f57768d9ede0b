"""Changes of pixel values: blur, brightness, contrast and saturation in one pass, noise, erasing.

All work in place on 8-bit images (B, H, W, C) with one or three channels.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from bessemer.data.augment.chance import keys, rectangles, uniforms
from bessemer.data.config import AugmentConfig
from bessemer.draws import GOLDEN, U64, mix

LUMA = np.array([0.299, 0.587, 0.114])  # weights of red, green and blue in gray (ITU-R BT.601)
ERASED_AREA, ERASED_STRETCH = (0.02, 0.33), 1 / 0.3
SMALLEST_SIGMA = 0.2  # a narrower blur moves less than one gray level in 255
_COLOR, _BLUR, _NOISE, _ERASE = (12, 13, 14), (15,), (16,), (17, 18, 19, 20, 21)

Images = NDArray[np.uint8]


def recolors(config: AugmentConfig) -> bool:
    """Whether pixel values may change."""
    return _tints(config) or config.blur > 0 or config.noise > 0 or config.erase > 0


def _tints(config: AugmentConfig) -> bool:
    return config.brightness > 0 or config.contrast > 0 or config.saturation > 0


def values(images: Images, config: AugmentConfig, ids: U64, epochs: NDArray[np.int64], seed: int) -> None:
    """Change the values of images (B, H, W, C) in place as the settings ask for."""
    if config.blur > 0:
        blur(images, config.blur * uniforms(ids, epochs, seed, _BLUR)[0])
    if _tints(config):
        b, c, s = 2 * uniforms(ids, epochs, seed, _COLOR) - 1
        tint(images, 255 * config.brightness * b, 1 + config.contrast * c, 1 + config.saturation * s)
    if config.noise > 0:
        even = evenly_filled(images)
        before = images[even]
        add_noise(images, config.noise, keys(ids, epochs, seed, _NOISE)[0])
        images[even] = before
    if config.erase > 0:
        chance, area, shape, x, y = uniforms(ids, epochs, seed, _ERASE)
        low, high = ERASED_AREA
        boxes = rectangles(low + area * (high - low), shape, (x, y), ERASED_STRETCH)
        erase(images, boxes, chance < config.erase)


def blur(images: Images, sigmas: NDArray[np.float64]) -> None:
    """Gaussian blur with a standard deviation of so many pixels (B,), cut off at three of them."""
    for image, sigma in zip(images, sigmas, strict=True):
        if sigma >= SMALLEST_SIGMA:
            cv2.GaussianBlur(image, (0, 0), float(sigma), dst=image)


def tint(
    images: Images,
    brightness: NDArray[np.float64],
    contrast: NDArray[np.float64],
    saturation: NDArray[np.float64],
) -> None:
    """Saturation, then contrast, then brightness, as one map of colors.

    With luma Y, its mean m over the image, and (B,) factors s and c and gray levels b:
    c · (s·x + (1 − s)·Y) + (1 − c)·m + b.
    """
    weights = LUMA if images.shape[3] == 3 else np.ones(1)
    means = np.array([cv2.mean(image) for image in images]).reshape(-1, 4)[:, : len(weights)] @ weights
    offsets = (1 - contrast) * means + brightness
    if len(weights) == 1:
        tables = np.rint(contrast[:, None] * np.arange(256) + offsets[:, None]).clip(0, 255).astype(np.uint8)
        for image, table in zip(images, tables, strict=True):
            cv2.LUT(image, table, dst=image)
        return
    own = saturation[:, None, None] * np.eye(3)
    gray = (1 - saturation)[:, None, None] * np.tile(LUMA, (3, 1))
    linear = contrast[:, None, None] * (own + gray)
    maps = np.concatenate([linear, np.repeat(offsets[:, None, None], 3, 1)], 2)
    for image, color_map in zip(images, maps, strict=True):
        cv2.transform(image, color_map, dst=image)


def add_noise(images: Images, sigma: float, seeds: U64) -> None:
    """Add independent Gaussian noise of `sigma` gray levels, cut off at 2.9 sigma; `seeds` (B,) choose it.

    The bits are those of SplitMix64 (Steele, Lea and Flood, 2014), eight to a value, which has 256 levels then.
    """
    count = int(np.prod(images.shape[1:]))
    with np.errstate(over="ignore"):
        steps = np.arange(-(-count // 8), dtype=np.uint64) * GOLDEN
    levels = _normal_levels(sigma)
    for image, seed in zip(images, seeds, strict=True):
        with np.errstate(over="ignore"):
            bits = mix(steps + seed).astype("<u8", copy=False)
        noise = cv2.LUT(bits.view(np.uint8)[:count].reshape(image.shape), levels)
        cv2.add(image, noise.reshape(image.shape), dst=image, dtype=cv2.CV_8U)


def evenly_filled(images: Images) -> NDArray[np.bool_]:
    """Pixels (B, H, W) that are as all around them: the ground of drawings and scans, digital black.

    It is as even in images that nothing changed, so no noise may lie on it in training alone.
    """
    out = np.empty(images.shape[:3], bool)
    around = np.ones((3, 3), np.uint8)
    for image, even in zip(images, out, strict=True):
        spread = cv2.morphologyEx(image, cv2.MORPH_GRADIENT, around).reshape(image.shape)
        np.equal(spread.max(2), 0, out=even)
    return out


@lru_cache(maxsize=8)
def _normal_levels(sigma: float) -> NDArray[np.int16]:
    """Noise (256,) for each byte: the middles of 256 equally likely parts of a normal distribution."""
    quantiles = ndtri((np.arange(256) + 0.5) / 256)
    levels: NDArray[np.int16] = np.rint(sigma * quantiles / quantiles.std()).astype(np.int16)
    return levels


def erase(images: Images, boxes: NDArray[np.float64], chosen: NDArray[np.bool_]) -> None:
    """Overwrite a rectangle with the image's mean (Zhong et al., "Random erasing data augmentation", 2020).

    `boxes` (B, 4) are left, top, width and height as shares of the sides; `chosen` (B,) says where to do it.
    """
    height, width = images.shape[1:3]
    start = np.rint(boxes[:, :2] * (width, height)).astype(int)
    stop = np.maximum(np.rint((boxes[:, :2] + boxes[:, 2:]) * (width, height)).astype(int), start + 1)
    for number in np.flatnonzero(chosen):
        image, (left, top), (right, bottom) = images[number], start[number], stop[number]
        image[top:bottom, left:right] = round(float(np.mean(cv2.mean(image)[: image.shape[2]])))
