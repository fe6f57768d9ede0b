"""Settings of compression: the contract, the candidates, and how they are trained."""

from __future__ import annotations

import math
from typing import Any, Literal

from pydantic import Field, model_validator

from bessemer.compress.steps import step_from
from bessemer.config import Config, refused_as_value
from bessemer.train.config import TrainConfig
from bessemer.train.optimizer_config import OptimizerConfig


class ContractConfig(Config):
    """What the shipped file must hold, against the parent's fp32 ONNX file. Null terms are not asked."""

    max_drop: float | str | None = Field(
        0.01,
        description="how much worse the task's headline measure may be, in its own numbers (0.01 of accuracy is "
        "one point), or as a share of the parent's value, such as 0.5%",
    )
    min_speedup: float | None = Field(1.0, gt=0, description="times faster than the parent, at `batch`")
    min_shrink: float | None = Field(None, gt=0, description="times fewer bytes than the parent")
    max_bytes: int | None = Field(None, gt=0)
    max_latency_ms: float | None = Field(None, gt=0, description="median at batch 1, on this machine")
    batch: int = Field(64, ge=1, description="batch size of min_speedup")
    beat_baseline: bool = Field(
        True, description="refuse a file that is worse than a simple model on the test split, with confidence"
    )

    @model_validator(mode="after")
    def _drop_is_a_number_or_a_share(self) -> ContractConfig:
        if self.max_drop is not None and not self.most_lost(1.0) >= 0:
            raise ValueError(f"max_drop ({self.max_drop}) must be 0 or more")
        return self

    def most_lost(self, parent: float) -> float:
        """What the headline measure may lose, in its own numbers, where the parent has this value."""
        if not isinstance(self.max_drop, str):
            return math.inf if self.max_drop is None else self.max_drop
        try:
            share = float(self.max_drop.removesuffix("%")) if self.max_drop.endswith("%") else math.nan
        except ValueError:
            share = math.nan
        if math.isnan(share):
            raise ValueError(f"max_drop {self.max_drop!r} is neither a number nor a share such as 0.5%")
        return share / 100 * abs(parent)


class DistillConfig(Config):
    """How much a candidate learns from the parent."""

    weight: float = Field(0.5, ge=0, le=1, description="share of the loss that is the parent's outputs")
    temperature: float = Field(2.0, gt=0)
    features: float = Field(0.1, ge=0, description="weight of attention transfer between stages; 0 is off")


class FinetuneConfig(TrainConfig):
    """Training of a candidate under its parent: shorter and gentler."""

    epochs: float = Field(5, gt=0)
    optimizer: OptimizerConfig = OptimizerConfig(learning_rate=0.05)


class CompressConfig(Config):
    """Candidates from gentle to harsh; the first that meets the contract ships."""

    contract: ContractConfig = ContractConfig()
    simple: bool = Field(
        False,
        description="try the simple model first: it ships where it meets the contract and the parent is not "
        "better for sure",
    )
    ladder: list[float] = Field([0.75, 0.5, 0.25], min_length=1, description="shares of the channels kept")
    search: Literal["first", "all"] = Field(
        "first", description="first stops at the first that meets; all goes on"
    )
    prefer: Literal["speed", "size"] = Field("speed", description="which of those that meet ships")
    candidates: list[list[dict[str, Any]]] | None = Field(
        None,
        description="candidates as lists of steps, in place of the ladder, such as [[{step: prune, keep: 0.5}, "
        "{step: distill}, {step: quantize}]]; a step of your own is named by its dotted path",
    )
    formats: list[Literal["fp32", "int8"]] = Field(["fp32", "int8"], min_length=1)
    round_to: int = Field(8, ge=1, description="channels are kept in multiples of this")
    calibration: int = Field(512, ge=1, description="training images that set the ranges of int8 activations")
    distill: DistillConfig = DistillConfig()
    train: FinetuneConfig = FinetuneConfig()

    @model_validator(mode="after")
    def _ladder_descends(self) -> CompressConfig:
        if any(not 0 < keep <= 1 for keep in self.ladder):
            raise ValueError("compress.ladder holds shares of channels in (0, 1]")
        if self.ladder != sorted(set(self.ladder), reverse=True):
            raise ValueError("compress.ladder goes from gentle to harsh: descending, each share once")
        if len(set(self.formats)) < len(self.formats):
            raise ValueError("compress.formats lists each format once")
        return self

    @model_validator(mode="after")
    def _steps_are_known(self) -> CompressConfig:
        if self.candidates is not None:
            with refused_as_value():
                every = [[step_from(values).model_dump(mode="json") for values in one] for one in self.candidates]
            object.__setattr__(self, "candidates", every)  # with their defaults, which key the stage too
        return self
