"""Label smoothing (Szegedy et al., "Rethinking the Inception architecture", 2016)."""

from __future__ import annotations

import math
from dataclasses import replace

from torch import Tensor

from bessemer.data.dataset import Batch
from bessemer.train.methods import Method
from bessemer.train.methods.technique import SoftTargets


def label_smoothing(targets: Tensor, smoothing: float) -> Tensor:
    """Soft targets (B, K) moved towards the uniform: (1 − smoothing)·t + smoothing / K; rows of zeros stay so."""
    uniform = (targets != 0).any(1, keepdim=True) * (smoothing / targets.shape[1])
    return targets * (1 - smoothing) + uniform


def smoothed_entropy(smoothing: float, classes: int) -> float:
    """The cross-entropy in nats of the best answer to a smoothed label: the entropy of the label itself."""
    other = smoothing / classes
    shares = [1 - smoothing + other, *[other] * (classes - 1)]
    return -sum(share * math.log(share) for share in shares if share)


class LabelSmoothing(Method):
    """Smooths every batch's targets."""

    name = "label_smoothing"

    def __init__(self, smoothing: float, task: SoftTargets) -> None:
        self.smoothing = smoothing
        self.task = task

    def batch(self, batch: Batch) -> Batch:
        soft = self.task.soft_targets(batch.targets)
        self.floor = smoothed_entropy(self.smoothing, soft.shape[1])
        return replace(batch, targets=label_smoothing(soft, self.smoothing))
