"""Only the samples with the largest losses are learned from."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from pydantic import Field, model_validator

from bessemer.config import Config
from bessemer.train.methods.technique import Setup, Technique

if TYPE_CHECKING:
    from bessemer.train.config import TrainConfig
    from bessemer.train.methods.selective.hooks import Selective


class SelectiveConfig(Config):
    """Only the samples with the largest losses are learned from."""

    keep: float = Field(0.5, gt=0, lt=1, description="share of the samples; a fraction of at most eighths")
    start: float = Field(0.5, ge=0, lt=1, description="share of the steps after which it begins")
    end: float = Field(0.9, gt=0, le=1, description="share of the steps after which all samples count again")

    @property
    def fraction(self) -> Fraction:
        """`keep` as p / q: of q ghost groups p are kept."""
        return Fraction(self.keep).limit_denominator(8)

    @model_validator(mode="after")
    def _is_possible(self) -> SelectiveConfig:
        if abs(float(self.fraction) - self.keep) > 1e-3 or not 0 < self.fraction < 1:
            raise ValueError(f"keep {self.keep} is not a fraction of halves to eighths; take 0.5, 0.25 or 0.75")
        if self.start >= self.end:
            raise ValueError(f"start ({self.start}) must come before end ({self.end})")
        return self


def build(config: SelectiveConfig, setup: Setup) -> Selective:
    """The hooks of a run."""
    from bessemer.train.methods.selective.hooks import Selective

    return Selective(config, setup.objective, setup.group, setup.steps)


def refuse(config: SelectiveConfig, train: TrainConfig) -> None:
    """Refuse batches without whole blocks, and a guard that would take its jumps for faults."""
    train.check_groups()
    if train.guard.spike is not None:
        raise ValueError("selective makes the loss jump, which guard.spike takes for a fault; set one to null")


METHOD = Technique(
    name="selective back-propagation",
    setting=SelectiveConfig | None,
    default=Field(None, description="learn from the samples with the largest losses alone; null is off"),
    build=build,
    refuse=refuse,
)
