"""Settings of compression: the contract, the candidates, and how they are trained."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from bessemer.config import Config
from bessemer.train.config import TrainConfig
from bessemer.train.optimizer_config import OptimizerConfig


class ContractConfig(Config):
    """What the shipped file must hold, against the parent's fp32 ONNX file. Null terms are not asked."""

    max_drop: float | None = Field(0.01, ge=0, le=1, description="accuracy that may be lost; 0.01 is one point")
    min_speedup: float | None = Field(1.0, gt=0, description="times faster than the parent, at `batch`")
    min_shrink: float | None = Field(None, gt=0, description="times fewer bytes than the parent")
    max_bytes: int | None = Field(None, gt=0)
    max_latency_ms: float | None = Field(None, gt=0, description="median at batch 1, on this machine")
    batch: int = Field(64, ge=1, description="batch size of min_speedup")


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
    ladder: list[float] = Field([0.75, 0.5, 0.25], min_length=1, description="shares of the channels kept")
    search: Literal["first", "all"] = Field(
        "first", description="first stops at the first that meets; all goes on"
    )
    prefer: Literal["speed", "size"] = Field("speed", description="which of those that meet ships")
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
