"""Augmentation on one thread: one composed warp, the same changes one after another, torch, and albumentations."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from typing import Any

import cv2
import numpy as np
import torch
from tables import table
from torch.nn import functional as F

from bessemer.data.config import AugmentConfig
from bessemer.data.image.augment import augment
from bessemer.data.image.warp import BORDERS, Draws, draw, matrices
from bessemer.runtime import available_threads

PEER = "albumentations==2.0.8"
BATCH = 64
Images = np.ndarray[Any, Any]


def bench_augment() -> None:
    """Crop, flip, rotation and scaling of whole batches, choices included; ratios are to the first row."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    for side, channels in ((28, 1), (32, 3), (224, 3)):
        images = photograph(side, channels)
        peers = peer_runners(images)
        if not peers:
            print(f"\nalbumentations: not measured: pip install {PEER}")
        table(f"augment: {title(side, channels)}", {**peers, **own_runners(images)}, BATCH, seconds=15)
    torch.set_num_threads(available_threads())
    cv2.setNumThreads(threads)


def title(side: int, channels: int) -> str:
    """What is measured."""
    return f"{BATCH} images of {side}x{side}x{channels}, crop, flip, rotation and scaling, one thread"


def photograph(side: int, channels: int) -> Images:
    """Smooth random pictures uint8 (B, side, side, C)."""
    generator = np.random.default_rng(0)
    coarse = generator.integers(0, 256, (BATCH, 9, 9, channels), np.uint8)
    resized = [cv2.resize(image, (side, side), interpolation=cv2.INTER_CUBIC) for image in coarse]
    return np.stack(resized).reshape(BATCH, side, side, channels)


def own_runners(images: Images) -> dict[str, Callable[[], object]]:
    """Ours, and the same changes done otherwise."""
    side = images.shape[1]
    config = AugmentConfig(crop=side // 14, flip="horizontal", rotate=15, scale=[0.8, 1.2])
    shifted = AugmentConfig(crop=side // 14, flip="horizontal")
    ids, epochs = np.arange(BATCH, dtype=np.uint64), np.zeros(BATCH, np.int64)
    draws = draw(config, ids, epochs, 0, (side, side))
    return {
        "OpenCV, four passes": partial(four_passes, images, draws),
        "torch grid_sample, one pass": partial(by_grid_sample, images, matrices(draws, side, side)),
        "bessemer, one composed warp": partial(augment, images, config, ids, epochs, 0),
        "bessemer, crop and flip only": partial(augment, images, shifted, ids, epochs, 0),
    }


# --- albumentations ---------------------------------------------------------------------------------------


def peer_runners(images: Images) -> dict[str, Callable[[], object]]:
    """The peer's pipelines: an operation for each change, as its users write it, and its own single warp."""
    try:
        import albumentations as A
    except ImportError:
        return {}
    side = images.shape[1]
    shift = side // 14
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # ShiftScaleRotate calls itself a special case of Affine
        pipelines = {
            "Pad, RandomCrop, HorizontalFlip, ShiftScaleRotate": [
                A.Pad(padding=shift),
                A.RandomCrop(side, side),
                A.HorizontalFlip(p=0.5),
                A.ShiftScaleRotate(
                    shift_limit=0, scale_limit=0.2, rotate_limit=15, border_mode=cv2.BORDER_CONSTANT, p=1
                ),
            ],
            "Affine, HorizontalFlip": [
                A.Affine(
                    scale=(0.8, 1.2),
                    rotate=(-15, 15),
                    translate_px={"x": (-shift, shift), "y": (-shift, shift)},
                    p=1,
                ),
                A.HorizontalFlip(p=0.5),
            ],
        }
        composed = {name: A.Compose(steps, seed=0) for name, steps in pipelines.items()}
    found = version("albumentations")
    return {
        f"albumentations {found}: {name}": partial(one_by_one, made, images) for name, made in composed.items()
    }


def one_by_one(pipeline: Callable[..., dict[str, Any]], images: Images) -> list[Any]:
    """Each image through a pipeline."""
    return [pipeline(image=image)["image"] for image in images]


# --- the same changes otherwise ---------------------------------------------------------------------------


def four_passes(images: Images, draws: Draws) -> list[Any]:
    """Zoom, turn, mirror and shift, each resampled on its own."""
    side = images.shape[1]
    center, flags = ((side - 1) / 2, (side - 1) / 2), cv2.INTER_LINEAR
    out = []
    for i, image in enumerate(images):
        for angle, zoom in ((0.0, draws.zoom[i]), (np.rad2deg(draws.angle[i]), 1.0)):
            matrix = cv2.getRotationMatrix2D(center, float(angle), float(zoom))
            image = cv2.warpAffine(image, matrix, (side, side), flags=flags, borderMode=BORDERS["zero"])
        if draws.mirror_x[i] < 0:
            image = cv2.flip(image, 1)
        shift = np.array([[1, 0, draws.shift_x[i]], [0, 1, draws.shift_y[i]]])
        out.append(cv2.warpAffine(image, shift, (side, side), flags=flags, borderMode=BORDERS["zero"]))
    return out


def by_grid_sample(images: Images, inverse: Images) -> torch.Tensor:
    """The same matrices through torch."""
    x = torch.from_numpy(images).permute(0, 3, 1, 2).float()
    theta = torch.from_numpy(inverse).float().clone()
    theta[:, :, 2] = 0
    grid = F.affine_grid(theta, list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, align_corners=False).round().to(torch.uint8)
