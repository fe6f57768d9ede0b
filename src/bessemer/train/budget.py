"""How many epochs a training may take on this machine, where minutes are given.

Decided before the first step by timing real steps of a copy of the model; recorded like the precision, and not
decided again on resume, so that the result of a run follows from its recipe and its decisions.
"""

from __future__ import annotations

import time
from pathlib import Path

from bessemer.artifact import Decisions
from bessemer.data.dataset import Batches
from bessemer.train.config import TrainConfig
from bessemer.train.execution import FILE
from bessemer.train.step import Training, train_step

FIRST, TIMED = 2, 5  # steps: the first ones allocate
OVERHEAD = 1.15  # for validations, checkpoints, and steps that are slower than the timed ones
LEAST = 0.1  # epochs
EPOCHS = "epochs"


def seconds_a_step(training: Training, batches: Batches) -> float:
    """Median seconds of a step; it moves the weights."""
    runtime, taken = training.runtime, []
    for step in range(FIRST + TIMED):
        start = time.monotonic()
        train_step(training, batches.batch(step, runtime.rank, runtime.world))
        taken.append(time.monotonic() - start)
    return sorted(taken[FIRST:])[TIMED // 2]


def epochs_in(config: TrainConfig, batches: Batches, seconds: float) -> float:
    """Of the epochs asked, as many as fit into the minutes where a step takes so long."""
    assert config.minutes is not None
    steps = 60 * config.minutes / OVERHEAD / seconds
    return min(config.epochs, max(LEAST, float(f"{steps * config.batch_size / batches.order.n:.2g}")))


def recorded_epochs(work: Path | None) -> float:
    """The epochs that were decided on in this work folder, 0 where none were."""
    return float(Decisions(work / FILE).values.get(EPOCHS, 0)) if work else 0.0


def record_epochs(work: Path | None, epochs: float) -> None:
    """Keep the decision."""
    if work:
        Decisions(work / FILE).take(EPOCHS, lambda: epochs)
