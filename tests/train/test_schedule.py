"""The learning rate as a function of the step."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bessemer.train.config import ScheduleConfig
from bessemer.train.schedule import rate_at

steps_of_a_run = st.integers(1, 500)
warmups = st.floats(0, 0.99)
names = st.sampled_from(["cosine", "constant"])


def curve(config: ScheduleConfig, steps: int) -> list[float]:
    return [rate_at(config, step, steps) for step in range(steps)]


def test_cosine_takes_its_known_values() -> None:
    config = ScheduleConfig(name="cosine", warmup=0)
    assert rate_at(config, 0, 100) == 1
    assert rate_at(config, 25, 100) == pytest.approx((1 + math.sqrt(0.5)) / 2)
    assert rate_at(config, 50, 100) == pytest.approx(0.5)
    assert rate_at(config, 99, 100) == pytest.approx(0.5 * (1 + math.cos(0.99 * math.pi)))


def test_warm_up_rises_in_equal_steps_and_then_the_rate_is_full() -> None:
    rates = curve(ScheduleConfig(name="constant", warmup=0.4), 10)
    assert rates == pytest.approx([0.2, 0.4, 0.6, 0.8] + [1.0] * 6)


def test_cosine_starts_at_the_full_rate_after_warm_up() -> None:
    config = ScheduleConfig(name="cosine", warmup=0.1)
    assert rate_at(config, 10, 100) == 1
    assert rate_at(config, 55, 100) == pytest.approx(0.5)


@given(names, warmups, steps_of_a_run)
def test_the_rate_lies_above_zero_and_at_most_at_one(name: str, warmup: float, steps: int) -> None:
    rates = curve(ScheduleConfig(name=name, warmup=warmup), steps)
    assert all(0 < rate <= 1 for rate in rates)


@given(names, warmups, steps_of_a_run)
def test_the_rate_rises_in_warm_up_and_never_after(name: str, warmup: float, steps: int) -> None:
    rates = curve(ScheduleConfig(name=name, warmup=warmup), steps)
    rising = math.ceil(warmup * steps)
    assert all(rates[i] < rates[i + 1] for i in range(min(rising, steps) - 1))
    assert all(rates[i] >= rates[i + 1] for i in range(rising, steps - 1))


@given(names, warmups, steps_of_a_run)
def test_the_rate_depends_on_the_step_only(name: str, warmup: float, steps: int) -> None:
    config = ScheduleConfig(name=name, warmup=warmup)
    forward = curve(config, steps)
    assert [rate_at(config, step, steps) for step in reversed(range(steps))] == forward[::-1]
