"""Settings of optimizers and of the schedule of their learning rate."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from bessemer.config import Config

SCHEDULE_FREE = ("schedule_free_sgd", "schedule_free_adamw")
# Rates of different optimizers differ by orders of magnitude: the steps of adamw are about as long as its rate;
# momentum 0.9 makes those of sgd ten times as long as those of schedule_free_sgd. Averages let adamw take more.
OPTIMIZER_DEFAULTS: dict[str, dict[str, Any]] = {
    "sgd": {},
    "adamw": {"learning_rate": 2e-3, "weight_decay": 0.05},
    "muon": {"learning_rate": 0.02, "momentum": 0.95, "weight_decay": 0.01, "betas": [0.9, 0.95]},
    "schedule_free_sgd": {"learning_rate": 2.0},
    "schedule_free_adamw": {"learning_rate": 5e-3, "weight_decay": 0.05},
}
OPTIMIZER_KEYS = {  # beside learning_rate and weight_decay, which all have
    "sgd": {"momentum", "decoupled", "l1"},
    "adamw": {"betas", "l1"},
    "muon": {"momentum", "betas", "adamw_rate", "l1"},
    "schedule_free_sgd": {"momentum"},
    "schedule_free_adamw": {"betas"},
}
SCHEDULE_DEFAULTS: dict[str, dict[str, Any]] = {"one_cycle": {"warmup": 0.3}, "exponential": {"floor": 0.01}}
SCHEDULE_KEYS: dict[str, set[str]] = {  # beside warmup, which all have
    "cosine": {"floor"},
    "linear": {"floor"},
    "constant": set(),
    "step": {"milestones", "gamma"},
    "exponential": {"floor"},
    "one_cycle": {"floor", "start"},
    "wsd": {"floor", "decay", "shape"},
}


def refuse_unused(config: Config, name: str, used: dict[str, set[str]], always: set[str]) -> None:
    """Refuse keys that the choice `name` does not use, unless they have their default: a resolved recipe has all.

    Raises ValueError that names the key and the choices that use it.
    """
    for key, field in type(config).model_fields.items():
        if key in used[name] | always or getattr(config, key) == field.default:
            continue
        users = ", ".join(choice for choice, keys in used.items() if key in keys)
        raise ValueError(f"{key} is not used by {name}; leave it out, or choose one of {users}")


class OptimizerConfig(Config):
    """How weights move along gradients."""

    name: Literal["sgd", "adamw", "muon", "schedule_free_sgd", "schedule_free_adamw"] = Field(
        "sgd", description="sgd has Nesterov momentum; muon takes adamw for what is no hidden matrix"
    )
    learning_rate: float = Field(
        0.2,
        gt=0,
        description="the highest rate of the schedule; if unset adamw takes 0.002, muon 0.02, "
        "schedule_free_sgd 2, schedule_free_adamw 0.005",
    )
    momentum: float = Field(
        0.9, ge=0, lt=1, description="of sgd, muon (0.95 if unset), schedule_free_sgd (its share of the average)"
    )
    betas: list[float] = Field(
        [0.9, 0.999],
        min_length=2,
        max_length=2,
        description="of adamw, of adamw beside muon (0.9, 0.95 if unset), of schedule_free_adamw (the first is "
        "the share of the average)",
    )
    weight_decay: float = Field(
        5e-4,
        ge=0,
        description="for weights with two or more dimensions; if unset adamw takes 0.05, muon 0.01, "
        "schedule_free_adamw 0.05",
    )
    decoupled: bool = Field(False, description="of sgd: weights decay beside the gradient, not through momentum")
    l1: float = Field(
        0.0, ge=0, description="weights with two or more dimensions move to zero by this times the rate each step"
    )
    adamw_rate: float = Field(
        0.01,
        gt=0,
        description="of muon: the highest rate of what is no hidden matrix: embeddings, head, biases, norms",
    )

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_the_name(cls, values: Any) -> Any:
        if isinstance(values, dict) and isinstance(values.get("name"), str):
            return {**OPTIMIZER_DEFAULTS.get(values["name"], {}), **values}
        return values

    @model_validator(mode="after")
    def _keys_fit_the_name(self) -> OptimizerConfig:
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"betas are decays in [0, 1), got {self.betas}")
        refuse_unused(self, self.name, OPTIMIZER_KEYS, {"name", "learning_rate", "weight_decay"})
        if self.name in SCHEDULE_FREE and self.average_share == 0:
            key = "momentum" if self.name == "schedule_free_sgd" else "betas[0]"
            raise ValueError(f"{key} is the share of the average in {self.name}; set it above 0, as 0.9")
        return self

    @property
    def average_share(self) -> float:
        """Where schedule_free takes its gradients: this share of the average, the rest of the moving weights."""
        return self.momentum if self.name == "schedule_free_sgd" else self.betas[0]


class ScheduleConfig(Config):
    """The learning rate as a function of the step. Shares are of all steps of the run."""

    name: Literal["cosine", "linear", "constant", "step", "exponential", "one_cycle", "wsd"] = Field(
        "cosine", description="constant if unset with an optimizer that is free of schedules"
    )
    warmup: float = Field(
        0.1, ge=0, lt=1, description="share of the steps in which the rate rises; one_cycle takes 0.3 if unset"
    )
    floor: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="factor at the end, of cosine, linear, exponential (0.01 if unset), one_cycle and wsd",
    )
    milestones: list[float] = Field(
        [0.5, 0.75], min_length=1, description="of step: shares after which the rate falls by gamma"
    )
    gamma: float = Field(0.1, gt=0, le=1, description="of step: factor at each milestone")
    start: float = Field(0.04, gt=0, le=1, description="of one_cycle: factor at the first step")
    decay: float = Field(0.2, gt=0, le=1, description="of wsd: share of the steps, at the end, of the fall")
    shape: Literal["sqrt", "linear"] = Field("sqrt", description="of wsd: the fall, 1 - sqrt(x) or 1 - x")

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_the_name(cls, values: Any) -> Any:
        if isinstance(values, dict) and isinstance(values.get("name"), str):
            return {**SCHEDULE_DEFAULTS.get(values["name"], {}), **values}
        return values

    @model_validator(mode="after")
    def _keys_fit_the_name(self) -> ScheduleConfig:
        refuse_unused(self, self.name, SCHEDULE_KEYS, {"name", "warmup"})
        if self.name == "exponential" and self.floor == 0:
            raise ValueError("floor must be above 0 for exponential, which never reaches 0; set it to 0.01")
        unsorted = self.milestones != sorted(set(self.milestones))
        if self.name == "step" and (unsorted or not self.warmup <= self.milestones[0] <= self.milestones[-1] < 1):
            raise ValueError(
                f"milestones are rising shares from warmup ({self.warmup:g}) to below 1, got {self.milestones}"
            )
        if self.name == "wsd" and self.warmup + self.decay > 1:
            raise ValueError(f"warmup ({self.warmup:g}) and decay ({self.decay:g}) exceed the run; lower one")
        return self
