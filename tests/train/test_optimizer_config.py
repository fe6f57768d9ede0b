"""Settings of optimizers and schedules: defaults that fit the name, and a word on what does not fit."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from bessemer.train.config import TrainConfig
from bessemer.train.optimizer_config import OPTIMIZER_KEYS, SCHEDULE_KEYS, OptimizerConfig, ScheduleConfig


@pytest.mark.parametrize(
    ("name", "rate", "decay"),
    [
        ("sgd", 0.2, 5e-4),
        ("adamw", 2e-3, 0.05),
        ("muon", 0.02, 0.01),
        ("schedule_free_sgd", 2.0, 5e-4),
        ("schedule_free_adamw", 5e-3, 0.05),
    ],
)
def test_rates_that_are_not_set_fit_the_optimizer(name: Any, rate: float, decay: float) -> None:
    config = OptimizerConfig(name=name)
    assert (config.learning_rate, config.weight_decay) == (rate, decay)
    assert OptimizerConfig(name=name, learning_rate=0.3).learning_rate == 0.3


@pytest.mark.parametrize("name", OPTIMIZER_KEYS)
def test_a_resolved_optimizer_is_accepted_again(name: Any) -> None:
    config = OptimizerConfig(name=name)
    assert OptimizerConfig(**config.model_dump()) == config


@pytest.mark.parametrize("name", SCHEDULE_KEYS)
def test_a_resolved_schedule_is_accepted_again(name: Any) -> None:
    config = ScheduleConfig(name=name)
    assert ScheduleConfig(**config.model_dump()) == config


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"betas": [1.5, 0.9]}, "betas are decays"),
        ({"name": "adamw", "momentum": 0.5}, "momentum is not used by adamw.*sgd, muon, schedule_free_sgd"),
        ({"name": "sgd", "betas": [0.8, 0.9]}, "betas is not used by sgd.*adamw, muon, schedule_free_adamw"),
        ({"name": "adamw", "adamw_rate": 0.1}, "adamw_rate is not used by adamw.*one of muon"),
        ({"name": "adamw", "decoupled": True}, "decoupled is not used by adamw.*one of sgd"),
        ({"name": "schedule_free_sgd", "l1": 0.1}, "l1 is not used by schedule_free_sgd.*sgd, adamw, muon"),
        ({"name": "schedule_free_sgd", "momentum": 0}, "momentum is the share of the average"),
        ({"name": "schedule_free_adamw", "betas": [0.0, 0.9]}, r"betas\[0\] is the share of the average"),
    ],
)
def test_keys_that_do_not_fit_an_optimizer_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        OptimizerConfig(**settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"gamma": 0.5}, "gamma is not used by cosine.*one of step"),
        ({"name": "constant", "floor": 0.1}, "floor is not used by constant.*cosine, linear, exponential"),
        ({"name": "one_cycle", "decay": 0.1}, "decay is not used by one_cycle.*one of wsd"),
        ({"name": "exponential", "floor": 0}, "floor must be above 0"),
        ({"name": "step", "milestones": [0.75, 0.5]}, "milestones are rising shares"),
        ({"name": "step", "milestones": [0.05]}, r"milestones are rising shares from warmup \(0.1\)"),
        ({"name": "step", "milestones": [0.5, 1.0]}, "milestones are rising shares"),
        ({"name": "wsd", "warmup": 0.5, "decay": 0.6}, "exceed the run"),
    ],
)
def test_keys_that_do_not_fit_a_schedule_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ScheduleConfig(**settings)


@pytest.mark.parametrize("optimizer", [{"name": "schedule_free_sgd"}, OptimizerConfig(name="schedule_free_adamw")])
def test_schedule_free_takes_a_constant_rate(optimizer: Any) -> None:
    config = TrainConfig(optimizer=optimizer)
    assert config.schedule == ScheduleConfig(name="constant")
    assert TrainConfig(optimizer=optimizer, schedule={"warmup": 0.2}).schedule.name == "constant"
    assert TrainConfig(**config.model_dump()) == config


def test_what_schedule_free_makes_needless_is_refused() -> None:
    optimizer = OptimizerConfig(name="schedule_free_sgd")
    with pytest.raises(ValidationError, match=r"set schedule\.name to constant"):
        TrainConfig(optimizer=optimizer, schedule=ScheduleConfig())
    with pytest.raises(ValidationError, match="averages weights already; set ema to 0"):
        TrainConfig(optimizer=optimizer, ema=0.9)
