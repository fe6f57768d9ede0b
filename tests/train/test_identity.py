"""A work folder is one training's: the same goes on, another one is refused by what differs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from bessemer.data.dataset import Batches, Samples
from bessemer.errors import UsageError
from bessemer.runtime import Runtime
from bessemer.task.classify import Classify
from bessemer.train.config import OptimizerConfig, TrainConfig
from bessemer.train.identity import FILE, identity_of
from bessemer.train.loop import _claim, fit

X = np.random.default_rng(0).normal(size=(64, 4)).astype(np.float32)
SAMPLES = Samples(X, (X[:, 0] > 0).astype(np.int64), np.arange(64, dtype=np.uint64))
CONFIG = TrainConfig(epochs=1, batch_size=16, precision="fp32", checkpoint_seconds=1e-9)
RATE = CONFIG.model_copy(update={"optimizer": OptimizerConfig(learning_rate=0.4)})


def train(work: Path | None, **change: Any) -> nn.Module:
    """A training, the same but for `change`; first weights are drawn anew each time."""
    parts = {
        "task": Classify(2),
        "samples": SAMPLES,
        "config": CONFIG,
        "layer": nn.ReLU(),
        "options": {},
        **change,
    }
    model = nn.Sequential(nn.Linear(4, 8), parts["layer"], nn.Linear(8, 2))
    batches = Batches(parts["samples"], 16, 0)
    return fit(model, parts["task"], batches, parts["config"], work=work, **parts["options"]).model


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"config": RATE}, "the settings"),
        ({"layer": nn.Tanh()}, "the model's architecture"),
        ({"layer": nn.Identity().requires_grad_(False)}, "the model's architecture"),
        ({"task": Classify(3)}, "the task"),
        ({"samples": replace(SAMPLES, labels=1 - SAMPLES.labels)}, "the labels"),
        ({"samples": replace(SAMPLES, inputs=2 * X)}, "the inputs"),
        ({"samples": SAMPLES.at(np.arange(32))}, "the number of samples or their ids, the labels, the inputs"),
        ({"options": {"seed": 1}}, "the seed"),
    ],
)
def test_another_training_is_refused_by_what_differs(change: dict[str, Any], told: str, tmp_path: Path) -> None:
    train(tmp_path)
    with pytest.raises(UsageError, match=f"holds another training, with a difference in {told}\n") as caught:
        train(tmp_path, **change)
    assert "delete this one" in caught.value.remedy


def test_the_same_goes_on_whatever_its_first_weights_and_pace(tmp_path: Path) -> None:
    first = train(tmp_path)
    seldom = CONFIG.model_copy(update={"checkpoint_seconds": 60.0})
    again = train(tmp_path, config=seldom)
    for one, other in zip(first.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_mark_that_cannot_be_read_is_another_training(tmp_path: Path) -> None:
    train(tmp_path)
    for text in ("{", "[]"):
        (tmp_path / FILE).write_text(text)
        with pytest.raises(UsageError, match="another training"):
            train(tmp_path)
    (tmp_path / FILE).unlink()  # of an earlier version
    train(tmp_path)
    assert (tmp_path / FILE).exists()


def test_inputs_that_change_from_reading_to_reading_say_nothing() -> None:
    class Noisy:
        """Rows that are drawn anew."""

        def __len__(self) -> int:
            return 64

        def __getitem__(self, places: Any) -> Any:
            return np.random.default_rng().normal(size=(len(places), 4))

    def identity(inputs: Any) -> dict[str, str]:
        return identity_of(nn.Linear(4, 2), Classify(2), replace(SAMPLES, inputs=inputs), CONFIG, 0)

    assert identity(Noisy()) == {**identity(X), "inputs": ""}
    assert identity(X) == identity(X.copy())


def test_addresses_in_a_model_s_text_are_no_difference() -> None:
    class Layer(nn.Module):
        """One that shows an address."""

        def extra_repr(self) -> str:
            return repr(object())

    one, other = (identity_of(Layer(), Classify(2), SAMPLES, CONFIG, 0) for _ in range(2))
    assert one == other


def test_all_ranks_refuse_with_the_main_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def told(answer: int) -> Callable[[int, Runtime], int]:
        return lambda value, runtime: asked.append(value) or answer  # type: ignore[func-returns-value]

    (tmp_path / FILE).write_text("{}")
    monkeypatch.setattr("bessemer.train.loop.from_main", told(1))
    with pytest.raises(UsageError, match="another training"):
        _claim(tmp_path, lambda: identity_of(nn.Linear(4, 2), Classify(2), SAMPLES, CONFIG, 0), Runtime())
    with pytest.raises(UsageError, match="the main process refused"):
        _claim(tmp_path, dict, Runtime(rank=1, world=2))
    assert asked == [1, 0]  # every rank takes part in the exchange
