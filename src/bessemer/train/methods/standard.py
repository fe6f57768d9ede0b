"""From the settings of a run to the hooks of its methods."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from torch import nn

from bessemer.errors import UsageError
from bessemer.task.task import Objective
from bessemer.train.config import TrainConfig
from bessemer.train.memory.method import ActivationMemory
from bessemer.train.methods import Method
from bessemer.train.methods.technique import Setup, SoftTargets, Use


def standard_methods(config: TrainConfig, task: Objective, seed: int, steps: int) -> list[Method]:
    """The methods that settings switch on: those of METHODS in its order, strangers' ones, and what averages."""
    setup = Setup(task, config.ghost_batch, seed, steps)
    methods = [method for use in config.uses() if (method := _built(use, setup)) is not None]
    if config.memory.changes_layers:  # behind those that put other layers in place
        methods.append(ActivationMemory(config.memory))
    return averages_last(methods)


def averages_last(methods: Sequence[Method]) -> list[Method]:
    """The methods in their order, but averages see what all others have made of the weights."""
    return sorted(methods, key=lambda method: method.averages)


def _built(use: Use, setup: Setup) -> Method | None:
    if use.technique.build is None:
        return None
    if use.technique.needs_classes and not isinstance(setup.objective, SoftTargets):
        problem = f"{use.key} changes labels of classes, which {type(setup.objective).__name__} has not"
        raise UsageError(problem, f"train.{use.key}: {use.remedy}")
    return use.technique.build(use.value, setup)


def refuse_twins(methods: Sequence[Method]) -> None:
    """Refuse two methods whose states would stand under one name in a checkpoint."""
    names = Counter(method.name for method in methods if method.state())
    twice = [name for name, times in names.items() if times > 1]
    if twice:
        problem = f"two training methods with a state are called {twice[0]!r}, and a checkpoint has room for one"
        raise UsageError(problem, "give each a `name` of its own")


def prepare_methods(methods: Sequence[Method], model: nn.Module) -> None:
    """Show the model to each method; where one refuses it, the others let go of it again."""
    try:
        for method in methods:
            method.prepare(model)
    except BaseException:
        for method in methods:
            method.release()
        raise
