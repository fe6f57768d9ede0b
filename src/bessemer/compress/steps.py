"""Steps of compression as values: settings that take a network and its architecture and give others.

A candidate is a list of steps. Each returns the network it made and the edits that rebuild it (see
bessemer.model.surgery), so steps compose in any order. What a step needs of the run, data and training, it asks
of its `Lab`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from bessemer.config import Config, keyed
from bessemer.dotted import load_dotted
from bessemer.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from bessemer.compress.config import DistillConfig
    from bessemer.model.state import Architecture
    from bessemer.train.config import TrainConfig

FLOATS, INTEGERS = "fp32", "int8"


@dataclass(frozen=True)
class Made:
    """A network, and the architecture that rebuilds it."""

    architecture: Architecture
    network: nn.Module


class Lab(Protocol):
    """What a step may ask of the run that it is part of."""

    def example(self) -> Tensor:
        """Two training inputs, as the network takes them."""

    def calibration(self, count: int) -> Tensor:
        """Training inputs (n, ...) that stand for all, about `count` of them."""

    def has_dot_products(self) -> bool:
        """Whether the processor that measures multiplies 8-bit integers exactly (VNNI, AMX)."""

    def simple(self) -> Made:
        """The simple model of the task and the kind of data, fitted on the training split."""

    def train(self, made: Made, config: TrainConfig, distill: DistillConfig | None) -> Made:
        """The network after a training on the task, under the parent where `distill` says how."""


class Step(Config):
    """A step that changes nothing: the base of the others. Its fields are its settings."""

    technique: ClassVar[str]  # its name in the ledger
    mends: ClassVar[bool] = False  # it makes up for the steps before it, and is left out with them
    form: ClassVar[str | None] = None  # the format of what it gives, where it is another one

    step: str

    @property
    def idle(self) -> bool:
        """Whether these settings change nothing."""
        return False

    @property
    def label(self) -> str:
        """Its part of a candidate's name, such as `keep 0.5`; empty where it goes without saying."""
        return ""

    def off(self) -> dict[str, Step | None]:
        """What the ledger can switch off, by name: another step in its place, or None to leave it out."""
        return {self.technique: None}

    def apply(self, made: Made, lab: Lab) -> Made:
        """The network after this step; `made` stays as it is."""
        raise NotImplementedError


def carry_out(steps: Sequence[Step], made: Made, lab: Lab) -> Made:
    """The network after all steps, one after the other."""
    for step in steps:
        made = step.apply(made, lab)
    return made


STEPS = {
    "simple": "bessemer.compress.simple.Simple",
    "prune": "bessemer.compress.prune.Prune",
    "distill": "bessemer.compress.distill.Distill",
    "quantize": "bessemer.compress.quantize.Quantize",
}


def step_from(values: Mapping[str, Any]) -> Step:
    """A step from its settings; `step` names one of STEPS, or the dotted path of a stranger's class."""
    name = str(values.get("step", ""))
    remedy = f"known: {', '.join(STEPS)}, or the dotted path of a class of your own"
    if name not in STEPS and "." not in name:
        raise UsageError(f"no step of compression {name!r}", remedy)
    found = load_dotted(STEPS.get(name, name), "step of compression")
    if not (isinstance(found, type) and issubclass(found, Step)):
        raise UsageError(f"{name!r} is no step of compression", "derive it from bessemer.compress.steps.Step")
    return found.model_validate(dict(values))


@dataclass(frozen=True)
class Plan:
    """A candidate before it is made: steps after those of `base`, another candidate, or after the parent."""

    steps: tuple[Step, ...]
    base: Plan | None = None
    asked: bool = True  # False of one that only others begin with: it is no candidate itself

    @property
    def every(self) -> tuple[Step, ...]:
        """All steps from the parent on."""
        return (*(self.base.every if self.base else ()), *self.steps)

    @property
    def chain(self) -> tuple[Plan, ...]:
        """The candidates on the way from the parent to this one, itself last."""
        return (*(self.base.chain if self.base else ()), self)

    @property
    def form(self) -> str:
        """The format of its file."""
        return next((step.form for step in reversed(self.every) if step.form), FLOATS)

    @property
    def curve(self) -> str:
        """What its training is called: its name without the format."""
        return " ".join(step.label for step in self.every if step.label and not step.form) or "as it is"

    @property
    def name(self) -> str:
        """Its name, such as `keep 0.5 int8`."""
        return f"{self.curve} {self.form}"

    @property
    def techniques(self) -> str:
        """What its own steps are, for the ledger; empty where they change nothing."""
        return " + ".join(step.technique for step in self.steps if not step.idle)

    def settings(self) -> list[dict[str, Any]]:
        """All that its steps depend on, as plain values."""
        return [keyed(step) for step in self.every]


def without(steps: Sequence[Step], technique: str) -> tuple[Step, ...]:
    """The steps with a technique switched off; where its step is left out, those that mend it are too."""
    kept: list[Step] = []
    gone = False
    for step in steps:
        if gone and step.mends:
            continue
        gone = False
        options = step.off()
        if technique not in options:
            kept.append(step)
        elif (other := options[technique]) is not None:
            kept.append(other)
        else:
            gone = True
    return tuple(kept)


def techniques(steps: Sequence[Step]) -> list[str]:
    """What can be switched off in a list of steps, in their order."""
    return [name for step in steps if not step.idle for name in step.off()]
