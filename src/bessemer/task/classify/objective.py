"""Telling classes apart."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from bessemer.data.stream import IGNORED


class Classify:
    """Classification into `classes` classes; logits (B, K), labels int64 (B,) or soft targets float (B, K).

    Samples without a label, which is IGNORED or a row of zeros, count for nothing.
    """

    def __init__(self, classes: int) -> None:
        self.classes = classes

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropy in nats, a mean over the samples that have a label, in float32."""
        mean = F.cross_entropy(outputs.float(), targets)
        # Torch divides by all rows where they are shares of classes, those without a label too.
        return mean * (len(targets) / self.count(targets)) if targets.is_floating_point() else mean

    def count(self, targets: Tensor) -> Tensor:
        """How many samples of a batch have a label, a scalar."""
        return (has_share(targets) if targets.is_floating_point() else targets != IGNORED).sum()

    def losses(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The loss of each sample (B,), in nats and float32, 0 of one without a label."""
        return F.cross_entropy(outputs.float(), targets, reduction="none")

    def soft_targets(self, targets: Tensor) -> Tensor:
        """Labels as rows of probabilities, zeros of a sample without one; rows pass unchanged."""
        if targets.is_floating_point():
            return targets
        missing = targets == IGNORED
        rows = F.one_hot(targets.masked_fill(missing, 0), self.classes).to(torch.float32)
        return rows.masked_fill(missing[:, None], 0.0)


def has_share(rows: Tensor) -> Tensor:
    """Which rows (B, K) of shares of classes say anything: (B,) of bool."""
    return (rows != 0).any(1)
