"""The guard: what it skips, when it goes back, and that a resumed run decides the same."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bessemer.data.dataset import Batch, Batches, Samples
from bessemer.errors import ArtifactError, TrainingError
from bessemer.task.classify.objective import Classify
from bessemer.train.config import GuardConfig, OptimizerConfig, TrainConfig
from bessemer.train.guard import FEWEST, WINDOW, Guard
from bessemer.train.loop import FitResult, fit
from bessemer.train.methods import Method

STEPS = 24
RATE = 0.05


class Cut(Exception):
    """Stands for a process that dies."""


class Poison(Method):
    """Multiplies the loss at some steps, each as often as it is listed: a fault that may be gone the next time."""

    name = "poison"

    def __init__(self, steps: list[int], factor: float = math.nan, again: bool = True) -> None:
        self.steps, self.factor, self.again = list(steps), factor, again

    def loss(self, loss: Tensor, outputs: Tensor, batch: Batch) -> Tensor:
        if batch.step not in self.steps:
            return loss
        if not self.again:
            self.steps.remove(batch.step)
        return loss * self.factor


@pytest.fixture
def run(make_model: Callable[..., nn.Module], samples: Samples, notes: Any) -> Callable[..., FitResult]:
    """24 steps, which die at step `cut`; `saves` are the steps after which a checkpoint is made."""

    def train(
        work: Path | None, method: Method | None = None, cut: int = 0, said: list[str] | None = None, **guard: Any
    ) -> FitResult:
        def at_step(step: int) -> None:
            if step == cut:
                raise Cut

        progress = notes(at_step)
        progress.said = said if said is not None else []
        config = TrainConfig(
            epochs=8,
            batch_size=16,
            ghost_batch=8,
            ema=0.9,
            optimizer=OptimizerConfig(learning_rate=RATE),
            precision="fp32",
            compile=False,
            checkpoint_seconds=1e-9,
            guard=GuardConfig(**guard),
        )
        methods = [method] if method else []
        batches = Batches(samples, 16, 0)
        return fit(make_model(), Classify(3), batches, config, methods=methods, work=work, progress=progress)

    return train


def same(one: FitResult, other: FitResult) -> bool:
    states = one.model.state_dict(), other.model.state_dict()
    return one.history == other.history and all(
        torch.equal(states[0][name], states[1][name]) for name in states[0]
    )


def test_a_sound_run_is_not_touched(run: Callable[..., FitResult]) -> None:
    result = run(None, spike=10.0)
    assert result.safety["skipped"] == result.safety["rewinds"] == []
    assert same(result, run(None, spike=None))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_step_that_is_not_finite_is_left_out(value: float, run: Callable[..., FitResult]) -> None:
    said: list[str] = []
    result = run(None, Poison([4], value), said=said)
    assert result.safety["skipped"] == [4]
    assert [point["step"] for point in result.history if point["loss"] is None] == [5]
    assert all(weight.isfinite().all() for weight in result.model.state_dict().values())
    assert said[0].startswith(f"step 4 skipped: the loss is {value:.4g}")


@pytest.mark.parametrize("cut", range(3, 15))
def test_a_fault_that_is_gone_when_the_run_resumes_is_skipped_all_the_same(
    cut: int, run: Callable[..., FitResult], tmp_path: Path
) -> None:
    """Steps 4 to 6 are skipped and weights go back to step 4, and step 11 is skipped, wherever the run dies."""
    whole = run(tmp_path / "whole", Poison([4, 5, 6, 11]))
    assert whole.safety["skipped"] == [4, 5, 6, 11]
    assert whole.safety["rewinds"] == [{"at": 6, "to": 4}]
    with pytest.raises(Cut):
        run(tmp_path / "cut", Poison([4, 5, 6, 11]), cut=cut)
    assert same(run(tmp_path / "cut", Poison([step for step in (4, 5, 6, 11) if step >= cut])), whole)


def test_after_enough_in_a_row_weights_go_back_and_the_window_is_left_out(
    run: Callable[..., FitResult], tmp_path: Path, make_model: Callable[..., nn.Module]
) -> None:
    said: list[str] = []
    result = run(tmp_path, Poison([8, 9]), said=said, skips=2)
    assert result.safety["rewinds"] == [{"at": 9, "to": 8}]
    assert "weights of step 8 are back; steps 8 to 9 are left out" in said
    assert [point["step"] for point in result.history if point["loss"] is None] == [9, 10]


def test_a_fault_that_stays_ends_training_with_step_and_remedy(
    run: Callable[..., FitResult], tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match=r"at step 12 .*went back to a checkpoint 2 time") as caught:
        run(tmp_path, Poison(list(range(4, STEPS))), skips=3, rewinds=2)
    assert str(RATE) in caught.value.remedy
    with pytest.raises(TrainingError, match="at step 12"):  # and again: nothing was forgotten
        run(tmp_path, Poison(list(range(4, STEPS))), skips=3, rewinds=2)


def test_without_a_checkpoint_there_is_nothing_to_go_back_to(run: Callable[..., FitResult]) -> None:
    with pytest.raises(TrainingError, match=r"at step 6 .*there is no checkpoint") as caught:
        run(None, Poison(list(range(4, STEPS))))
    assert "lower the learning rate" in caught.value.remedy


def test_a_spike_is_left_out_where_that_is_asked_for(
    run: Callable[..., FitResult], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bessemer.train.guard.FEWEST", 8)
    assert run(tmp_path / "off", Poison([15], 50.0)).safety["skipped"] == []
    whole = run(tmp_path / "on", Poison([15], 50.0), spike=10.0)
    assert whole.safety["skipped"] == [15]
    with pytest.raises(Cut):
        run(tmp_path / "cut", Poison([15], 50.0), cut=14, spike=10.0)
    assert same(run(tmp_path / "cut", Poison([15], 50.0), spike=10.0), whole)


def test_the_limit_is_a_robust_bound_on_the_latest_losses() -> None:
    guard = Guard(GuardConfig(spike=5.0))
    for index in range(FEWEST - 1):
        guard.took(float(index % 2))
    assert guard.limit == math.inf
    guard.took(1e9)  # one wild loss does not move a median
    assert guard.limit < 10
    for _ in range(2 * WINDOW):
        guard.took(2.0)
    assert len(guard.losses) == WINDOW
    assert guard.limit == pytest.approx(2.2)  # losses that do not vary at all leave a margin


@pytest.mark.parametrize("text", ["", "{", "[]", '{"skipped": [1], "rewinds": [], "seal": "0"}'])
def test_decisions_that_were_changed_are_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "guard.json"
    guard = Guard(GuardConfig(), path)
    guard.skip(3)
    assert Guard(GuardConfig(), path).has_skipped(3)
    path.write_text(text)
    with pytest.raises(ArtifactError, match=r"guard\.json: damaged"):
        Guard(GuardConfig(), path)


def test_only_the_main_rank_writes_decisions(tmp_path: Path) -> None:
    guard = Guard(GuardConfig(), tmp_path / "guard.json", is_main=False)
    guard.skip(3)
    assert guard.has_skipped(3)
    assert list(tmp_path.iterdir()) == []
    main = Guard(GuardConfig(), tmp_path / "guard.json")
    main.skip(3)
    assert json.loads((tmp_path / "guard.json").read_text())["skipped"] == [3]
