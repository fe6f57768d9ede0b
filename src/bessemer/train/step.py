"""One training step, from a batch to moved weights."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from bessemer.data.dataset import Batch
from bessemer.data.order import key
from bessemer.errors import TrainingError
from bessemer.model.layers import ghost_layers
from bessemer.parallel.data import mean_over_ranks, without_sync
from bessemer.runtime import Runtime
from bessemer.task.classify import Classify
from bessemer.train.config import TrainConfig
from bessemer.train.methods import Method
from bessemer.train.optimizer import set_rate
from bessemer.train.precision import autocast
from bessemer.train.schedule import rate_at

STATISTICS_MOMENTUM = 0.1


@dataclass
class Training:
    """All that a step works on: the bare model, the replicated one, and the fixed choices of the run."""

    model: nn.Module
    replica: nn.Module
    optimizer: torch.optim.Optimizer
    task: Classify
    methods: Sequence[Method]
    config: TrainConfig
    runtime: Runtime
    precision: str
    steps: int  # of the whole run
    seed: int = 0


def train_step(training: Training, batch: Batch) -> float:
    """Take one optimizer step on this rank's share of a global batch; returns the mean loss of all ranks.

    Raises TrainingError, before weights move, where the loss is not finite.
    """
    seed = key(training.seed, batch.step, training.runtime.rank)
    torch.manual_seed(int(seed) >> 1)  # dropout is a function of these three
    batch = batch.to(training.runtime.device)
    for method in training.methods:
        batch = method.batch(batch)

    for layer in ghost_layers(training.model):
        layer.pending.clear()  # of a step that failed
    training.optimizer.zero_grad()
    total = torch.zeros((), device=training.runtime.device)
    for part, last in micro_batches(batch, training.config.accumulate):
        with without_sync(training.replica, training.runtime, last):
            loss = forward(training, part) / training.config.accumulate
            loss.backward()  # type: ignore[no-untyped-call]
        total += loss.detach()

    value = float(mean_over_ranks([total], training.runtime)[0])
    if not math.isfinite(value):
        rate = training.config.optimizer.learning_rate
        raise TrainingError(f"the loss is {value} at step {batch.step}", f"lower the learning rate (now {rate})")
    set_rate(training.optimizer, learning_rate(training, batch.step))
    training.optimizer.step()
    commit_statistics(training.model, training.runtime)
    for method in training.methods:
        method.after_step(training.model, batch.step)
    return value


def forward(training: Training, batch: Batch) -> Tensor:
    """The loss of one micro-batch, with all methods."""
    with autocast(training.precision, training.runtime.kind):
        outputs = training.replica(batch.inputs)
        loss = training.task.loss(outputs, batch)
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
