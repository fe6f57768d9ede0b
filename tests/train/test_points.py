"""Points of the learning curve are told as they come: in one process, after a rewind, and from ranks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from bessemer.data.dataset import Batch, Batches, Samples
from bessemer.errors import StoppedError
from bessemer.jobs import POINTS, PointsReader
from bessemer.rank import FileProgress
from bessemer.runtime import Progress
from bessemer.task.classify.objective import Classify
from bessemer.train.config import TrainConfig
from bessemer.train.loop import FitResult, fit
from bessemer.train.methods import Method


class Curve(Progress):
    """The learning curve as someone who follows it would have it."""

    def __init__(self, stop: int = 0) -> None:
        self.points: list[dict[str, Any]] = []
        self.begun: list[int] = []
        self.stop = stop

    def begin(self, label: str, step: int) -> None:
        self.begun.append(step)
        self.points = [point for point in self.points if point["step"] <= step]

    def point(self, label: str, step: int, values: Mapping[str, float | None]) -> None:
        self.points.append({"step": step, **values})

    def step(self, label: str, done: int, total: int, facts: str = "") -> None:
        if done == self.stop:
            raise KeyboardInterrupt


class Poison(Method):
    """No finite loss in some steps."""

    name = "poison"

    def loss(self, loss: Any, outputs: Any, batch: Batch) -> Any:
        return loss * float("nan") if batch.step in (4, 5, 6) else loss


@pytest.fixture(scope="module")
def run(make_model: Callable[..., nn.Module], samples: Samples) -> Callable[..., FitResult]:
    config = TrainConfig(epochs=4, batch_size=16, ghost_batch=16, precision="fp32", checkpoint_seconds=1e-9)

    def train(work: Path, progress: Progress, methods: Any = ()) -> FitResult:
        batches = Batches(samples, 16, 0)
        return fit(make_model(), Classify(3), batches, config, methods=methods, work=work, progress=progress)

    return train


def test_what_is_told_is_the_learning_curve(run: Callable[..., FitResult], tmp_path: Path) -> None:
    curve = Curve()
    result = run(tmp_path, curve)
    assert curve.points == result.history
    assert curve.begun == [0]
    assert result.cost["steps"] == 12
    assert result.cost["attempts"] == 1
    assert result.cost["seconds"] > 0


def test_a_resumed_run_tells_the_rest(run: Callable[..., FitResult], tmp_path: Path) -> None:
    curve = Curve(stop=7)
    with pytest.raises((KeyboardInterrupt, StoppedError)):
        run(tmp_path, curve)
    curve.stop = 0
    result = run(tmp_path, curve)
    assert curve.points == result.history
    assert curve.begun == [0, 6]
    assert (result.cost["attempts"], result.cost["resumed"]) == (2, [6])


def test_a_rewind_takes_points_back(run: Callable[..., FitResult], tmp_path: Path) -> None:
    curve = Curve()
    result = run(tmp_path, curve, [Poison()])
    assert result.safety["rewinds"]
    assert curve.points == result.history
    assert len(curve.begun) == 2


def test_points_of_a_rank_come_through_a_file(tmp_path: Path) -> None:
    curve, rank = Curve(), FileProgress(tmp_path)
    reader = PointsReader(tmp_path / POINTS, curve)
    reader.pass_on()  # nothing is there yet
    rank.begin("train", 0)
    rank.point("train", 1, {"loss": 0.1 + 0.2, "validation": None})
    reader.pass_on()
    with (tmp_path / POINTS).open("a") as file:
        file.write('{"label": "train", "st')  # the rank is still writing
    reader.pass_on()
    with (tmp_path / POINTS).open("a") as file:
        file.write('ep": 2, "values": {"loss": 0.5}}\n')
    reader.pass_on()
    assert curve.points == [{"step": 1, "loss": 0.1 + 0.2, "validation": None}, {"step": 2, "loss": 0.5}]
