"""The simple models beside a regression, and which of them is the baseline."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from bessemer.data.kind import Kind, Simple
from bessemer.measure.numbers import rmse
from bessemer.prepare.numbers import describe_numbers
from bessemer.task.regress.baseline import baseline


class Rows(Kind):
    """Rows of numbers, without columns for trees."""

    simple = Simple("a line")


class Columns(Rows):
    def columns(self, values: Any, arguments: Any) -> Any:
        return np.asarray(values, np.float32), np.zeros(values.shape[1], bool)


def rows(count: int, seed: int, straight: bool) -> tuple[np.ndarray, np.ndarray]:
    """Rows and two targets: of a line, or of a step that no line follows."""
    generator = np.random.default_rng(seed)
    values = generator.normal(size=(count, 3)).astype(np.float32)
    line = values[:, 0] - 2 * values[:, 1]
    step = np.where(values[:, 0] * values[:, 1] > 0, 3.0, -1.0)
    first = (line if straight else step) + 0.1 * generator.normal(size=count)
    return values, np.stack([first, 100 * first], 1).astype(np.float32)


def found(kind: Kind, straight: bool, targets: int = 1, **other: Any) -> dict[str, Any]:
    (values, numbers), (others, truth) = rows(500, 0, straight), rows(300, 1, straight)
    numbers, truth = numbers[:, :targets], truth[:, :targets]
    told = describe_numbers(["a", "b"][:targets], numbers, np.arange(len(numbers)))
    result = baseline(kind, values, numbers, others, truth, told, **other)
    plain = {name: value for name, value in result.items() if name not in ("records", "network")}
    assert json.loads(json.dumps(plain)) == plain
    return result


def value_of(one: dict[str, Any]) -> float:
    return float(one["metrics"]["rmse"]["value"])


def test_without_columns_a_line_stands_alone() -> None:
    result = found(Rows(), straight=True)
    assert result["name"] == "ridge regression"
    assert [one["name"] for one in result["also"]] == ["always the mean"]
    records = result["records"]["ridge regression"]
    assert rmse(records["truth"], records["said"], records["scale"]) == pytest.approx(value_of(result))
    assert result["rounds"] is None
    assert value_of(result) == pytest.approx(0.1, abs=0.015)
    assert result["metrics"]["rmse"]["low"] < value_of(result) < result["metrics"]["rmse"]["high"]
    assert result["metrics"]["r2"]["value"] > 0.99


@pytest.mark.parametrize(("straight", "best"), [(True, "ridge regression"), (False, "gradient boosting")])
def test_the_held_out_part_says_which_is_the_baseline(straight: bool, best: str) -> None:
    result = found(Columns(), straight)
    assert result["name"] == best
    constant, other = result["also"]
    assert {result["name"], other["name"]} == {"ridge regression", "gradient boosting"}
    assert constant["name"] == "always the mean"
    assert value_of(result) < 0.6 * min(value_of(other), value_of(constant))


def test_always_the_mean_is_that_of_the_training_samples() -> None:
    (_, numbers), (_, truth) = rows(500, 0, True), rows(300, 1, True)
    expected = rmse(truth[:, :1], np.full((300, 1), numbers[:, 0].mean()), np.ones(1))
    assert value_of(found(Rows(), straight=True)["also"][0]) == pytest.approx(expected, rel=1e-5)


def test_several_targets_are_measured_in_deviations() -> None:
    one, two = found(Columns(), False), found(Columns(), False, targets=2)
    deviation = rows(500, 0, False)[1][:, 0].std()
    assert value_of(two) == pytest.approx(value_of(one) / deviation, rel=0.1)
    assert len(two["rounds"]) == 2


def test_a_limit_thins_out_and_the_same_seed_gives_the_same() -> None:
    result, again = (found(Columns(), False, limit=200, seed=3) for _ in range(2))
    assert (result["trained_on"], result["train_rows"]) == (200, 500)
    assert result["metrics"] == again["metrics"]


def test_a_handful_of_samples_is_enough() -> None:
    values, numbers = rows(6, 0, True)
    told = describe_numbers(["a", "b"], numbers, np.arange(6))
    result = baseline(Columns(), values, numbers, values, numbers, told)
    assert result["name"] == "ridge regression"
    assert len(result["also"]) == 1  # too few to hold any out: no trees
