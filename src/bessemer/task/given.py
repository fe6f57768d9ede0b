"""Tasks on data that a caller hands over: from a name, an objective or a plain loss to what training needs.

No data was prepared, so what a task asks of its data set is answered here: the samples themselves, and as many
classes as the model has outputs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NoReturn, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bessemer.data.config import AugmentConfig
from bessemer.data.dataset import Samples
from bessemer.data.kind import Augment, as_they_are
from bessemer.data.stream import IGNORED
from bessemer.errors import DataError, UsageError
from bessemer.model.modes import evaluating
from bessemer.task import TASKS, find_task
from bessemer.task.task import LessonSettings, Objective, Task

LOOK = 2  # samples of the batch that shows what the model gives
SETTINGS = LessonSettings(epochs=1.0, batch_size=1, augment=AugmentConfig(), seed=0)


def known_task(task: Any) -> Task | None:
    """The task that a name, a dotted path or a Task stands for, as it is without prepared data; None of the rest.

    Raises UsageError where no task has that name.
    """
    if isinstance(task, str):
        return find_task(task).of_given()
    return task.of_given() if isinstance(task, Task) else None


def fitting(task: Any, samples: Samples) -> Samples:
    """The samples with labels as the task has them: a task of numbers takes whole ones as float32 too."""
    found = known_task(task)
    if found is None or not found.has_numbers or not isinstance(samples.labels, np.ndarray):
        return samples
    numbers = samples.labels.astype(np.float32, copy=False)
    wrong = np.flatnonzero(~np.isfinite(numbers.reshape(len(numbers), -1)).all(1))
    if len(wrong):
        raise DataError(f"y[{wrong[0]}] is not a finite number", "leave these samples out")
    return replace(samples, labels=numbers[:, 0] if numbers.ndim == 2 and numbers.shape[1] == 1 else numbers)


def objective_of(task: Any, samples: Samples, model: nn.Module) -> Objective:
    """What training minimizes, of a task's name, a Task, an Objective, or a loss f(outputs, targets) -> scalar.

    One small batch goes through the model in evaluation mode, to see how many classes it tells apart; modes,
    statistics and random numbers stay as they are. Raises UsageError where the model does not take the inputs or
    its outputs do not go with the task, and DataError where a label is out of range, with its row.
    """
    found = known_task(task)
    outputs = first_outputs(model, samples)
    if found is not None:
        samples = fitting(found, samples)
        check(found, samples, outputs)
        return found.lesson(given(samples, outputs), model, SETTINGS).objective
    if callable(getattr(task, "loss", None)):
        classes = getattr(task, "classes", None)
        if isinstance(classes, int):
            _refuse_out_of_range(samples.labels, classes)
        objective: Objective = task
        return objective
    if callable(task):
        plain = PlainLoss(task)
        plain.check(outputs, torch.from_numpy(samples.at(_first(samples)).labels))
        return cast("Objective", plain)  # it cannot say the loss of each sample; who needs that asks for it
    told = "say what is to be learned" if task is None else f"{type(task).__name__} is no task"
    names = ", ".join(repr(name) for name in TASKS)
    raise UsageError(told, f"give task={names}, a Task, an objective, or a loss f(outputs, targets)")


class PlainLoss:
    """A loss f(outputs, targets) -> scalar, such as torch.nn.MSELoss(), as what training minimizes."""

    def __init__(self, function: Callable[[Any, Tensor], Tensor]) -> None:
        self.function = function
        self.name = str(getattr(function, "__qualname__", type(function).__name__))

    def loss(self, outputs: Any, targets: Tensor) -> Tensor:
        """What the function says of a batch."""
        return self.function(outputs.float() if isinstance(outputs, Tensor) else outputs, targets)

    def check(self, outputs: Any, targets: Tensor) -> None:
        """Raises UsageError where the function does not make one number of a batch, or makes it of other pairs."""
        given, wanted = tuple(getattr(outputs, "shape", ())), tuple(targets.shape)
        told = f"{self.name} of outputs {given} and targets {wanted}"
        if targets.is_floating_point() and {given, wanted} == {(len(targets), 1), (len(targets),)}:
            problem = f"{told} would compare each output with every target"
            raise UsageError(problem, "give y the shape of the outputs, for example y[:, None]")
        try:
            value = self.loss(outputs, targets.to(outputs.device) if isinstance(outputs, Tensor) else targets)
        except (RuntimeError, TypeError, ValueError, IndexError, AttributeError) as error:
            problem = f"{told} fails: {_first_line(error)}"
            raise UsageError(problem, "give a loss f(outputs, targets), and y as it takes them") from error
        if not isinstance(value, Tensor) or value.ndim:
            what = f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
            raise UsageError(f"{told} is no scalar tensor, but of {what}", "let it return a mean over the batch")


class Given:
    """A caller's samples in the place of a prepared data set; what only preparation knows is refused by name."""

    weights = (1.0,)

    def __init__(self, samples: Samples, classes: int) -> None:
        self.samples = samples
        self.about = _About(classes=[str(number) for number in range(classes)])
        if isinstance(samples.labels, np.ndarray) and samples.labels.dtype.kind == "f":
            self.about["numbers"] = _figures(samples.labels)

    def split(self, name: str) -> Samples:
        """All samples, whatever the split."""
        return self.samples

    def augmenter(self, config: AugmentConfig) -> Augment:
        """No random changes."""
        return as_they_are

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_"):
            raise AttributeError(name)
        _refuse_unprepared(name)


def _figures(labels: NDArray[Any]) -> list[dict[str, Any]]:
    """What `dataset.json` says of each number of a sample; where all are one value, it is counted as it is."""
    columns = labels.reshape(len(labels), -1).astype(np.float64).T
    figures = [{"mean": float(one.mean()), "std": float(one.std()) or 1.0} for one in columns]
    named = zip(figures, columns, strict=True)
    return [
        {"name": f"y[{place}]", **told, "low": float(one.min()), "high": float(one.max())}
        for place, (told, one) in enumerate(named)
    ]


class _About(dict[str, Any]):
    def __missing__(self, name: str) -> NoReturn:
        _refuse_unprepared(name)


def _refuse_unprepared(name: str) -> NoReturn:
    problem = f"the task asks for {name!r} of a prepared data set, and these are plain samples"
    raise UsageError(problem, "prepare the data with a recipe, or give an objective or a loss f(outputs, targets)")


def given(samples: Samples, outputs: Any) -> Any:
    """The samples as a data set for a task; it takes the place of bessemer.data.dataset.Dataset."""
    shape: tuple[int, ...] = tuple(getattr(outputs, "shape", ()))
    return Given(samples, int(shape[-1]) if len(shape) > 1 else 1)


def first_outputs(model: nn.Module, samples: Samples) -> Any:
    """What the model gives of the first samples, in evaluation mode; random numbers stay as they are too."""
    inputs = torch.from_numpy(np.ascontiguousarray(samples.at(_first(samples)).inputs))
    device = next((tensor.device for tensor in (*model.parameters(), *model.buffers())), torch.device("cpu"))
    with evaluating(model), torch.no_grad(), torch.random.fork_rng(devices=[]):
        try:
            return model(inputs.to(device))
        except (RuntimeError, TypeError, ValueError, IndexError, AttributeError) as error:
            kind, shape = str(inputs.dtype).removeprefix("torch."), tuple(inputs.shape)
            problem = f"{type(model).__name__} does not take x, {kind} {shape}: {_first_line(error)}"
            raise UsageError(problem, "give x as the model's forward takes it, samples first") from error


def refuse_not_finite(model: nn.Module, samples: Samples) -> None:
    """DataError where a sample in memory has a value that is not finite, and the model answers it with none."""
    inputs = samples.inputs
    if not (isinstance(inputs, np.ndarray) and inputs.dtype.kind == "f"):
        return
    wrong = np.flatnonzero(~np.isfinite(inputs.reshape(len(inputs), -1)).all(1))
    if not len(wrong):
        return
    answers = first_outputs(model, samples.at(wrong[:LOOK]))
    if isinstance(answers, Tensor) and not answers.isfinite().all():
        problem = f"x[{wrong[0]}] has a value that is not finite, as {len(wrong)} of {len(samples)} samples have"
        raise DataError(
            f"{problem}, and the model answers it with none", "leave these samples out, or fill the gaps"
        )


def check(task: Task, samples: Samples, outputs: Any) -> None:
    """Raises where a model's outputs or the labels are not what the task works on."""
    if not hasattr(outputs, "shape"):
        problem = f"the model gives a {type(outputs).__name__}, and {task.name} needs one tensor"
        raise UsageError(problem, "wrap the model so that its forward returns the outputs alone")
    shape, labels = tuple(outputs.shape), samples.labels
    if task.has_windows:
        _check_tokens(task, shape, labels)
    elif task.has_classes:
        _check_classes(task, shape, labels)
    elif task.has_numbers and np.prod(shape[1:], dtype=int) != np.prod(labels.shape[1:], dtype=int):
        problem = f"the model gives outputs {shape[1:]} for each sample, and y has {labels.shape[1:]}"
        raise UsageError(problem, "give the model as many outputs as each sample has numbers")


def _check_classes(task: Task, shape: tuple[int, ...], labels: NDArray[Any]) -> None:
    if len(shape) != 2 or shape[1] < 2:
        problem = f"the model's outputs have the shape {shape}; {task.name} needs (batch, classes), at least 2"
        raise UsageError(problem, "end the model in one output for each class, or give a loss f(outputs, targets)")
    if labels.dtype.kind == "f":
        if labels.shape[1:] != shape[1:]:
            problem = f"y holds floats {labels.shape}, and {task.name} needs class numbers, or shares of classes"
            raise DataError(problem, f"give whole numbers (N,), or shares (N, {shape[1]})")
        return
    if labels.ndim != 1:
        problem = f"y has the shape {labels.shape}, and {task.name} needs one class for each sample"
        raise DataError(problem, "give class numbers (N,); of one-hot rows y.argmax(1)")
    _refuse_out_of_range(labels, shape[1])


def _check_tokens(task: Task, shape: tuple[int, ...], labels: NDArray[Any]) -> None:
    if len(shape) != 3:
        problem = f"the model's outputs have the shape {shape}; {task.name} needs (batch, tokens, vocabulary)"
        raise UsageError(problem, "let the model give logits of the next token at each token")
    if labels.shape[1:] != shape[1:2] or getattr(labels, "dtype", np.dtype(int)).kind != "i":
        problem = f"y has the shape {labels.shape}, and the outputs {shape}"
        raise DataError(problem, f"give token numbers (N, {shape[1]}): at each token the next one")
    _refuse_out_of_range(labels, shape[2])


def _refuse_out_of_range(labels: Any, classes: int) -> None:
    """Labels on a disk were checked when they were written."""
    if not isinstance(labels, np.ndarray) or labels.dtype.kind != "i":
        return
    wrong = np.argwhere(((labels < 0) | (labels >= classes)) & (labels != IGNORED))
    if len(wrong):
        place = ", ".join(map(str, wrong[0]))
        problem = f"y[{place}] is {labels[tuple(wrong[0])]}, and classes are 0 to {classes - 1}"
        remedy = f"number the classes from 0 ({IGNORED} counts for nothing), or give the model more outputs"
        raise DataError(problem, remedy)


def _first(samples: Samples) -> NDArray[np.int64]:
    return np.arange(min(LOOK, len(samples)))


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
