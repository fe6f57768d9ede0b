"""Early stopping is a function of the learning curve, so it is the same on resume."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from bessemer.data.dataset import Batches, Samples
from bessemer.errors import UsageError
from bessemer.task.classify.objective import Classify
from bessemer.train.config import OptimizerConfig, TrainConfig
from bessemer.train.loop import FitResult, fit
from bessemer.train.methods.early_stopping import EarlyStoppingConfig, should_stop

CONFIG = TrainConfig(
    epochs=4,
    batch_size=16,
    ghost_batch=8,
    optimizer=OptimizerConfig(learning_rate=0.05),
    early_stopping=EarlyStoppingConfig(patience=2),
    ema=0.5,
    precision="fp32",
    checkpoint_seconds=1e-9,
)
seen: list[dict[str, torch.Tensor]] = []  # weights at the validations of the latest run
VALUES = [0.5, 0.6, 0.6, 0.7, 0.6, 0.7]  # the last gain is the fourth of twelve, so the sixth ends it


def curve(values: list[float | None]) -> list[dict[str, Any]]:
    return [{"step": step, "validation": value} for step, value in enumerate(values)]


@pytest.mark.parametrize(
    ("values", "patience", "gain", "stops"),
    [
        ([], 1, 0.0, False),
        ([0.5], 1, 0.0, False),
        ([0.5, 0.5], 1, 0.0, True),
        ([0.5, None, 0.4, None], 2, 0.0, False),
        ([0.5, None, 0.4, None, 0.45], 2, 0.0, True),
        ([0.5, 0.4, 0.6], 2, 0.0, False),
        ([0.5, 0.55, 0.6], 2, 0.1, True),  # slow gains do not count one by one
        ([0.5, 0.55, 0.65], 2, 0.1, False),
        ([0.5, float("nan")], 1, 0.0, True),
    ],
)
def test_decisions(values: list[float | None], patience: int, gain: float, stops: bool) -> None:
    assert should_stop(curve(values), patience, gain) is stops


@given(values=st.lists(st.integers(0, 5), max_size=20), patience=st.integers(1, 5))
def test_without_a_least_gain_it_is_the_distance_from_the_first_best(values: list[int], patience: int) -> None:
    waited = len(values) - 1 - values.index(max(values)) if values else 0
    assert should_stop(curve([float(value) for value in values]), patience, 0.0) is (waited >= patience)


@pytest.fixture
def run(make_model: Callable[..., nn.Module], samples: Samples, notes: Any) -> Callable[..., FitResult]:
    def train(work: Path | None, stop: int = 0, progress: Any = None, best: bool = False) -> FitResult:
        def at_step(step: int) -> None:
            if step == stop:
                raise InterruptedError

        model, asked = make_model(), iter(values_from(work))
        seen.clear()
        config = CONFIG.model_copy(update={"early_stopping": EarlyStoppingConfig(patience=2, best=best)})

        def validate(network: nn.Module) -> float:
            seen.append({name: tensor.clone() for name, tensor in network.state_dict().items()})
            return next(asked)

        progress = progress or notes(at_step)
        return fit(
            model,
            Classify(3),
            Batches(samples, 16, 0),
            config,
            work=work,
            validate=validate,
            progress=progress,
        )

    return train


def values_from(work: Path | None) -> Iterator[float]:
    """What validations say after the newest checkpoint: one value for each step."""
    saved = sorted(work.glob("checkpoint-*")) if work else []
    yield from VALUES[int(saved[-1].name.rpartition("-")[2]) if saved else 0 :]


def test_a_run_ends_where_nothing_is_gained_with_the_weights_it_has_there(run: Any, notes: Any) -> None:
    progress = notes()
    result = run(None, progress=progress)
    assert [point["validation"] for point in result.history] == VALUES
    assert "train: stopped early at step 6 of 12" in progress.said
    assert not result.model.training


@pytest.mark.parametrize("stop", [3, 5, 6])
def test_a_resumed_run_ends_at_the_same_step_in_the_same_bits(stop: int, run: Any, tmp_path: Path) -> None:
    whole = run(None)
    with pytest.raises(InterruptedError):
        run(tmp_path, stop)
    resumed = run(tmp_path)
    assert resumed.history == whole.history
    for name, tensor in whole.model.state_dict().items():
        assert torch.equal(resumed.model.state_dict()[name], tensor)


def test_a_run_that_ended_early_takes_no_step_more(run: Any, tmp_path: Path, notes: Any) -> None:
    whole, steps = run(tmp_path), []
    again = run(tmp_path, progress=notes(steps.append))
    assert steps == []
    assert again.history == whole.history


def test_without_validations_it_is_refused(model: nn.Module, samples: Samples) -> None:
    with pytest.raises(UsageError, match="needs validations"):
        fit(model, Classify(3), Batches(samples, 16, 0), CONFIG)


def test_with_best_a_run_ends_with_the_weights_that_validated_best(run: Any) -> None:
    result = run(None, best=True)
    for name, tensor in result.model.state_dict().items():
        assert torch.equal(tensor, seen[3][name]), name  # the fourth of VALUES; of equal ones the first
    assert any(not torch.equal(seen[3][name], tensor) for name, tensor in seen[-1].items())


@pytest.mark.parametrize("stop", [2, 5, 6])
def test_a_resumed_run_has_kept_the_best_weights(stop: int, run: Any, tmp_path: Path) -> None:
    whole = run(None, best=True)
    with pytest.raises(InterruptedError):
        run(tmp_path, stop, best=True)
    resumed = run(tmp_path, best=True)
    for name, tensor in whole.model.state_dict().items():
        assert torch.equal(resumed.model.state_dict()[name], tensor)
