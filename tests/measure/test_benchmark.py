"""Timing: turns, counts, and ratios of known times."""

from __future__ import annotations

import pytest

from bessemer.measure import benchmark
from bessemer.measure.benchmark import interleave, speedup, summarize


class Clock:
    """A clock that stands still unless a runner takes time."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(benchmark, "time", clock)
    return clock


def test_each_round_begins_with_another_runner_and_two_rounds_are_not_counted(clock: Clock) -> None:
    calls: list[str] = []
    runners = {name: (lambda name=name: calls.append(name)) for name in ("a", "b", "c")}
    times = interleave(runners, seconds=0, rounds=4)
    rounds = ["".join(calls[start : start + 3]) for start in range(0, 18, 3)]
    assert rounds == ["bca", "cab", "abc", "bca", "cab", "abc"]
    assert {name: len(taken) for name, taken in times.items()} == {"a": 4, "b": 4, "c": 4}


def test_each_runner_is_charged_its_own_time(clock: Clock) -> None:
    def take(seconds: float) -> None:
        clock.now += seconds

    times = interleave({"slow": lambda: take(0.5), "fast": lambda: take(0.25)}, seconds=0, rounds=3)
    assert times == {"slow": [0.5] * 3, "fast": [0.25] * 3}


def test_rounds_go_on_until_the_time_is_up(clock: Clock) -> None:
    def take() -> None:
        clock.now += 0.25

    times = interleave({"one": take, "two": take}, seconds=10, rounds=1)
    assert len(times["one"]) == len(times["two"]) == 18  # twenty rounds of half a second, less two


def test_warm_up_time_is_not_counted(clock: Clock) -> None:
    calls = 0

    def cold_at_first() -> None:
        nonlocal calls
        clock.now += 5.0 if calls < 2 else 0.125
        calls += 1

    assert interleave({"one": cold_at_first}, seconds=0, rounds=3) == {"one": [0.125] * 3}


def test_summarize_gives_percentiles_in_milliseconds() -> None:
    times = [i / 1000 for i in range(101)]
    assert summarize(times) == pytest.approx({"median_ms": 50, "p10_ms": 10, "p90_ms": 90, "trials": 101})


def test_speedup_of_known_times() -> None:
    assert speedup([0.3] * 10, [0.1] * 10) == pytest.approx({"value": 3, "low": 3, "high": 3})
    assert speedup([0.1] * 10, [0.2] * 10)["value"] == pytest.approx(0.5)


def test_speedup_is_a_ratio_of_medians_inside_its_interval() -> None:
    reference = [0.2, 0.22, 0.21, 0.9, 0.2, 0.19, 0.21]
    other = [0.1, 0.11, 0.1, 0.12, 0.5, 0.1, 0.09]
    found = speedup(reference, other)
    assert found["value"] == pytest.approx(0.21 / 0.1)
    assert found["low"] <= found["value"] <= found["high"]
    assert found == speedup(reference, other)


def test_noise_that_hits_both_in_the_same_round_does_not_widen_the_interval() -> None:
    noise = [1.0, 1.4, 0.8, 3.0, 1.1, 1.2, 0.9, 2.0]
    found = speedup([0.2 * n for n in noise], [0.1 * n for n in noise])
    assert (found["low"], found["high"]) == pytest.approx((2, 2))
