"""Augmentation of image batches: one warp, then blur, colors, noise and erasing, all on 8 bits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bessemer.data.config import AugmentConfig
from bessemer.data.image.color import recolors, values
from bessemer.data.image.warp import draw, matrices, moves, pixels_of, resamples, shift_and_flip, warp
from bessemer.draws import U64


def is_identity(config: AugmentConfig) -> bool:
    """Whether these settings leave every image as it is."""
    return not moves(config) and not recolors(config)


def augment(
    images: NDArray[np.uint8], config: AugmentConfig, ids: U64, epochs: NDArray[np.int64], seed: int
) -> NDArray[np.uint8]:
    """Augment a batch of 8-bit images (B, H, W, C); the result has the same shape and type.

    `ids` (B,) and `epochs` (B,) choose the changes. The images themselves are never written to; they are
    returned where the settings change nothing.
    """
    if moves(config):
        changed = _move(images, config, ids, epochs, seed)
    elif recolors(config):
        changed = images.copy()
    else:
        return images
    if recolors(config):
        values(changed, config, ids, epochs, seed)
    return changed


def _move(
    images: NDArray[np.uint8], config: AugmentConfig, ids: U64, epochs: NDArray[np.int64], seed: int
) -> NDArray[np.uint8]:
    height, width = images.shape[1:3]
    draws = draw(config, ids, epochs, seed, (height, width))
    if not resamples(config):
        return shift_and_flip(images, draws, pixels_of(config.crop, height, width), config.border)
    return warp(images, matrices(draws, height, width), config.border)
