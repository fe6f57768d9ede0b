"""Crop, flip, rotation and scaling, composed into one affine matrix per image and resampled once.

Doing them one after another resamples, and so blurs, up to four times, and costs four passes. Here each is a
3x3 matrix, their product is one matrix, and OpenCV warps each 8-bit image once. Every random number is a pure
function of (seed, epoch, sample id).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from bessemer.data.config import AugmentConfig
from bessemer.data.order import U64, uniform

BORDERS = {"zero": cv2.BORDER_CONSTANT, "edge": cv2.BORDER_REPLICATE, "reflect": cv2.BORDER_REFLECT_101}
_STREAMS = {"x": 1, "y": 2, "flip_x": 3, "flip_y": 4, "angle": 5, "zoom": 6}


@dataclass(frozen=True)
class Draws:
    """The random choices for B images: shifts in pixels, mirroring as ±1, angle in radians, zoom."""

    shift_x: NDArray[np.float64]
    shift_y: NDArray[np.float64]
    mirror_x: NDArray[np.float64]
    mirror_y: NDArray[np.float64]
    angle: NDArray[np.float64]
    zoom: NDArray[np.float64]


def draw(config: AugmentConfig, ids: U64, epochs: NDArray[np.int64], seed: int) -> Draws:
    """Choose each image's change from (seed, epoch, sample id)."""
    numbers = {name: np.empty(len(ids)) for name in _STREAMS}
    for epoch in np.unique(epochs):
        here = epochs == epoch
        for name, stream in _STREAMS.items():
            numbers[name][here] = uniform(ids[here], seed, int(epoch), stream)
    steps = 2 * config.crop + 1
    low, high = config.scale
    half = np.full(len(ids), 0.5)
    return Draws(
        shift_x=np.floor(numbers["x"] * steps) - config.crop,
        shift_y=np.floor(numbers["y"] * steps) - config.crop,
        mirror_x=np.where((numbers["flip_x"] < half) & (config.flip in ("horizontal", "both")), -1.0, 1.0),
        mirror_y=np.where((numbers["flip_y"] < half) & (config.flip in ("vertical", "both")), -1.0, 1.0),
        angle=np.deg2rad((2 * numbers["angle"] - 1) * config.rotate),
        zoom=np.exp(np.log(low) + numbers["zoom"] * (np.log(high) - np.log(low))),
    )


def matrices(draws: Draws, height: int, width: int) -> NDArray[np.float64]:
    """Matrices (B, 2, 3) that take a pixel of the result to its place in the source.

    The result is the source mirrored, zoomed and turned about its center, then shifted.
    """
    center_x, center_y = (width - 1) / 2, (height - 1) / 2
    cos, sin = np.cos(draws.angle) / draws.zoom, np.sin(draws.angle) / draws.zoom
    # Inverse of (shift * turn * zoom * mirror): unshift, turn back, unzoom, mirror.
    out = np.empty((len(cos), 2, 3))
    out[:, 0, 0], out[:, 0, 1] = draws.mirror_x * cos, draws.mirror_x * sin
    out[:, 1, 0], out[:, 1, 1] = draws.mirror_y * -sin, draws.mirror_y * cos
    from_x, from_y = center_x + draws.shift_x, center_y + draws.shift_y
    out[:, 0, 2] = center_x - out[:, 0, 0] * from_x - out[:, 0, 1] * from_y
    out[:, 1, 2] = center_y - out[:, 1, 0] * from_x - out[:, 1, 1] * from_y
    return out


def warp(images: NDArray[np.uint8], inverse: NDArray[np.float64], border: str) -> NDArray[np.uint8]:
    """Resample images (B, H, W, C) once, bilinearly, through matrices (B, 2, 3) from result to source."""
    height, width = images.shape[1:3]
    out = np.empty_like(images)
    flags, fill = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, BORDERS[border]
    for image, matrix, target in zip(images, inverse, out, strict=True):
        warped = cv2.warpAffine(image, matrix, (width, height), flags=flags, borderMode=fill)
        target[...] = warped.reshape(target.shape)
    return out


def is_identity(config: AugmentConfig) -> bool:
    """Whether these settings leave every image as it is."""
    still = config.crop == 0 and config.flip == "none" and config.rotate == 0
    return still and config.scale == [1.0, 1.0]


def augment(
    images: NDArray[np.uint8], config: AugmentConfig, ids: U64, epochs: NDArray[np.int64], seed: int
) -> NDArray[np.uint8]:
    """Augment a batch of 8-bit images (B, H, W, C); the result has the same shape and type."""
    if is_identity(config):
        return images
    inverse = matrices(draw(config, ids, epochs, seed), *images.shape[1:3])
    return warp(images, inverse, config.border)
