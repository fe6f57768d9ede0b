"""The perceptron for tables: scales, gaps, dates and categories inside, shapes, what can be pruned."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from bessemer.compress.prune import prune
from bessemer.data.table.simple import TableFeatures
from bessemer.model.mlp import MLPConfig, mlp
from bessemer.model.mlp.network import DAY

PLAIN = {"widths": [64, 64], "residual": False, "dropout": 0.0, "waves": 0, "embedding": 16}
DEEP = {"widths": [24, 24], "residual": True, "dropout": 0.0, "waves": 4, "embedding": 16}
TABLE: dict[str, Any] = {
    "numbers": 2,
    "dates": 1,
    "categories": [5],
    "centers": [10.0, 0.0, 1.6e9],
    "factors": [0.5, 2.0, 1 / (90 * DAY)],
    "gaps": [True, False, True],
}
GAP = math.nan
ROWS = torch.tensor(
    [[12.0, 1.0, 1.6e9, 2], [GAP, -3.0, 1.7e9, 0], [1e6, 0.5, GAP, 1], [8.0, 0.0, 1.5e9, 4]], dtype=torch.float64
)


def count(net: torch.nn.Module) -> int:
    return sum(weight.numel() for weight in net.parameters())


def test_the_perceptron_of_784_columns_is_one_setting() -> None:
    columns = {"numbers": 784, "dates": 0, "categories": [], "centers": [0.0] * 784, "factors": [1.0] * 784}
    net = mlp(10, **columns, gaps=[False] * 784, **PLAIN)
    assert count(net) == 784 * 64 + 64 + 64 * 64 + 64 + 64 * 10 + 10
    assert net(torch.rand(3, 784, dtype=torch.float64)).shape == (3, 10)


@pytest.mark.parametrize("settings", [PLAIN, DEEP])
def test_answers_are_finite_whatever_is_missing(settings: dict[str, Any]) -> None:
    outputs = mlp(3, **TABLE, **settings)(ROWS)
    assert outputs.shape == (4, 3)
    assert outputs.dtype == torch.float32
    assert outputs.isfinite().all()


def test_numbers_are_scaled_as_for_simple_models_and_gaps_are_marked() -> None:
    front = mlp(3, **TABLE, **PLAIN).front
    features = front(ROWS)
    expected = TableFeatures(TABLE)(ROWS)[:, :3].numpy()
    assert np.allclose(features[:, :3].detach(), expected, atol=1e-6)
    assert np.abs(expected).max() <= 3  # one that lies far out is drawn in
    assert features[:, 3:5].tolist() == [[0, 0], [1, 0], [0, 1], [0, 0]]  # of the first number and the date
    assert features.shape[1] == front.width


def test_dates_are_angles_within_year_week_and_day() -> None:
    front = mlp(3, **TABLE, **PLAIN).front
    noon_later = ROWS[:1].repeat(3, 1)
    noon_later[1, 2] += 7 * DAY
    noon_later[2, 2] += DAY / 2
    angles = front(noon_later)[:, 5:11]
    assert torch.allclose(angles[0, 2:], angles[1, 2:], atol=1e-4)  # the same hour of the same day of the week
    assert torch.allclose(angles[0, 4:], -angles[2, 4:], atol=1e-4)
    assert torch.allclose(angles.reshape(3, 3, 2).norm(dim=2), torch.ones(3, 3), atol=1e-5)
    assert front(ROWS)[2, 5:11].tolist() == [0] * 6  # nothing known


def test_what_is_not_listed_weighs_nothing_at_first() -> None:
    front = mlp(3, **TABLE, **PLAIN).front
    embedded = front(ROWS)[:, 11:]
    assert embedded[1].abs().sum() == embedded[2].abs().sum() == 0
    assert embedded[0].abs().sum() > 0


@pytest.mark.parametrize("settings", [PLAIN, DEEP])
def test_neurons_are_pruned(settings: dict[str, Any]) -> None:
    torch.manual_seed(0)
    net = mlp(3, **TABLE, **settings).eval()
    pruned = prune(net, ROWS, 0.5)[0]
    assert count(pruned) < 0.8 * count(net)
    assert pruned(ROWS).shape == (4, 3)


def test_zeroed_neurons_are_pruned_without_a_change() -> None:
    torch.manual_seed(0)
    net = mlp(3, **TABLE, **DEEP).eval()
    with torch.no_grad():
        for block in net.layers:
            block.up.weight[24:] = 0
            block.up.bias[24:] = 0
            block.down.weight[:, 24:] = 0
    assert torch.allclose(prune(net, ROWS, 0.5)[0](ROWS), net(ROWS), atol=1e-6)


def test_widths_with_shortcuts_are_equal() -> None:
    with pytest.raises(ValueError, match="must be equal with shortcuts"):
        MLPConfig(widths=[64, 32])
    assert MLPConfig(widths=[64, 32], residual=False).widths == [64, 32]
