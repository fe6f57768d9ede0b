"""Selective back-propagation (Jiang et al., "Accelerating deep learning by focusing on the biggest losers", 2019).

A look without gradients at a batch finds the samples with the largest losses; only those are learned from. Where a
backward pass costs twice a forward pass, half of the samples cost two thirds of the time. As in Composer, the
look is taken in a middle stretch of the run: early all samples teach, and in the end the data should be whole.

Samples compete within blocks of q ghost groups, from which p groups are made (`keep` is p / q). So whole ghost
groups remain, and the choice does not depend on the number of processes. The look is taken in evaluation mode:
dropout has no part in it, and it moves no statistics.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import torch
from torch import Tensor, nn

from bessemer.data.dataset import Batch
from bessemer.errors import UsageError
from bessemer.model.modes import evaluating
from bessemer.task.task import Objective
from bessemer.train.methods import Method
from bessemer.train.methods.selective import SelectiveConfig


def select_hardest(losses: Tensor, keep: int, block: int) -> Tensor:
    """Places (B · keep / block,) of the `keep` largest of each `block` losses of (B,), in ascending order.

    Of equal losses the first stays. B must be a multiple of `block`.
    """
    order = losses.reshape(-1, block).argsort(dim=1, descending=True, stable=True)
    chosen = order[:, :keep].sort(1).values
    starts = torch.arange(0, len(losses), block, device=losses.device)
    return (chosen + starts[:, None]).flatten()


class Selective(Method):
    """Keeps the share of each batch with the largest losses, between two points of the run."""

    name = "selective"

    def __init__(self, config: SelectiveConfig, task: Objective, group: int, steps: int) -> None:
        self.config = config
        self.task = task
        self.group = group
        self.steps = steps
        self.model: nn.Module | None = None

    def prepare(self, model: nn.Module) -> None:
        if not hasattr(self.task, "losses"):
            problem = f"selective: the task {type(self.task).__name__} has no losses sample by sample"
            raise UsageError(problem, "set train.selective to null, or give the task a method `losses`")
        self.model = model

    def batch(self, batch: Batch) -> Batch:
        if not self.config.start <= batch.step / self.steps < self.config.end:
            return batch
        assert self.model is not None
        fraction = self.config.fraction
        keep, block = fraction.numerator * self.group, fraction.denominator * self.group
        if len(batch.inputs) % block:
            problem = f"selective: a share of {len(batch.inputs)} samples has no whole blocks of {block}"
            raise UsageError(problem, f"make train.batch_size a multiple of {block} for each process")
        chosen = select_hardest(self._losses(self.model, batch), keep, block)
        return replace(
            batch,
            inputs=batch.inputs[chosen],
            targets=batch.targets[chosen],
            ids=batch.ids[chosen.cpu().numpy()],
            first=int(batch.first * Fraction(keep, block)),
        )

    def release(self) -> None:
        self.model = None

    @torch.no_grad()
    def _losses(self, model: nn.Module, batch: Batch) -> Tensor:
        with evaluating(model):
            losses: Tensor = self.task.losses(model(batch.inputs), batch.targets)
            return losses
