"""What a training method is to a recipe: its key and settings, what it does not go with, its name in the ledger.

A recipe is read without torch, so a method's first file imports none; `build` imports the hooks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

from bessemer.config import Config

if TYPE_CHECKING:
    from torch import Tensor

    from bessemer.task.task import Objective, Task
    from bessemer.train.config import TrainConfig
    from bessemer.train.methods import Method


class MethodConfig(Config):
    """The base of a stranger's settings: `name` is the dotted path of its Technique, other fields are its own."""

    name: str


@runtime_checkable
class SoftTargets(Protocol):
    """What the objective of a task with classes can do besides."""

    def soft_targets(self, targets: Tensor) -> Tensor:
        """Labels as rows of probabilities; rows pass unchanged."""


@dataclass(frozen=True)
class Setup:
    """What a method may ask of the run that it becomes a part of."""

    objective: Objective
    group: int  # samples that stay together whatever the number of processes: train.ghost_batch
    seed: int
    steps: int  # of the whole run

    @property
    def labels(self) -> SoftTargets:
        """The objective, of a method that needs classes."""
        assert isinstance(self.objective, SoftTargets)
        return self.objective


def _goes_with_all(value: Any, train: TrainConfig) -> None:
    """Refuse nothing."""


@dataclass(frozen=True)
class Technique:
    """A training method that a recipe can name.

    Ours have a key of `train`: `setting` is the type of its value, `default` its pydantic field, whose default
    switches the method off. A stranger's `setting` is a class derived from MethodConfig.
    """

    name: str  # in the ledger
    setting: Any
    default: Any = None
    build: Callable[[Any, Setup], Method | None] | None = None  # from the value; None: the loop itself asks for it
    does: str = ""  # said where it does not fit, such as `pastes parts of images`
    kinds: tuple[str, ...] | None = None  # of data that it goes with; None goes with all
    not_kinds: Mapping[str, str] = field(default_factory=dict)  # kinds that it does not go with, and why
    needs_classes: bool = False
    needs_windows: bool = False
    refuse: Callable[[Any, TrainConfig], None] = _goes_with_all  # raises ValueError: what to change in `train`

    @property
    def off(self) -> Any:
        """The value with which it changes nothing."""
        return self.default.default

    def problem(self, kind: str, task: Task) -> str | None:
        """What does not fit about this kind of data or this task; None where both do."""
        if kind in self.not_kinds:
            return f"{self.does}, and {self.not_kinds[kind]}"
        if self.kinds is not None and kind not in self.kinds:
            return f"{self.does or 'goes with ' + ' or '.join(self.kinds)}, and this is {kind}"
        if self.needs_classes and not task.has_classes:
            return "changes labels of classes, and there are none"
        if self.needs_windows and not task.has_windows:
            return self.does or "needs windows of running text"
        return None


class Use(NamedTuple):
    """A method that settings switch on, and the value that does."""

    key: str  # below `train`, such as `mixup`
    technique: Technique
    value: Any

    @property
    def remedy(self) -> str:
        """How to switch it off, after its key was named."""
        if isinstance(self.value, MethodConfig):
            return "leave it out"
        off = self.technique.off
        return f"set it to {'null' if off is None else f'{off:g}' if isinstance(off, float) else off}"

    def check(self, group: str, kind: str, task: Task) -> None:
        """Refuse it where it does not go with the kind of data or the task; `group` is where its key stands."""
        problem = self.technique.problem(kind, task)
        if problem:
            raise ValueError(f"{group}.{self.key} {problem}; {self.remedy}")
