"""Numbers in their own unit, learned in units of their spread."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


class Regress:
    """Squared error of outputs (B, K), in the unit of the targets, over the deviation `std` (K,) of each target.

    So a loss of 1 is that of always saying the mean, and a learning rate suits targets of any unit. Targets are
    float32 (B, K), or (B,) where there is one.
    """

    def __init__(self, std: Sequence[float]) -> None:
        self.std = torch.tensor(std, dtype=torch.float32)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The mean over the batch and targets, in float32."""
        return self.losses(outputs, targets).mean()

    def losses(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The loss of each sample (B,), a mean over targets, in float32."""
        error = outputs.float() - targets.float().reshape(outputs.shape)
        return (error / self.std.to(outputs.device)).square().mean(1)

    def taught(self, student: Tensor, teacher: Tensor) -> Tensor:
        """The loss against a teacher's outputs (B, K): the same squared error, these have no noise."""
        return self.loss(student, teacher)
