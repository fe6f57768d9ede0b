"""Minutes in place of epochs: decided by timed steps before the first, kept on resume, the weights untouched."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import nn

from bessemer.data.dataset import Batches, Samples
from bessemer.task.classify.objective import Classify
from bessemer.train import budget, loop
from bessemer.train.config import TrainConfig
from bessemer.train.loop import fit

CONFIG = TrainConfig(epochs=8, batch_size=8, ghost_batch=4, precision="fp32", label_smoothing=0.1, ema=0.9)
EPOCH = 3  # steps


@pytest.fixture
def train(make_model: Callable[..., nn.Module], make_samples: Callable[..., Samples], notes: Any) -> Any:
    def run(config: TrainConfig, work: Path | None = None) -> Any:
        return fit(make_model(), Classify(3), Batches(make_samples(24), 8, 3), config, work=work, progress=notes())

    return run


def weights(result: Any) -> list[np.ndarray[Any, Any]]:
    return [value.numpy() for value in result.model.state_dict().values()]


def test_plenty_of_minutes_change_nothing(train: Any) -> None:
    config = CONFIG.model_copy(update={"epochs": 2.0})
    free, timed = train(config), train(config.model_copy(update={"minutes": 10.0}))
    for one, other in zip(weights(free), weights(timed), strict=True):
        np.testing.assert_array_equal(one, other)


def test_as_many_epochs_as_fit_and_no_others_on_resume(
    train: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = CONFIG.model_copy(update={"minutes": 1.0})
    seconds = 60 / budget.OVERHEAD / (2 * EPOCH)
    monkeypatch.setattr(loop, "seconds_a_step", lambda training, batches: seconds)
    first = train(config, tmp_path)
    assert first.cost["steps"] == 2 * EPOCH
    monkeypatch.setattr(loop, "seconds_a_step", lambda training, batches: pytest.fail("timed again"))
    assert train(config, tmp_path).cost["steps"] == 2 * EPOCH
    asked = train(CONFIG.model_copy(update={"epochs": 2.0}))
    for one, other in zip(weights(first), weights(asked), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(("seconds", "epochs"), [(0.001, 8.0), (2.0, 8.0), (10.0, 1.7), (1e6, budget.LEAST)])
def test_no_more_than_asked_and_no_fewer_than_a_tenth(
    make_samples: Callable[..., Samples], seconds: float, epochs: float
) -> None:
    config = CONFIG.model_copy(update={"minutes": 1.0})
    assert budget.epochs_in(config, Batches(make_samples(24), 8, 3), seconds) == epochs


def test_steps_are_timed_on_a_copy(train: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    timed: list[nn.Module] = []

    def seconds(training: Any, batches: Any) -> float:
        timed.append(training.model)
        return budget.seconds_a_step(training, batches)

    monkeypatch.setattr(loop, "seconds_a_step", seconds)
    result = train(CONFIG.model_copy(update={"minutes": 10.0}))
    assert len(timed) == 1
    assert timed[0] is not result.model
    moved = zip(timed[0].state_dict().values(), result.model.state_dict().values(), strict=True)
    assert any(not bool((one == other).all()) for one, other in moved)
