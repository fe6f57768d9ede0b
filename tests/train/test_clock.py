"""The progress line, and what a training costs over all its attempts."""

from __future__ import annotations

import json
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from bessemer.data.dataset import Batch
from bessemer.data.order import Order
from bessemer.runtime import Runtime
from bessemer.train import clock as module
from bessemer.train.clock import FILE, Clock, duration, memory_size, resident

ORDER = Order(1000, 10, 0)


class Time:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock_time(monkeypatch: pytest.MonkeyPatch) -> Time:
    found = Time()
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=found.monotonic))
    monkeypatch.setattr(module, "resident", lambda: 512_000_000)
    monkeypatch.setattr(module, "_peak_resident", lambda: 0)
    return found


def batch(step: int, targets: torch.Tensor | None = None) -> Batch:
    labels = torch.zeros(10, dtype=torch.int64) if targets is None else targets
    return Batch(torch.zeros(10, 4), labels, np.arange(10, dtype=np.uint64), step)


def drive(
    clock: Clock, now: Time, seconds: list[float], start: int = 0, wait: float = 0.0, **options: Any
) -> None:
    """Take a step of each of these lengths, the batch coming after `wait` seconds of it."""

    def batches() -> Any:
        for step in range(start, start + len(seconds)):
            now.now += wait
            yield batch(step, **options)

    for one, length in zip(clock.watch(batches()), seconds, strict=True):
        now.now += length - wait
        clock.took(one.step)


def test_the_line_says_loss_rate_time_left_and_memory(clock_time: Time) -> None:
    clock = Clock(ORDER, Runtime())
    drive(clock, clock_time, [0.1] * 50)
    assert clock.line(50, 100, 0.51234) == "loss 0.512 · 100 samples/s · 5 s left · 512 MB"
    assert clock.line(50, 100, None).startswith("loss nan · ")
    assert clock.line(50, 100, 0.51234, 0.5).startswith("loss 0.512 (at least 0.500) · ")


def test_language_is_told_in_tokens(clock_time: Time) -> None:
    clock = Clock(ORDER, Runtime())
    drive(clock, clock_time, [0.1] * 5, targets=torch.zeros(10, 32, dtype=torch.int64))
    assert "3,200 tokens/s" in clock.line(5, 10, 1.0)


def test_shares_of_classes_are_no_tokens(clock_time: Time) -> None:
    clock = Clock(ORDER, Runtime())
    drive(clock, clock_time, [0.1] * 5, targets=torch.zeros(10, 3))
    assert "100 samples/s" in clock.line(5, 10, 1.0)


def test_neither_a_slow_first_step_nor_a_pause_nor_a_resume_distorts_the_rate(clock_time: Time) -> None:
    clock = Clock(ORDER, Runtime())
    drive(clock, clock_time, [60.0, *[0.1] * 10], start=50)  # it compiles
    clock_time.now += 30.0  # it validates
    drive(clock, clock_time, [0.1] * 10, start=61)
    assert "100 samples/s" in clock.line(71, 100, 1.0)


def test_the_rate_is_that_of_the_recent_past(clock_time: Time) -> None:
    clock = Clock(ORDER, Runtime())
    drive(clock, clock_time, [0.1] * 600)
    drive(clock, clock_time, [0.2] * 900, start=600)
    assert "50 samples/s" in clock.line(1500, 2000, 1.0)


def test_time_left_counts_on_pauses_like_those_before(clock_time: Time) -> None:
    clock = Clock(ORDER, Runtime())
    drive(clock, clock_time, [0.1] * 100)
    clock_time.now += 10.0
    assert "20 s left" in clock.line(100, 200, 1.0)


def test_waiting_for_data_counts_but_for_the_first_batch(clock_time: Time) -> None:
    clock = Clock(ORDER, Runtime())
    drive(clock, clock_time, [0.5] * 9, wait=0.1)
    cost = clock.cost()
    assert cost["stall"] == pytest.approx(8 * 0.1 / 4.5)
    assert cost["memory"] == 512_000_000
    assert (cost["attempts"], cost["resumed"]) == (1, [])


def test_all_attempts_count(clock_time: Time, tmp_path: Path) -> None:
    def attempt(start: int) -> None:
        with Clock(ORDER, Runtime(), tmp_path) as clock:
            drive(clock, clock_time, [0.5] * 10, start=start)
            raise KeyError

    for start in (0, 40):
        with pytest.raises(KeyError):
            attempt(start)
    with Clock(ORDER, Runtime(), tmp_path) as last:
        pass  # nothing was left to do
    assert last.cost()["seconds"] == pytest.approx(10.0)
    assert (last.cost()["attempts"], last.cost()["resumed"]) == (2, [40])


def test_a_killed_attempt_counts_up_to_a_moment_before(clock_time: Time, tmp_path: Path) -> None:
    drive(Clock(ORDER, Runtime(), tmp_path), clock_time, [6.0] * 4)
    assert Clock(ORDER, Runtime(), tmp_path).cost()["seconds"] == pytest.approx(24.0)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"seconds": 3}', '{"seconds": null}'])
def test_a_file_that_cannot_be_read_counts_as_none(text: str, clock_time: Time, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(text)
    assert Clock(ORDER, Runtime(), tmp_path).cost()["attempts"] == 0


def test_only_the_main_rank_keeps_a_file(clock_time: Time, tmp_path: Path) -> None:
    with Clock(ORDER, Runtime(rank=1, world=2), tmp_path) as clock:
        drive(clock, clock_time, [0.1] * 3)
    assert list(tmp_path.iterdir()) == []


def test_the_file_is_plain(clock_time: Time, tmp_path: Path) -> None:
    with Clock(ORDER, Runtime(), tmp_path) as clock:
        drive(clock, clock_time, [0.1] * 3)
    assert json.loads((tmp_path / FILE).read_text()).keys() == {
        "seconds",
        "waited",
        "attempts",
        "resumed",
        "memory",
    }


def test_memory_of_this_process_is_known() -> None:
    assert 10e6 < resident() < 100e9
    clock = Clock(ORDER, Runtime())
    for one in clock.watch(batch(step) for step in range(2)):
        time.sleep(0)
        clock.took(one.step)
    assert clock.cost()["memory"] >= 10e6


def test_figures_for_people() -> None:
    assert [duration(value) for value in (3.2, 89, 200, 7500)] == ["3 s", "89 s", "3 min", "2 h 05 min"]
    assert [memory_size(value) for value in (512e6, 3.254e9)] == ["512 MB", "3.25 GB"]
