"""Measuring in one call: the task's own measures, with their intervals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import bessemer as bs
from bessemer.errors import DataError
from bessemer.measure.metrics import wilson
from bessemer.task.classify import Classify

X = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
Y = (X[:, 0] + 0.5 * X[:, 1] > 0).astype(np.int64)


@pytest.fixture
def model() -> nn.Module:
    """Tells by the first number alone."""
    net = nn.Sequential(nn.Linear(4, 2), nn.Dropout())
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([[-1.0, 0, 0, 0], [1.0, 0, 0, 0]]))
        net[0].bias.zero_()
    return net


def test_measures_of_the_task_with_their_intervals(model: nn.Module) -> None:
    found = bs.evaluate(model, data=(X, Y), task="classify")
    right = int(((X[:, 0] > 0) == Y).sum())
    assert 25 < right < 50
    assert found.value == found["accuracy"].value == right / 50
    assert (found["accuracy"].low, found["accuracy"].high) == wilson(right, 50)
    assert list(found) == ["accuracy", "precision", "recall", "f1"]
    assert (len(found), found.samples) == (4, 50)
    assert float(found["f1"]) == found["f1"].value
    low, high = (100 * end for end in wilson(right, 50))
    told = f"Evaluation(accuracy {2 * right:.2f}% ({low:.2f} to {high:.2f}%), precision "
    assert repr(found).startswith(told)
    assert repr(found).endswith(", 50 samples)")
    assert [module.training for module in model.modules()] == [True] * 3


def test_samples_without_a_label_are_left_out(model: nn.Module) -> None:
    labels = Y.copy()
    labels[:20] = -100
    found = bs.evaluate(model, "classify", (X, labels))
    assert found.samples == 30
    assert found.value == bs.evaluate(model, "classify", (X[20:], Y[20:])).value
    with pytest.raises(DataError, match="every sample is labelled -100"):
        bs.evaluate(model, "classify", (X, np.full(50, -100)))


def test_of_an_objective_or_a_loss_the_mean_is_measured(model: nn.Module) -> None:
    losses = F.cross_entropy(model.eval()(torch.from_numpy(X)), torch.from_numpy(Y), reduction="none").detach()
    found = bs.evaluate(model, Classify(2), (X, Y))
    assert found.value == pytest.approx(losses.mean().item(), rel=1e-6)
    half = 1.96 * losses.std().item() / 50**0.5
    assert found["loss"].high == pytest.approx(found.value + half, rel=1e-4)
    plain = bs.evaluate(model, F.cross_entropy, (np.tile(X, (9, 1)), np.tile(Y, 9)))  # in several blocks
    assert plain.value == pytest.approx(losses.mean().item(), rel=1e-6)
    assert plain["loss"].low is None
    assert repr(plain) == f"Evaluation(loss {losses.mean():.3f}, 450 samples)"


def test_shares_of_classes_are_no_truth_to_measure_against(model: nn.Module) -> None:
    with pytest.raises(DataError, match="shares of classes"):
        bs.evaluate(model, "classify", (X, np.eye(2)[Y]))


def test_an_exported_file_is_measured_as_its_network_is(model: nn.Module, tmp_path: Path) -> None:
    from bessemer.export.session import OnnxModel

    bs.export_onnx(model, torch.from_numpy(X[:2]), tmp_path / "model.onnx")
    file = OnnxModel(tmp_path / "model.onnx")
    assert bs.evaluate(file, "classify", (X, Y)) == bs.evaluate(model, "classify", (X, Y))
