"""CutMix (Yun et al., "CutMix: regularization strategy to train strong classifiers", 2019).

A rectangle of each image is replaced by that of its neighbor in a group of fixed size, the same one in a group, so
the result does not depend on how a batch is spread over processes. The pixels stay 8-bit.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from bessemer import draws
from bessemer.data.dataset import Batch
from bessemer.errors import UsageError
from bessemer.train.methods import Method
from bessemer.train.methods.technique import SoftTargets

Box = tuple[int, int, int, int]


def cutmix(images: Tensor, targets: Tensor, box: Box) -> tuple[Tensor, Tensor]:
    """Paste a rectangle of the next sample into each of images (B, H, W, C); mix soft targets (B, K) by its area.

    `box` is top, bottom, left and right in pixels, ends excluded. The weight of the neighbor's label is the share
    of pixels that were pasted.
    """
    top, bottom, left, right = box
    cut = images.clone()
    cut[:, top:bottom, left:right] = images.roll(1, 0)[:, top:bottom, left:right]
    share = (bottom - top) * (right - left) / (images.shape[1] * images.shape[2])
    return cut, (1 - share) * targets + share * targets.roll(1, 0)


def choose_box(height: int, width: int, share: float, y: float, x: float) -> Box:
    """The rectangle of `share` of the area, in the image's shape, about (y, x) in [0, 1), cut off at the edges."""
    side = np.sqrt(share) / 2
    ends = (y - side) * height, (y + side) * height, (x - side) * width, (x + side) * width
    top, bottom, left, right = (round(float(end)) for end in ends)
    return max(top, 0), min(bottom, height), max(left, 0), min(right, width)


class CutMix(Method):
    """Cuts and pastes in every group of `group` samples; the area is drawn from Beta(alpha, alpha)."""

    name = "cutmix"

    def __init__(self, alpha: float, task: SoftTargets, group: int, seed: int) -> None:
        self.alpha = alpha
        self.task = task
        self.group = group
        self.seed = seed

    def batch(self, batch: Batch) -> Batch:
        if batch.inputs.ndim != 4:
            raise UsageError("cutmix pastes parts of images, and these are not images", "set train.cutmix to 0")
        targets = self.task.soft_targets(batch.targets)
        height, width = batch.inputs.shape[1:3]
        images, soft = [], []
        for start in range(0, len(targets), self.group):
            part = slice(start, start + self.group)
            box = self._box(batch.step, (batch.first + start) // self.group, height, width)
            cut = cutmix(batch.inputs[part], targets[part], box)
            images.append(cut[0])
            soft.append(cut[1])
        return replace(batch, inputs=torch.cat(images), targets=torch.cat(soft))

    def _box(self, step: int, group: int, height: int, width: int) -> Box:
        generator = draws.generator(draws.Stream.CUTMIX, self.seed, step, group)
        share = 1 - float(generator.beta(self.alpha, self.alpha))
        return choose_box(height, width, share, float(generator.random()), float(generator.random()))
