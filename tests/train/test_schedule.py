"""The learning rate as a function of the step, against torch's schedulers."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim import lr_scheduler

from bessemer.train.optimizer_config import ScheduleConfig
from bessemer.train.schedule import rate_at

NAMES = ["cosine", "linear", "constant", "step", "exponential", "one_cycle", "wsd"]
WITH_FLOOR = ["cosine", "linear", "exponential", "one_cycle", "wsd"]
steps_of_a_run = st.integers(1, 500)
warmups = st.floats(0, 0.8)  # wsd falls in the last fifth
names = st.sampled_from(NAMES)


def schedule(name: str, warmup: float, **settings: Any) -> ScheduleConfig:
    """A schedule whose milestones, if it has any, lie behind the warm-up."""
    if name == "step":
        settings = {"milestones": [max(warmup, 0.5), max(warmup, 0.5) + 0.1], **settings}
    return ScheduleConfig(name=name, warmup=warmup, **settings)


def curve(config: ScheduleConfig, steps: int) -> list[float]:
    return [rate_at(config, step, steps) for step in range(steps)]


def of_torch(build: Callable[[torch.optim.Optimizer], Any], steps: int) -> list[float]:
    """Rates that a scheduler of torch gives to an optimizer whose highest rate is 1."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = build(optimizer)
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


TORCH: dict[str, tuple[dict[str, Any], Callable[[torch.optim.Optimizer], Any]]] = {
    "cosine": ({}, lambda o: lr_scheduler.CosineAnnealingLR(o, 100)),
    "cosine to a floor": (
        {"name": "cosine", "floor": 0.1},
        lambda o: lr_scheduler.CosineAnnealingLR(o, 100, eta_min=0.1),
    ),
    "linear": ({}, lambda o: lr_scheduler.LinearLR(o, 1.0, 0.0, 100)),
    "linear to a floor": ({"name": "linear", "floor": 0.2}, lambda o: lr_scheduler.LinearLR(o, 1.0, 0.2, 100)),
    "constant": ({}, lambda o: lr_scheduler.ConstantLR(o, 1.0)),
    "step": ({}, lambda o: lr_scheduler.MultiStepLR(o, [50, 75], 0.1)),
    "even steps": (
        {"name": "step", "milestones": [0.25, 0.5, 0.75], "gamma": 0.5},
        lambda o: lr_scheduler.StepLR(o, 25, 0.5),
    ),
    "exponential": ({}, lambda o: lr_scheduler.ExponentialLR(o, 0.01**0.01)),
    "one_cycle": (
        {"warmup": 0.3, "floor": 0.001},
        # torch counts to the last step, here the end of the last step counts
        lambda o: lr_scheduler.OneCycleLR(
            o, 1.0, 101, pct_start=31 / 101, div_factor=25, final_div_factor=40, cycle_momentum=False
        ),
    ),
    "wsd": (
        {"shape": "linear", "decay": 0.25},
        lambda o: lr_scheduler.SequentialLR(
            o, [lr_scheduler.ConstantLR(o, 1.0), lr_scheduler.LinearLR(o, 1.0, 0.0, 25)], [75]
        ),
    ),
}


@pytest.mark.parametrize("case", TORCH)
def test_it_is_the_curve_of_torchs_scheduler(case: str) -> None:
    settings, build = TORCH[case]
    config = ScheduleConfig(**{"name": case, "warmup": 0, **settings})
    assert curve(config, 100) == pytest.approx(of_torch(build, 100), rel=1e-6, abs=1e-9)


def test_warm_up_and_cosine_are_torchs_in_sequence() -> None:
    def build(optimizer: torch.optim.Optimizer) -> Any:
        rise = lr_scheduler.LinearLR(optimizer, 1 / 11, 1.0, 10)
        return lr_scheduler.SequentialLR(optimizer, [rise, lr_scheduler.CosineAnnealingLR(optimizer, 90)], [10])

    assert curve(ScheduleConfig(warmup=0.1), 100) == pytest.approx(of_torch(build, 100), rel=1e-6, abs=1e-9)


def test_cosine_takes_its_known_values() -> None:
    config = ScheduleConfig(name="cosine", warmup=0)
    assert rate_at(config, 0, 100) == 1
    assert rate_at(config, 25, 100) == pytest.approx((1 + math.sqrt(0.5)) / 2)
    assert rate_at(config, 50, 100) == pytest.approx(0.5)
    assert rate_at(config, 99, 100) == pytest.approx(0.5 * (1 + math.cos(0.99 * math.pi)))


def test_the_square_root_of_wsd_falls_fast_at_first() -> None:
    config = ScheduleConfig(name="wsd", warmup=0, decay=0.4)
    assert curve(config, 10) == pytest.approx([1] * 7 + [1 - math.sqrt(part) for part in (0.25, 0.5, 0.75)])


def test_warm_up_rises_in_equal_steps_and_then_the_rate_is_full() -> None:
    rates = curve(ScheduleConfig(name="constant", warmup=0.4), 10)
    assert rates == pytest.approx([0.2, 0.4, 0.6, 0.8] + [1.0] * 6)


@pytest.mark.parametrize("name", NAMES)
def test_the_rate_is_full_after_warm_up(name: str) -> None:
    assert rate_at(schedule(name, 0.1), 10, 100) == 1


@given(names, warmups, steps_of_a_run)
def test_the_rate_lies_above_zero_and_at_most_at_one(name: str, warmup: float, steps: int) -> None:
    assert all(0 < rate <= 1 for rate in curve(schedule(name, warmup), steps))


@given(names, warmups, steps_of_a_run)
def test_the_rate_rises_in_warm_up_and_never_after(name: str, warmup: float, steps: int) -> None:
    rates = curve(schedule(name, warmup), steps)
    rising = math.ceil(warmup * steps)
    assert all(rates[i] < rates[i + 1] for i in range(min(rising, steps) - 1))
    assert all(rates[i] >= rates[i + 1] for i in range(rising, steps - 1))


@given(names, warmups, steps_of_a_run)
def test_the_rate_depends_on_the_step_only(name: str, warmup: float, steps: int) -> None:
    config = schedule(name, warmup)
    forward = curve(config, steps)
    assert [rate_at(config, step, steps) for step in reversed(range(steps))] == forward[::-1]


@given(st.sampled_from(WITH_FLOOR), warmups, st.floats(0.001, 0.99), st.integers(10, 500))
def test_it_ends_at_its_floor(name: str, warmup: float, floor: float, steps: int) -> None:
    config = schedule(name, warmup, floor=floor)
    assert rate_at(config, steps, steps) == pytest.approx(floor)
    assert min(curve(config, steps)[math.ceil(warmup * steps) :]) >= floor * (1 - 1e-12)


@given(st.sampled_from(["cosine", "linear", "wsd"]), warmups, st.integers(1, 500))
def test_it_falls_without_jumps(name: str, warmup: float, steps: int) -> None:
    settings = {"shape": "linear"} if name == "wsd" else {}
    rates = curve(schedule(name, warmup, **settings), steps)[math.ceil(warmup * steps) :]
    length = 0.2 * steps if name == "wsd" else steps * (1 - warmup)
    largest = math.pi / 2 / length + 1e-9  # the slope of a cosine; a line's is less
    assert all(before - after <= largest for before, after in itertools.pairwise(rates))


@given(names, st.integers(20, 200))
def test_twice_as_many_steps_take_the_same_curve(name: str, steps: int) -> None:
    config = schedule(name, 0)
    assert curve(config, 2 * steps)[::2] == pytest.approx(curve(config, steps))
