"""One training step, from a batch to moved weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor, nn

from bessemer.data.dataset import Batch
from bessemer.draws import Stream, seed_for
from bessemer.model.layers import GhostBatchNorm2d, ghost_layers
from bessemer.parallel.data import mean_over_ranks, without_sync
from bessemer.runtime import Runtime
from bessemer.train.buffers import Buffers
from bessemer.train.config import TrainConfig
from bessemer.train.methods import Method
from bessemer.train.optimizer import clip_gradients, set_rate
from bessemer.train.precision import autocast
from bessemer.train.schedule import rate_at

STATISTICS_MOMENTUM = 0.1

Loss = Callable[[Tensor, Tensor], Tensor]  # of outputs and targets
Count = Callable[[Tensor], Tensor]  # of targets


@dataclass
class Training:
    """All that a step works on: the bare model, the replicated one, and the fixed choices of the run.

    `count` says how many of the targets the loss is the mean over; without it all samples weigh the same.
    """

    model: nn.Module
    replica: nn.Module
    optimizer: torch.optim.Optimizer
    loss: Loss
    methods: Sequence[Method]
    config: TrainConfig
    runtime: Runtime
    precision: str
    steps: int  # of the whole run
    seed: int = 0
    count: Count | None = None

    @cached_property
    def ghosts(self) -> list[GhostBatchNorm2d]:
        """The ghost batch normalizations of the model."""
        return list(ghost_layers(self.model))

    @cached_property
    def weights(self) -> list[nn.Parameter]:
        """All parameters of the model."""
        return list(self.model.parameters())

    @cached_property
    def buffers(self) -> Buffers:
        """What forward passes change in the model besides."""
        return Buffers(self.model)


class Step(NamedTuple):
    """The mean loss of all ranks, and whether the weights moved: the same on every rank."""

    loss: float
    moved: bool


def train_step(training: Training, batch: Batch, limit: float = math.inf) -> Step:
    """Take one optimizer step on this rank's share of a global batch.

    Weights, statistics, optimizer and averages stay as they are where the loss or a gradient is not finite on any
    rank, or the loss is over `limit`. What to do then is for bessemer.train.guard to say.
    """
    batch = changed(training, batch.to(training.runtime.device))
    training.buffers.keep()
    total = compute_gradients(training, batch)
    training.buffers.see()
    means = mean_over_ranks([total, sum_of_norms(training.weights)], training.runtime)
    value, norms = torch.stack(means).tolist()
    if not math.isfinite(value) or not math.isfinite(norms) or value > limit:
        training.buffers.restore()
        return Step(value, False)
    update(training, batch.step)
    return Step(value, True)


def changed(training: Training, batch: Batch) -> Batch:
    """The batch as all methods make it; random numbers are from here on a function of (seed, step, rank)."""
    place = training.seed, batch.step, training.runtime.rank
    # torch.manual_seed takes longer than the step of a small network.
    torch.default_generator.manual_seed(seed_for(Stream.DROPOUT, *place))
    if training.runtime.kind == "cuda":
        torch.cuda.manual_seed_all(seed_for(Stream.DROPOUT, *place))
    for method in training.methods:
        batch = method.batch(batch)
    return batch


def compute_gradients(training: Training, batch: Batch) -> Tensor:
    """Forward and backward passes of all micro-batches; returns this rank's loss, a scalar."""
    for layer in training.ghosts:
        layer.pending.clear()  # of a step that failed
    training.optimizer.zero_grad()
    parts = list(micro_batches(batch, training.config.accumulate))
    total = torch.zeros((), device=training.runtime.device)
    for (part, last), share in zip(parts, shares(training, parts), strict=True):
        with without_sync(training.replica, training.runtime, last):
            loss = weighed(forward(training, part), share)
            loss.backward()  # type: ignore[no-untyped-call]
        total += loss.detach()
    return total


def shares(training: Training, parts: Sequence[tuple[Batch, bool]]) -> list[Tensor | float]:
    """What each micro-batch of this rank weighs: its part of the targets that count, of all ranks.

    The mean over ranks of the weighed losses is then the mean over all targets, however they are spread.
    """
    if training.count is None or len(parts) * training.runtime.world == 1:
        return [1 / len(parts)] * len(parts)
    counts = torch.stack([training.count(part.targets).float() for part, _ in parts])
    mean = mean_over_ranks([counts.sum()], training.runtime)[0]
    return list(counts / mean.clamp(min=1))


def weighed(loss: Tensor, share: Tensor | float) -> Tensor:
    """A micro-batch's part of the loss; 0 where nothing in it counts, though a mean over nothing is no number."""
    if isinstance(share, float):
        return loss if share == 1 else loss * share
    return torch.where(share > 0, loss * share, 0.0)


def update(training: Training, step: int) -> None:
    """Move weights, running statistics and averages."""
    clip_gradients(training.weights, training.config.clip)
    set_rate(training.optimizer, learning_rate(training, step))
    training.optimizer.step()
    commit_statistics(training.ghosts, training.runtime)
    for method in training.methods:
        method.after_step(training.model, step)


@torch.no_grad()
def sum_of_norms(weights: Sequence[Tensor]) -> Tensor:
    """The sum of all gradients' norms, float32: no finite number where one of theirs is not, or is too large."""
    norms = torch._foreach_norm([weight.grad for weight in weights if weight.grad is not None])
    return torch.stack([norm.float() for norm in norms]).sum()


def forward(training: Training, batch: Batch) -> Tensor:
    """The loss of one micro-batch, with all methods."""
    for method in training.methods:
        method.before_forward(batch)
    with autocast(training.precision, training.runtime.kind):
        outputs = training.replica(batch.inputs)
        loss = training.loss(outputs, batch.targets)
        for method in training.methods:
            loss = method.loss(loss, outputs, batch)
    return loss


def learning_rate(training: Training, step: int) -> float:
    """The learning rate at a step."""
    factor = rate_at(training.config.schedule, step, training.steps)
    return training.config.optimizer.learning_rate * factor


def micro_batches(batch: Batch, parts: int) -> Iterator[tuple[Batch, bool]]:
    """Equal parts of a batch, and whether each is the last."""
    if parts == 1:
        yield batch, True
        return
    size = len(batch.inputs) // parts
    for index in range(parts):
        part = slice(index * size, (index + 1) * size)
        piece = replace(
            batch,
            inputs=batch.inputs[part],
            targets=batch.targets[part],
            ids=batch.ids[part],
            first=batch.first + index * size,
        )
        yield piece, index == parts - 1


@torch.no_grad()
def commit_statistics(ghosts: Iterable[GhostBatchNorm2d], runtime: Runtime) -> None:
    """Move the running averages of ghost batch normalization by the mean over all groups of all ranks."""
    layers = [layer for layer in ghosts if layer.pending]
    means = []
    for layer in layers:
        for index in (0, 1):
            means.append(torch.stack([pair[index] for pair in layer.pending]).mean(0))
        layer.pending.clear()
    averaged = mean_over_ranks(means, runtime)
    for layer, mean, variance in zip(layers, averaged[::2], averaged[1::2], strict=True):
        assert layer.running_mean is not None
        assert layer.running_var is not None
        layer.running_mean.lerp_(mean.to(layer.running_mean.dtype), STATISTICS_MOMENTUM)
        layer.running_var.lerp_(variance.to(layer.running_var.dtype), STATISTICS_MOMENTUM)
