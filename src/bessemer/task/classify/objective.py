"""Telling classes apart."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


class Classify:
    """Classification into `classes` classes; logits (B, K), labels int64 (B,) or soft targets float (B, K)."""

    def __init__(self, classes: int) -> None:
        self.classes = classes

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropy in nats, a mean over the batch, in float32."""
        return F.cross_entropy(outputs.float(), targets)

    def losses(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The loss of each sample (B,), in nats and float32; their mean is `loss`."""
        return F.cross_entropy(outputs.float(), targets, reduction="none")

    def soft_targets(self, targets: Tensor) -> Tensor:
        """Labels as rows of probabilities; rows pass unchanged."""
        if targets.is_floating_point():
            return targets
        return F.one_hot(targets, self.classes).to(torch.float32)
