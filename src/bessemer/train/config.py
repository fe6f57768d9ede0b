"""Settings of training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, create_model, model_validator

from bessemer.config import IF_SET, NO_EFFECT, Config
from bessemer.errors import UsageError
from bessemer.train.memory.config import MemoryConfig
from bessemer.train.methods.batch_warmup import BatchWarmupConfig
from bessemer.train.methods.methods import METHODS, StrangersMethod, find_method
from bessemer.train.methods.selective import SelectiveConfig
from bessemer.train.methods.technique import Use
from bessemer.train.optimizer_config import SCHEDULE_FREE, OptimizerConfig, ScheduleConfig


class GuardConfig(Config):
    """What happens at steps that would spoil the weights. They are skipped by all ranks together."""

    skips: int = Field(3, ge=1, description="skipped steps in a row after which weights go back to a checkpoint")
    rewinds: int = Field(2, ge=0, description="how often weights may go back before training is given up")
    spike: float | None = Field(
        None, ge=3, description="skip losses so many deviations over the median of the last 64; unset is off"
    )


class _Start(Config):
    """What stands in front of the methods."""

    epochs: float = Field(20, gt=0)
    minutes: float | None = Field(
        None,
        gt=0,
        description="fewer epochs where these would take longer on this machine, by steps timed before the first",
    )
    batch_size: int = Field(256, ge=1)
    ghost_batch: int = Field(32, ge=2, description="samples whose statistics batch normalization shares")
    accumulate: int = Field(1, ge=1, description="micro-batches a step, to save memory")
    optimizer: OptimizerConfig = OptimizerConfig()
    schedule: ScheduleConfig = ScheduleConfig()
    clip: float = Field(0.0, ge=0, description="longest global norm of the gradients; 0 is off")


def _with_methods() -> type[_Start]:
    fields: dict[str, Any] = {key: (one.setting, one.default) for key, one in METHODS.items()}
    return create_model("_Methods", __base__=_Start, **fields)


if TYPE_CHECKING:  # a type checker sees no fields that come from a table: ask `setting` for them
    _Methods = _Start
else:
    _Methods = _with_methods()


class TrainConfig(_Methods):
    """One training run."""

    methods: list[StrangersMethod] = Field(
        [],
        description="methods of your own by their dotted paths, such as [{name: mine.NOISE, strength: 0.1}]; they "
        "run behind ours, but before averages",
        json_schema_extra=IF_SET,
    )
    memory: MemoryConfig = MemoryConfig()
    precision: Literal["auto", "fp32", "bf16"] = Field("auto", description="auto measures which is faster here")
    compile: bool | Literal["auto"] = Field(
        "auto", description="torch.compile; auto tries it where the run is long enough to repay it, and tells"
    )
    autotune: bool = Field(False, description="time compiled steps and fewer threads before the first step")
    checkpoint_seconds: float = Field(
        20.0, gt=0, description="time between checkpoints", json_schema_extra=NO_EFFECT
    )
    guard: GuardConfig = GuardConfig()

    @model_validator(mode="before")
    @classmethod
    def _schedule_of_the_optimizer(cls, values: Any) -> Any:
        """An optimizer that is free of schedules gets a constant rate, where no other is named."""
        if not isinstance(values, dict):
            return values
        optimizer, schedule = values.get("optimizer"), values.get("schedule", {})
        name = optimizer.get("name") if isinstance(optimizer, dict) else getattr(optimizer, "name", None)
        if name in SCHEDULE_FREE and isinstance(schedule, dict):
            return {**values, "schedule": {"name": "constant", **schedule}}
        return values

    @model_validator(mode="after")
    def _free_of_schedules(self) -> TrainConfig:
        name = self.optimizer.name
        if name in SCHEDULE_FREE and self.schedule.name != "constant":
            raise ValueError(f"{name} needs a rate that does not fall; set schedule.name to constant")
        return self

    @model_validator(mode="after")
    def _batch_splits(self) -> TrainConfig:
        if self.accumulate > 1 and self.batch_size % (self.accumulate * self.ghost_batch):
            parts = f"accumulate ({self.accumulate}) x ghost_batch ({self.ghost_batch})"
            raise ValueError(f"batch_size ({self.batch_size}) must be a multiple of {parts}")
        return self

    @model_validator(mode="after")
    def _methods_fit(self) -> TrainConfig:
        for use in self.uses():
            use.technique.refuse(use.value, self)
        return self

    @model_validator(mode="after")
    def _memory_fits(self) -> TrainConfig:
        if self.compile is True and self.memory.changes_layers:
            raise ValueError("compiled code keeps activations in its own way; set compile to false, or memory off")
        return self

    def setting(self, key: str) -> Any:
        """The value of a method's key."""
        return getattr(self, key)

    def uses(self) -> list[Use]:
        """The methods that are switched on, in the order in which they go together."""
        values = [Use(key, one, self.setting(key)) for key, one in METHODS.items()]
        ours = [use for use in values if use.value != use.technique.off]
        return ours + [Use(f"methods: {one.name}", find_method(one.name), one) for one in self.methods]

    @property
    def growth(self) -> int:
        """How many times as large as the first batch the last one is."""
        warmup: BatchWarmupConfig | None = self.setting("batch_warmup")
        return warmup.growth if warmup else 1

    @property
    def block(self) -> int:
        """Samples that must come to one process and micro-batch together."""
        selective: SelectiveConfig | None = self.setting("selective")
        return self.ghost_batch * (selective.fraction.denominator if selective else 1)

    def check_groups(self) -> None:
        """Raises ValueError where the first batch has no whole groups of samples for each micro-batch."""
        whole = self.growth * self.accumulate * self.block
        if self.batch_size % whole:
            problem = f"batch_size ({self.batch_size}) does not give whole groups of {self.block} samples"
            raise ValueError(f"{problem}; make it a multiple of {whole}, or lower ghost_batch")

    def check_processes(self, processes: int, group: str = "train") -> None:
        """Raises UsageError where so many processes would not get whole groups of samples."""
        check_shares(self.batch_size, self.accumulate, self.block, processes, group, self.growth)


def check_shares(
    batch_size: int, accumulate: int, ghost: int, processes: int, group: str = "train", growth: int = 1
) -> None:
    """Each process and micro-batch must get whole groups of `ghost`; raises UsageError naming what to change.

    Batches that grow are `growth` times as large as the first ones, which must be shared too.
    """
    parts, first = processes * accumulate, batch_size // growth
    if parts > 1 and first % (parts * ghost):
        problem = (
            f"{group}: a batch of {first} does not give {processes} process(es) x {accumulate} "
            f"micro-batch(es) whole groups of {ghost}"
        )
        raise UsageError(
            problem, f"make {group}.batch_size a multiple of {parts * ghost * growth}, or lower its ghost_batch"
        )
