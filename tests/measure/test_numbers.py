"""Measures of numbers equal scikit-learn's; intervals are those of resampled samples."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from bessemer.measure import numbers
from bessemer.measure.numbers import gained, measures, moments_of, resamples, rmse, summary


def answers(count: int, targets: int, noise: float = 0.5, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """True numbers float32 (N, K) far from zero, and answers with noise."""
    generator = np.random.default_rng(seed)
    truth = 1000 + generator.normal(size=(count, targets)) * np.arange(1, targets + 1)
    return truth.astype(np.float32), (truth + noise * generator.normal(size=truth.shape)).astype(np.float32)


@pytest.mark.parametrize("targets", [1, 3])
@pytest.mark.parametrize("scaled", [False, True])
def test_they_are_scikit_learns(targets: int, scaled: bool) -> None:
    truth, said = answers(200, targets)
    scale = np.linspace(0.5, 7, targets) if scaled else np.ones(targets)
    found = summary(truth, said, scale)
    true, given = truth.astype(np.float64) / scale, said.astype(np.float64) / scale
    assert found["rmse"]["value"] == pytest.approx(root_mean_squared_error(true, given), rel=1e-12)
    assert found["mae"]["value"] == pytest.approx(mean_absolute_error(true, given), rel=1e-12)
    assert found["r2"]["value"] == pytest.approx(r2_score(true, given), rel=1e-12, abs=1e-12)
    assert rmse(truth, said, scale) == pytest.approx(found["rmse"]["value"], rel=1e-12)


def test_a_measure_of_weights_is_that_of_the_samples_drawn() -> None:
    truth, said = answers(40, 2)
    drawn = np.random.default_rng(3).integers(0, 40, 40)
    weights = np.bincount(drawn, minlength=40).astype(np.float64)[None]
    (found,) = measures(weights, moments_of(truth, said, np.ones(2)))
    true, given = truth[drawn].astype(np.float64), said[drawn].astype(np.float64)
    expected = [f(true, given) for f in (root_mean_squared_error, mean_absolute_error, r2_score)]
    assert found == pytest.approx(expected, rel=1e-9)


def test_intervals_cover_the_truth_about_as_often_as_they_say(monkeypatch: pytest.MonkeyPatch) -> None:
    """Noise of deviation 0.5 has an RMSE of 0.5; of 100 intervals at 95% fewer than 85 hold it once in 10,000."""
    monkeypatch.setattr(numbers, "RESAMPLES", 200)
    held = 0
    for seed in range(100):
        found = summary(*answers(150, 1, seed=seed), np.ones(1), seed)["rmse"]
        held += found["low"] <= 0.5 <= found["high"]
    assert 85 <= held <= 100


def test_the_same_seed_draws_the_same_in_any_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = np.concatenate(list(resamples(30, 7)))
    monkeypatch.setattr(numbers, "AT_ONCE", 100)
    parts = list(resamples(30, 7))
    assert len(parts) > 100
    assert np.array_equal(np.concatenate(parts), whole)
    assert (whole.sum(1) == 30).all()
    assert not np.array_equal(np.concatenate(list(resamples(30, 8))), whole)


def test_of_one_sample_nothing_is_known_of_the_variance() -> None:
    found = summary(np.array([[1.0]]), np.array([[3.0]]), np.ones(1))
    assert found == {name: {"value": 2.0, "low": 2.0, "high": 2.0} for name in ("rmse", "mae")}


@pytest.mark.parametrize(("said", "share"), [(5.0, 1.0), (6.0, 0.0)])
def test_a_truth_that_does_not_vary_is_as_scikit_learn_has_it(said: float, share: float) -> None:
    truth, given = np.full((4, 1), 5.0), np.full((4, 1), said)
    found = summary(truth, given, np.ones(1))["r2"]
    assert found["value"] == share == r2_score(truth, given)


def test_a_gain_is_plus_where_errors_are_smaller_and_pairs_are_resampled_together() -> None:
    truth, before = answers(200, 2, 0.5)
    after = truth + (before - truth) * 0.9  # a tenth better on every sample
    value, low, high = gained(truth, before, after, np.ones(2))
    apart = summary(truth, before, np.ones(2))["rmse"]
    assert value == pytest.approx(0.1 * apart["value"], rel=1e-3)
    assert 0 < low < value < high
    assert high - low < 0.2 * (apart["high"] - apart["low"])
    worse = gained(truth, after, before, np.ones(2))
    assert worse == pytest.approx((-value, -high, -low))
