"""Mixup (Zhang et al., "mixup: beyond empirical risk minimization", 2018).

Each sample is mixed with its neighbor in a group of fixed size, with one weight a group, so the result does
not depend on how a batch is spread over processes.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from bessemer import draws
from bessemer.data.dataset import Batch
from bessemer.train.methods import Method
from bessemer.train.methods.technique import SoftTargets


def mixup(images: Tensor, targets: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Mix images (B, ...) and soft targets (B, K) with the next sample of the batch: w·x + (1 − w)·x'.

    `weights` (B,) in [0, 1].
    """
    images = images.to(torch.float32)
    shaped = weights.reshape(-1, *[1] * (images.ndim - 1))
    mixed = shaped * images + (1 - shaped) * images.roll(1, 0)
    return mixed, weights[:, None] * targets + (1 - weights[:, None]) * targets.roll(1, 0)


class Mixup(Method):
    """Mixes every group of `group` samples, its weight drawn from Beta(alpha, alpha) by (seed, step, group)."""

    name = "mixup"

    def __init__(self, alpha: float, task: SoftTargets, group: int, seed: int) -> None:
        self.alpha = alpha
        self.task = task
        self.group = group
        self.seed = seed

    def batch(self, batch: Batch) -> Batch:
        targets = self.task.soft_targets(batch.targets)
        images, soft = [], []
        for start in range(0, len(targets), self.group):
            part = slice(start, start + self.group)
            weight = self._weight(batch.step, (batch.first + start) // self.group)
            weights = torch.full((len(targets[part]),), weight, device=targets.device)
            mixed = mixup(batch.inputs[part], targets[part], weights)
            images.append(mixed[0])
            soft.append(mixed[1])
        return replace(batch, inputs=torch.cat(images), targets=torch.cat(soft))

    def _weight(self, step: int, group: int) -> float:
        generator = draws.generator(draws.Stream.MIXUP, self.seed, step, group)
        return float(generator.beta(self.alpha, self.alpha))
