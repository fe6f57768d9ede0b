"""What is learned: from a batch to a loss, from outputs to decisions."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class Task(Protocol):
    """What training needs to know of a task: how far outputs are from a batch's targets."""

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The loss of a batch, a mean in nats and float32."""

    def losses(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The loss of each sample (B,), in nats and float32."""
