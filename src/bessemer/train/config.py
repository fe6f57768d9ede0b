"""Settings of training."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from bessemer.config import Config
from bessemer.errors import UsageError

ADAMW_RATE, ADAMW_DECAY = 2e-3, 0.05  # its steps are about as long as the rate; rates of sgd would blow up


class OptimizerConfig(Config):
    """How weights move along gradients."""

    name: Literal["sgd", "adamw"] = Field("sgd", description="sgd has Nesterov momentum")
    learning_rate: float = Field(
        0.2, gt=0, description="the highest rate of the schedule; adamw takes 0.002 if unset"
    )
    momentum: float = Field(0.9, ge=0, lt=1, description="of sgd")
    betas: list[float] = Field([0.9, 0.999], min_length=2, max_length=2, description="of adamw")
    weight_decay: float = Field(5e-4, ge=0, description="for weights with two or more dimensions")

    @model_validator(mode="before")
    @classmethod
    def _rate_of_adamw(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("name") == "adamw":
            return {"learning_rate": ADAMW_RATE, "weight_decay": ADAMW_DECAY, **values}
        return values

    @model_validator(mode="after")
    def _betas_are_decays(self) -> OptimizerConfig:
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"betas are decays in [0, 1), got {self.betas}")
        return self


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
    cutmix: float = Field(
        0.0, ge=0, description="alpha of the Beta distribution, of images; 0 is off; with mixup it comes first"
    )
    ema: float = Field(0.0, ge=0, lt=1, description="decay of the averaged weights; 0 is off")
    precision: Literal["auto", "fp32", "bf16"] = Field("auto", description="auto measures which is faster here")
    checkpoint_seconds: float = Field(20.0, gt=0, description="time between checkpoints")

    @model_validator(mode="after")
    def _batch_splits(self) -> TrainConfig:
        if self.accumulate > 1 and self.batch_size % (self.accumulate * self.ghost_batch):
            parts = f"accumulate ({self.accumulate}) x ghost_batch ({self.ghost_batch})"
            raise ValueError(f"batch_size ({self.batch_size}) must be a multiple of {parts}")
        return self


def check_shares(batch_size: int, accumulate: int, ghost: int, processes: int, group: str = "train") -> None:
    """Each process and micro-batch must get whole groups of `ghost`; raises UsageError naming what to change."""
    parts = processes * accumulate
    if parts > 1 and batch_size % (parts * ghost):
        problem = (
            f"{group}: a batch of {batch_size} does not give {processes} process(es) x {accumulate} "
            f"micro-batch(es) whole groups of {ghost}"
        )
        raise UsageError(
            problem, f"make {group}.batch_size a multiple of {parts * ghost}, or lower its ghost_batch"
        )
