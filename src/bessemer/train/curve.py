"""The learning curve: points at steps that depend on nothing but the number of steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

from bessemer.model.modes import evaluating
from bessemer.parallel.agree import from_main
from bessemer.runtime import Progress
from bessemer.train.optimizer import use_averages
from bessemer.train.step import Training, learning_rate

Validate = Callable[[nn.Module], float]
CURVE_POINTS = 200
VALIDATIONS = 10


def record(
    training: Training,
    history: list[dict[str, Any]],
    step: int,
    loss: float | None,
    validate: Validate | None,
    higher_is_better: bool = True,
) -> None:
    """Add a point to the learning curve at steps that depend on nothing but the number of steps."""
    steps = training.steps
    is_point = step == steps or step % max(1, steps // CURVE_POINTS) == 0
    is_validated = validate is not None and (step == steps or step % max(1, steps // VALIDATIONS) == 0)
    if not (is_point or is_validated):
        return
    rate = learning_rate(training, step - 1)
    point: dict[str, Any] = {"step": step, "loss": loss, "rate": rate, "validation": None}
    if is_validated and validate is not None:
        point["validation"] = _validated(training, validate, 1 if higher_is_better else -1)
    history.append(point)


def _validated(training: Training, validate: Validate, sign: int) -> float | None:
    """What validation says; the main rank asks, and all ranks hear it where a method chooses by it."""
    runtime, choosers = training.runtime, [method for method in training.methods if method.chooses]
    if not (runtime.is_main or choosers):
        return None
    with as_result(training) as model:
        value = validate(model) if runtime.is_main else 0.0
        score = from_main(sign * value, runtime) if choosers else 0.0
        for method in choosers:
            method.validated(model, score)
    return value if runtime.is_main else None


def tell(history: list[dict[str, Any]], step: int, progress: Progress, label: str) -> None:
    """Pass on the point of the learning curve that was added at `step`, if one was."""
    if history and history[-1]["step"] == step:
        progress.point(label, step, {name: value for name, value in history[-1].items() if name != "step"})


@contextmanager
def as_result(training: Training) -> Iterator[nn.Module]:
    """The model as it would be returned now, for a block; training then goes on as if nothing had been."""
    trained = {name: tensor.clone() for name, tensor in training.model.state_dict().items()}
    use_result(training)
    try:
        with evaluating(training.model):
            yield training.model
    finally:
        training.model.load_state_dict(trained)


def end(training: Training) -> None:
    """Leave the model with the weights that are the result of the whole run."""
    use_result(training)
    for method in training.methods:
        chosen = method.chosen()
        if chosen is not None:
            training.model.load_state_dict(chosen)


def use_result(training: Training) -> None:
    """Put averages in place of the trained weights, where there are any."""
    use_averages(training.optimizer)
    for method in training.methods:
        result = method.result()
        if result is not None:
            training.model.load_state_dict(result)
