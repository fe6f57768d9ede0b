"""Training in one call, of a torch module on whatever data is at hand."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pydantic import ValidationError
from torch import nn

from bessemer.api.evaluate import Judge
from bessemer.data.dataset import Batches, Samples
from bessemer.data.given import batch_size_of, samples_of
from bessemer.data.split import take_count
from bessemer.errors import UsageError
from bessemer.runtime import SILENT, Progress, Runtime
from bessemer.task.given import fitting, objective_of, refuse_not_finite
from bessemer.train import loop
from bessemer.train.config import TrainConfig
from bessemer.train.curve import Validate
from bessemer.train.loop import FitResult
from bessemer.train.methods import Method

EPOCHS, BATCH = 10.0, 32
OPTIMIZER = "adamw"  # with a cosine and its rate of 0.002: it suits most networks without a search


def fit(
    model: nn.Module,
    task: Any = None,
    data: Any = None,
    config: TrainConfig | Mapping[str, Any] | None = None,
    *,
    epochs: float | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    validation: Any = None,
    methods: Sequence[Method] = (),
    seed: int = 0,
    runtime: Runtime | None = None,
    precision: str | None = None,
    work: str | Path | None = None,
    validate: Callable[[nn.Module], float] | None = None,
    higher_is_better: bool | None = None,
    progress: Progress = SILENT,
    label: str = "train",
) -> FitResult:
    """Train a model in place, and give it back in evaluation mode with its learning curve and what it cost.

    `task` is a name ("classify", "language" or a dotted path), a Task, an objective such as Classify(10), or a
    loss f(outputs, targets) -> scalar. `data` is what `bessemer.data.given.samples_of` takes: a pair (x, y) of
    tensors, arrays or lists, a torch Dataset of such pairs, a DataLoader of one, Samples or Batches. x (N, ...) is
    what the model takes; y int64 (N,) are classes, of which -100 counts for nothing, or whatever the loss takes.

    `config` has all settings, as a TrainConfig or a dict of what a recipe has in `train`; `epochs`, `batch_size`
    and `learning_rate` (its highest) change those of it. Without it they are 10, 32 or the DataLoader's, and 0.002
    of AdamW with a cosine. `validation` is held-out data, or a share of the samples to hold out, such as 0.1: ten
    times the task's headline measure is taken there, of a loss its mean. `validate` does so by a function of the
    model, of which `higher_is_better` says the good end.

    With `work`, a folder, training can be stopped and goes on from there with the same call, to bit-identical
    weights. Layers that stand in evaluation mode in a model that does not, stay there (frozen normalization).

    Raises UsageError for arguments that do not go together, or a `work` that holds another training; DataError for
    data that cannot be learned from; TrainingError where the loss stays not finite; StoppedError on SIGTERM or
    Ctrl-C.
    """
    samples = fitting(task, samples_of(data))
    if not any(True for _ in model.parameters()):
        raise UsageError(f"{type(model).__name__} has no weights to train", "give a model with parameters")
    if validation is not None and validate is not None:
        raise UsageError("there are both `validation` and `validate`", "give one of them")
    refuse_not_finite(model, samples)
    held_out = None
    if isinstance(validation, float):
        samples, held_out = _split(data, samples, validation, seed)
    elif validation is not None:
        held_out = fitting(task, samples_of(validation))
    objective = objective_of(task, samples, model)
    look = Look(validate, True) if held_out is None else _look(task, held_out, model)
    settings = _settings(config, epochs, batch_size, learning_rate, data, len(samples))
    return loop.fit(
        model,
        objective,
        _batches(data, samples, settings.batch_size, seed),
        settings,
        methods=methods,
        seed=seed,
        runtime=runtime,
        precision=precision,
        work=None if work is None else Path(work).expanduser(),
        validate=look.validate,
        higher_is_better=look.higher_is_better if higher_is_better is None else higher_is_better,
        progress=progress,
        label=label,
    )


class Look(NamedTuple):
    """What is asked of a model on held-out data, and which end of the answer is the good one."""

    validate: Validate | None
    higher_is_better: bool


def _look(task: Any, held_out: Samples, model: nn.Module) -> Look:
    """The headline measure of a task on held-out data, or the mean of a loss."""
    measures = Judge(task, held_out, model)
    return Look(measures.headline, measures.measures[0].higher_is_better)


def _split(data: Any, samples: Samples, share: float, seed: int) -> tuple[Samples, Samples]:
    """Samples to train on and a share that is held out, in which every class keeps its part."""
    if isinstance(data, Batches):
        raise UsageError("a share cannot be held out of Batches", "give `validation` data of its own")
    count = round(share * len(samples))
    if not 0 < count < len(samples):
        problem = f"validation={share:g} holds out {count} of {len(samples)} samples"
        raise UsageError(problem, "give a share such as 0.1, or held-out data")
    labels = samples.labels
    is_class = isinstance(labels, np.ndarray) and labels.ndim == 1
    chosen = take_count(labels if is_class else np.zeros(len(samples)), samples.ids, count, seed)
    others = np.setdiff1d(np.arange(len(samples)), chosen)
    return samples.select(others), samples.select(chosen)


def _batches(data: Any, samples: Samples, batch_size: int, seed: int) -> Batches:
    """The caller's Batches with their samples as they are taken, or new ones."""
    if not isinstance(data, Batches):
        return Batches(samples, batch_size, seed)
    batches = copy.copy(data)
    batches.samples = samples
    return batches


def _settings(
    config: TrainConfig | Mapping[str, Any] | None,
    epochs: float | None,
    batch_size: int | None,
    learning_rate: float | None,
    data: Any,
    count: int,
) -> TrainConfig:
    """The caller's settings with what was said beside them, or those that suit most networks."""
    defaults: dict[str, Any] = {"epochs": EPOCHS, "optimizer": {"name": OPTIMIZER}}
    values = (
        config.model_dump() if isinstance(config, TrainConfig) else dict(defaults if config is None else config)
    )
    if config is None and batch_size is None:
        batch_size = batch_size_of(data) or BATCH
    if batch_size is not None:
        values["batch_size"] = batch_size if isinstance(data, Batches) else min(batch_size, count)
    if config is None:  # groups of batch normalization that hold whole batches, or divide them
        values["ghost_batch"] = BATCH if values["batch_size"] % BATCH == 0 else max(2, values["batch_size"])
    if epochs is not None:
        values["epochs"] = epochs
    if learning_rate is not None:
        values["optimizer"] = {**values.get("optimizer", {}), "learning_rate": learning_rate}
    try:
        return TrainConfig(**values)
    except ValidationError as error:
        first = error.errors()[0]
        problem = f"{'.'.join(map(str, first['loc']))}: {first['msg']}".removeprefix(": ")
        raise UsageError(problem, "see bessemer.train.config.TrainConfig for what each setting takes") from error
