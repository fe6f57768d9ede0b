"""Settings of training."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from bessemer.config import Config


class OptimizerConfig(Config):
    """How weights move along gradients."""

    name: Literal["sgd", "adamw"] = Field("sgd", description="sgd has Nesterov momentum")
    learning_rate: float = Field(0.2, gt=0, description="the highest rate of the schedule")
    momentum: float = Field(0.9, ge=0, lt=1, description="of sgd")
    betas: list[float] = Field([0.9, 0.999], min_length=2, max_length=2, description="of adamw")
    weight_decay: float = Field(5e-4, ge=0, description="for weights with two or more dimensions")


class ScheduleConfig(Config):
    """The learning rate as a function of the step."""

    name: Literal["cosine", "constant"] = "cosine"
    warmup: float = Field(0.1, ge=0, lt=1, description="share of the steps in which the rate rises linearly")


class TrainConfig(Config):
    """One training run."""

    epochs: float = Field(20, gt=0)
    batch_size: int = Field(256, ge=1)
    ghost_batch: int = Field(32, ge=2, description="samples whose statistics batch normalization shares")
    accumulate: int = Field(1, ge=1, description="micro-batches a step, to save memory")
    optimizer: OptimizerConfig = OptimizerConfig()
    schedule: ScheduleConfig = ScheduleConfig()
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    mixup: float = Field(0.0, ge=0, description="alpha of the Beta distribution; 0 is off")
    ema: float = Field(0.0, ge=0, lt=1, description="decay of the averaged weights; 0 is off")
    precision: Literal["auto", "fp32", "bf16"] = Field("auto", description="auto measures which is faster here")
    checkpoint_seconds: float = Field(20.0, gt=0, description="time between checkpoints")

    @model_validator(mode="after")
    def _batch_splits(self) -> TrainConfig:
        if self.batch_size % self.accumulate:
            raise ValueError(
                f"batch_size ({self.batch_size}) must be a multiple of accumulate ({self.accumulate})"
            )
        if self.mixup > 0 and self.ghost_batch < 2:
            raise ValueError("mixup pairs samples within a ghost batch; set ghost_batch to 2 or more")
        return self
