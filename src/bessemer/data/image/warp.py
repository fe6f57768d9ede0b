"""Crop, resized crop, flip, rotation, scaling and shear as one affine matrix per image, resampled once.

Doing them one after another resamples, and so blurs, up to six times, and costs six passes. Here each is a 3x3
matrix, their product is one matrix, and OpenCV warps each 8-bit image once. Shifts and flips alone need no
resampling: they are copied.

OpenCV 5 warps images of three channels three times slower than of four, so color images pass through four: the
values are the same to the bit.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from bessemer.data.augment.chance import rectangles, uniforms
from bessemer.data.config import AugmentConfig
from bessemer.draws import U64

BORDERS = {"zero": cv2.BORDER_CONSTANT, "edge": cv2.BORDER_REPLICATE, "reflect": cv2.BORDER_REFLECT_101}
_STREAMS = {"x": 1, "y": 2, "flip_x": 3, "flip_y": 4, "angle": 5, "zoom": 6, "slant": 7}
_WINDOW_STREAMS = (8, 9, 10, 11)
MOST_STRETCH = 4 / 3  # of a resized crop, as in Szegedy et al., "Going deeper with convolutions", 2015


@dataclass(frozen=True)
class Draws:
    """The random choices for B images: shifts in pixels, mirroring as ±1, angle in radians, zoom, slant, window.

    `slant` is the tangent of the shear's angle; `window` (B, 4) is the part that is cut out and enlarged: left,
    top, width and height as shares of the image's sides, None for all of it.
    """

    shift_x: NDArray[np.float64]
    shift_y: NDArray[np.float64]
    mirror_x: NDArray[np.float64]
    mirror_y: NDArray[np.float64]
    angle: NDArray[np.float64]
    zoom: NDArray[np.float64]
    slant: NDArray[np.float64]
    window: NDArray[np.float64] | None = None


def moves(config: AugmentConfig) -> bool:
    """Whether pixels may move at all."""
    return config.crop > 0 or config.flip != "none" or resamples(config)


def resamples(config: AugmentConfig) -> bool:
    """Whether pixels may move by other than whole steps."""
    still = config.rotate == 0 and config.shear == 0
    return not (still and config.scale == [1.0, 1.0] and config.resized_crop == [1.0, 1.0])


def pixels_of(crop: float, height: int, width: int) -> int:
    """The largest shift in pixels that `augment.crop` asks for in images of this size."""
    return round(crop if crop >= 1 else crop * min(height, width))


def draw(config: AugmentConfig, ids: U64, epochs: NDArray[np.int64], seed: int, size: tuple[int, int]) -> Draws:
    """Choose the change of each image of this height and width from (seed, epoch, sample id)."""
    numbers = dict(zip(_STREAMS, uniforms(ids, epochs, seed, list(_STREAMS.values())), strict=True))
    most = pixels_of(config.crop, *size)
    low, high = config.scale
    return Draws(
        shift_x=np.floor(numbers["x"] * (2 * most + 1)) - most,
        shift_y=np.floor(numbers["y"] * (2 * most + 1)) - most,
        mirror_x=np.where((numbers["flip_x"] < 0.5) & (config.flip in ("horizontal", "both")), -1.0, 1.0),
        mirror_y=np.where((numbers["flip_y"] < 0.5) & (config.flip in ("vertical", "both")), -1.0, 1.0),
        angle=np.deg2rad((2 * numbers["angle"] - 1) * config.rotate),
        zoom=np.exp(np.log(low) + numbers["zoom"] * (np.log(high) - np.log(low))),
        slant=np.tan(np.deg2rad((2 * numbers["slant"] - 1) * config.shear)),
        window=_draw_window(config, ids, epochs, seed),
    )


def _draw_window(
    config: AugmentConfig, ids: U64, epochs: NDArray[np.int64], seed: int
) -> NDArray[np.float64] | None:
    low, high = config.resized_crop
    if low == 1.0:
        return None
    area, shape, x, y = uniforms(ids, epochs, seed, _WINDOW_STREAMS)
    return rectangles(low + area * (high - low), shape, (x, y), MOST_STRETCH)


def matrices(draws: Draws, height: int, width: int) -> NDArray[np.float64]:
    """Matrices (B, 2, 3) that take a pixel of the result to its place in the source.

    The result is a window of the source, enlarged to full size, then mirrored, slanted, zoomed and turned about
    its center, then shifted.
    """
    center_x, center_y = (width - 1) / 2, (height - 1) / 2
    cos, sin = np.cos(draws.angle) / draws.zoom, np.sin(draws.angle) / draws.zoom
    # Inverse of (shift * turn * zoom * slant * mirror): unshift, turn back, unzoom, straighten, mirror.
    out = np.empty((len(cos), 2, 3))
    out[:, 0, 0] = draws.mirror_x * (cos + draws.slant * sin)
    out[:, 0, 1] = draws.mirror_x * (sin - draws.slant * cos)
    out[:, 1, 0], out[:, 1, 1] = draws.mirror_y * -sin, draws.mirror_y * cos
    from_x, from_y = center_x + draws.shift_x, center_y + draws.shift_y
    out[:, 0, 2] = center_x - out[:, 0, 0] * from_x - out[:, 0, 1] * from_y
    out[:, 1, 2] = center_y - out[:, 1, 0] * from_x - out[:, 1, 1] * from_y
    if draws.window is not None:
        corner, share = draws.window[:, :2], draws.window[:, 2:]
        out *= share[:, :, None]
        # Pixel i covers i to i + 1: its middle, not its corner, is what the window scales.
        out[:, :, 2] += corner * (width, height) + share / 2 - 0.5
    return out


def warp(images: NDArray[np.uint8], inverse: NDArray[np.float64], border: str) -> NDArray[np.uint8]:
    """Resample images (B, H, W, C) once, bilinearly, through matrices (B, 2, 3) from result to source."""
    height, width, channels = images.shape[1:]
    out = np.empty_like(images)
    how = {"flags": cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, "borderMode": BORDERS[border]}
    if channels != 3:
        for image, matrix, target in zip(images, inverse, out, strict=True):
            cv2.warpAffine(image, matrix, (width, height), dst=target, **how)
        return out
    wide, warped = (np.empty((height, width, 4), np.uint8) for _ in range(2))
    for image, matrix, target in zip(images, inverse, out, strict=True):
        cv2.cvtColor(image, cv2.COLOR_RGB2RGBA, dst=wide)
        cv2.warpAffine(wide, matrix, (width, height), dst=warped, **how)
        cv2.cvtColor(warped, cv2.COLOR_RGBA2RGB, dst=target)
    return out


def shift_and_flip(images: NDArray[np.uint8], draws: Draws, most: int, border: str) -> NDArray[np.uint8]:
    """Mirror images (B, H, W, C) and shift them by whole pixels, `most` at most: what `warp` gives, by copying."""
    height, width = images.shape[1:3]
    out = np.empty_like(images)
    lefts = most - (draws.shift_x * draws.mirror_x).astype(int)
    tops = most - (draws.shift_y * draws.mirror_y).astype(int)
    flips = np.select(
        [(draws.mirror_x < 0) & (draws.mirror_y < 0), draws.mirror_x < 0, draws.mirror_y < 0], [-1, 1, 0], 9
    )
    for image, left, top, flip, target in zip(images, lefts, tops, flips, out, strict=True):
        padded = cv2.copyMakeBorder(image, most, most, most, most, BORDERS[border])
        part = padded[top : top + height, left : left + width].reshape(target.shape)
        if flip == 9:
            target[...] = part
        else:
            cv2.flip(part, int(flip), dst=target)
    return out
