"""Gradient boosting takes missing values and any number of categories, and stops where a held-out part says."""

from __future__ import annotations

import numpy as np
import pytest

from bessemer.data.boosting import CODES, ROUNDS, Codes, fit_boosting

NONE = np.zeros(3, bool)


def table(count: int = 600, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Columns with gaps, numbers that follow from them in a way that no line does, and a held-out fifth."""
    generator = np.random.default_rng(seed)
    values = generator.normal(size=(count, 3)).astype(np.float32)
    targets = np.where(values[:, 0] * values[:, 1] > 0, 3.0, -1.0) + 0.1 * generator.normal(size=count)
    values[::9, 2] = np.nan
    return values, targets, np.arange(count) % 5 == 0


def error(said: np.ndarray, truth: np.ndarray) -> float:
    return float(np.sqrt(np.square(said - truth).mean()))


def test_numbers_are_learned_and_the_held_out_part_ends_it() -> None:
    values, targets, held_out = table()
    found = fit_boosting((values, NONE), targets, held_out, 0, numbers=True)
    others, truth, _ = table(seed=1)
    assert 1 <= found.rounds < ROUNDS
    assert error(found.trial(others), truth) < 0.6 * truth.std()
    assert error(found.whole(others), truth) < 0.6 * truth.std()


def test_the_trial_saw_nothing_of_the_held_out_part() -> None:
    values, targets, held_out = table()
    wrong = np.where(held_out, -targets, targets)
    found, other = (fit_boosting((values, NONE), one, held_out, 0, numbers=True) for one in (targets, wrong))
    assert other.rounds < found.rounds  # what is held out speaks against every tree
    assert error(other.trial(values), targets) < error(-targets, targets)


def test_classes_are_told_apart() -> None:
    values, targets, held_out = table()
    labels = np.where(targets > 1, 7, 2)
    labels[0] = 5  # a class with one sample, which is held out
    found = fit_boosting((values, NONE), labels, held_out, 0)
    others, truth, _ = table(seed=1)
    assert np.mean(found.whole(others) == np.where(truth > 1, 7, 2)) > 0.9


def test_the_same_seed_gives_the_same_numbers() -> None:
    values, targets, held_out = table()
    one, again = (fit_boosting((values, NONE), targets, held_out, 3, numbers=True).whole(values) for _ in range(2))
    assert np.array_equal(one, again)


def test_categories_are_not_ordered() -> None:
    """What a column of codes says follows from no threshold: the number is high for every third code."""
    generator = np.random.default_rng(0)
    values = generator.integers(0, 30, (900, 1)).astype(np.float32)
    targets = (values[:, 0] % 3 == 0).astype(np.float64)
    held_out = np.arange(900) % 5 == 0
    found = fit_boosting((values, np.array([True])), targets, held_out, 0, numbers=True)
    assert error(found.whole(values), targets) < 0.1


def test_more_categories_than_a_histogram_holds_are_grouped() -> None:
    values = np.concatenate([np.arange(400), np.arange(CODES - 1)]).astype(np.float32)[:, None]
    codes = Codes(values, np.array([True]), np.ones(len(values), bool))
    coded = codes(np.array([[0], [CODES - 2], [CODES - 1], [399], [400], [np.nan]], np.float32))[:, 0]
    assert coded[:2].tolist() == [0, CODES - 2]
    assert coded[2:4].tolist() == [CODES - 1, CODES - 1]  # the rare ones are one
    assert np.isnan(coded[4:]).all()  # one that was never seen is missing
    targets, held_out = (values[:, 0] % 2).astype(np.int64), np.arange(len(values)) % 5 == 0
    assert fit_boosting((values, np.array([True])), targets, held_out, 0).whole(values).shape == (len(values),)


@pytest.mark.parametrize("nothing", [np.nan, np.inf])
def test_a_column_without_any_number_tells_nothing(nothing: float) -> None:
    values, targets, held_out = table()
    values[:, 2] = nothing
    values[held_out, 2] = 1.0  # in what is trained on there is still none
    found = fit_boosting((values, NONE), targets, held_out, 0, numbers=True)
    assert np.isfinite(found.whole(values)).all()
