"""One training step, from a batch to moved weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor, nn

from bessemer.data.dataset import Batch
from bessemer.draws import Stream, seed_for
from bessemer.model.layers import ghost_layers
from bessemer.parallel.data import mean_over_ranks, without_sync
from bessemer.runtime import Runtime
from bessemer.train.config import TrainConfig
from bessemer.train.methods import Method
from bessemer.train.optimizer import clip_gradients, set_rate
from bessemer.train.precision import autocast
from bessemer.train.schedule import rate_at

STATISTICS_MOMENTUM = 0.1

Loss = Callable[[Tensor, Tensor], Tensor]  # of outputs and targets


@dataclass
class Training:
    """All that a step works on: the bare model, the replicated one, and the fixed choices of the run."""

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


class Step(NamedTuple):
    """The mean loss of all ranks, and whether the weights moved: the same on every rank."""

    loss: float
    moved: bool


def train_step(training: Training, batch: Batch, limit: float = math.inf) -> Step:
    """Take one optimizer step on this rank's share of a global batch.

    Weights, optimizer and averages stay as they are where the loss or a gradient is not finite on any rank, or the
    loss is over `limit`. What to do then is for bessemer.train.guard to say.
    """
    batch = changed(training, batch.to(training.runtime.device))
    total = compute_gradients(training, batch)
    means = mean_over_ranks([total, has_unsound_gradient(training.model)], training.runtime)
    value, unsound = torch.stack(means).tolist()
    if not math.isfinite(value) or unsound > 0 or value > limit:
        return Step(value, False)
    update(training, batch.step)
    return Step(value, True)


def changed(training: Training, batch: Batch) -> Batch:
    """The batch as all methods make it; random numbers are from here on a function of (seed, step, rank)."""
    torch.manual_seed(seed_for(Stream.DROPOUT, training.seed, batch.step, training.runtime.rank))
    for method in training.methods:
        batch = method.batch(batch)
    return batch


def compute_gradients(training: Training, batch: Batch) -> Tensor:
    """Forward and backward passes of all micro-batches; returns this rank's loss, a scalar."""
    for layer in ghost_layers(training.model):
        layer.pending.clear()  # of a step that failed
    training.optimizer.zero_grad()
    total = torch.zeros((), device=training.runtime.device)
    for part, last in micro_batches(batch, training.config.accumulate):
        with without_sync(training.replica, training.runtime, last):
            loss = forward(training, part) / training.config.accumulate
            loss.backward()  # type: ignore[no-untyped-call]
        total += loss.detach()
    return total


def update(training: Training, step: int) -> None:
    """Move weights, running statistics and averages."""
    clip_gradients(training.model.parameters(), training.config.clip)
    set_rate(training.optimizer, learning_rate(training, step))
    training.optimizer.step()
    commit_statistics(training.model, training.runtime)
    for method in training.methods:
        method.after_step(training.model, step)


@torch.no_grad()
def has_unsound_gradient(model: nn.Module) -> Tensor:
    """1 where a gradient is not finite (or too large to be squared), else 0, as a float on the model's device."""
    norms = torch._foreach_norm([weight.grad for weight in model.parameters() if weight.grad is not None])
    return 1 - torch.stack([norm.float().isfinite() for norm in norms]).all().float()


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
def commit_statistics(model: nn.Module, runtime: Runtime) -> None:
    """Move the running averages of ghost batch normalization by the mean over all groups of all ranks."""
    layers = [layer for layer in ghost_layers(model) if layer.pending]
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
