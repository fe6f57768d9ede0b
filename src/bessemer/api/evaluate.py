"""Measuring in one call: a torch module, or an exported file, on whatever data is at hand."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from bessemer.data.blocks import blocks
from bessemer.data.dataset import Samples
from bessemer.data.given import samples_of
from bessemer.data.stream import IGNORED
from bessemer.errors import DataError
from bessemer.measure.metrics import Z95
from bessemer.model.answers import TorchModel
from bessemer.model.contract import free_length
from bessemer.model.modes import evaluating
from bessemer.report.format import plural
from bessemer.report.units import Measure
from bessemer.task.given import (
    check,
    first_outputs,
    fitting,
    given,
    known_task,
    objective_of,
    refuse_not_finite,
)
from bessemer.task.task import Objective, Task

LOSS = Measure("loss", "loss", higher_is_better=False)


@dataclass(frozen=True)
class Measured:
    """One measure of a model: its value, and the ends of its 95% interval where it has one."""

    measure: Measure
    value: float
    low: float | None = None
    high: float | None = None

    def __float__(self) -> float:
        return self.value

    def __repr__(self) -> str:
        interval = self.measure.unit.interval({"low": self.low, "high": self.high})
        return f"{self.measure.unit.value(self.value)}{f' ({interval})' if interval else ''}"


class Evaluation(Mapping[str, Measured]):
    """What a model is worth: its measures by name, the headline first, and the number of `samples` behind them."""

    def __init__(self, measured: Mapping[str, Measured], samples: int) -> None:
        self._measured = dict(measured)
        self.samples = samples

    @property
    def value(self) -> float:
        """The headline measure."""
        return next(iter(self._measured.values())).value

    def __getitem__(self, name: str) -> Measured:
        return self._measured[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._measured)

    def __len__(self) -> int:
        return len(self._measured)

    def __repr__(self) -> str:
        told = [f"{one.measure.label} {one!r}" for one in self._measured.values()]
        return f"Evaluation({', '.join(told)}, {plural(self.samples, 'sample')})"


def evaluate(model: Any, task: Any = None, data: Any = None, *, seed: int = 0) -> Evaluation:
    """Measure a model on data: every measure of the task with its 95% interval where it has one.

    `model` is a torch module, which keeps its modes, or an exported file as bessemer.export.session.OnnxModel.
    `task` and `data` are what `fit` takes; of an objective or a plain loss the mean is measured. Samples labelled
    -100 are left out. `seed` is that of resampling. Raises UsageError and DataError as `fit` does.
    """
    samples = fitting(task, samples_of(data))
    if isinstance(model, nn.Module):
        refuse_not_finite(model, samples)
    judge = Judge(task, samples, model)
    metrics = judge.metrics(model, seed)
    measured = {one.name: Measured(one, **metrics[one.name]) for one in judge.measures if one.name in metrics}
    return Evaluation(measured, len(judge.samples))


class Judge:
    """Held-out samples, and the measures of a task or the mean of a loss on them."""

    def __init__(self, task: Any, samples: Samples, model: Any) -> None:
        self.task, self.samples = known_task(task), labelled(samples)
        self.objective: Objective | None = None
        if self.task is None:
            self.objective = objective_of(task, self.samples, model)
            return
        outputs = (
            first_outputs(model, self.samples) if isinstance(model, nn.Module) else model(self.samples.inputs[:2])
        )
        check(self.task, self.samples, outputs)
        if self.task.has_classes and self.samples.labels.dtype.kind == "f":
            problem = "y holds shares of classes, and measures need one class for each sample"
            raise DataError(problem, "give class numbers (N,); of shares y.argmax(1)")
        self.data = given(self.samples, outputs)

    @property
    def measures(self) -> tuple[Measure, ...]:
        """What is measured, the headline first."""
        return (LOSS,) if self.task is None else self.task.measures_of(self.data.about)

    def headline(self, model: Any) -> float:
        """The headline measure of a model or an exported file."""
        if self.task is None:
            return self.metrics(model, 0)[LOSS.name]["value"]
        return self.task.value(self._records(self.task, model))

    def metrics(self, model: Any, seed: int) -> dict[str, dict[str, float]]:
        """Every measure by name: `value`, with `low` and `high` at 95% where there is an interval."""
        if self.task is not None:
            return self.task.measured(self._records(self.task, model), seed)
        assert self.objective is not None
        return {LOSS.name: mean_loss(model, self.objective, self.samples)}

    def _records(self, task: Task, model: Any) -> dict[str, Any]:
        is_module = isinstance(model, nn.Module)
        with evaluating(model) if is_module else contextlib.nullcontext():
            return task.records(TorchModel(model) if is_module else model, self.samples, self.data)


def labelled(samples: Samples) -> Samples:
    """The samples that have a label; raises DataError where none has."""
    labels = samples.labels
    if not isinstance(labels, np.ndarray) or labels.ndim != 1 or labels.dtype.kind != "i":
        return samples
    places = np.flatnonzero(labels != IGNORED)
    if not len(places):
        raise DataError(f"every sample is labelled {IGNORED}, which is no label", "give labels to measure against")
    return samples if len(places) == len(labels) else samples.select(places)


@torch.no_grad()
def mean_loss(model: nn.Module, objective: Objective, samples: Samples) -> dict[str, float]:
    """The mean loss as `value`, with a 95% interval where the objective can say the loss of each sample."""
    device = next((tensor.device for tensor in model.state_dict().values()), torch.device("cpu"))
    per_sample, losses, sizes, start = hasattr(objective, "losses"), [], [], 0
    with evaluating(model):
        for block in blocks(samples.inputs, free_length(model)):
            targets = torch.from_numpy(samples.labels[start : start + len(block)]).to(device)
            outputs = model(torch.from_numpy(block).to(device))
            found = objective.losses(outputs, targets) if per_sample else objective.loss(outputs, targets)
            losses.append(np.atleast_1d(found.double().cpu().numpy()))
            sizes.append(len(block))
            start += len(block)
    every = np.concatenate(losses)
    if not per_sample:
        return {"value": float(np.average(every, weights=sizes))}
    value, half = (
        float(every.mean()),
        Z95 * float(every.std(ddof=1)) / len(every) ** 0.5 if len(every) > 1 else 0.0,
    )
    return {"value": value, "low": value - half, "high": value + half} if half else {"value": value}
