"""Metrics against scikit-learn, intervals against SciPy and hand computation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import binomtest
from sklearn.metrics import accuracy_score, precision_recall_fscore_support
from sklearn.metrics import confusion_matrix as sklearn_confusion

from bessemer.measure.metrics import confusion_matrix, paired_difference, per_class, summary, wilson

Labels = NDArray[np.int64]


@st.composite
def decisions(draw: st.DrawFn) -> tuple[Labels, Labels, int]:
    """Truth, predictions, and a number of classes of which some may never occur."""
    classes = draw(st.integers(2, 6))
    labels = st.lists(st.integers(0, classes - 1), min_size=1, max_size=40)
    truth = draw(labels)
    predicted = draw(st.lists(st.integers(0, classes - 1), min_size=len(truth), max_size=len(truth)))
    return np.array(truth), np.array(predicted), classes


@given(decisions())
def test_confusion_matrix_equals_scikit_learns(data: tuple[Labels, Labels, int]) -> None:
    truth, predicted, classes = data
    expected = sklearn_confusion(truth, predicted, labels=range(classes))
    assert confusion_matrix(truth, predicted, classes).tolist() == expected.tolist()


@given(decisions())
def test_rates_of_each_class_equal_scikit_learns(data: tuple[Labels, Labels, int]) -> None:
    truth, predicted, classes = data
    expected = precision_recall_fscore_support(truth, predicted, labels=range(classes), zero_division=0)
    rows = per_class(confusion_matrix(truth, predicted, classes), [f"class {i}" for i in range(classes)])
    assert [row["name"] for row in rows] == [f"class {i}" for i in range(classes)]
    for name, values in zip(("precision", "recall", "f1", "support"), expected, strict=True):
        assert [row[name] for row in rows] == pytest.approx(values.tolist())


@given(decisions())
def test_summary_equals_scikit_learns_macro_averages(data: tuple[Labels, Labels, int]) -> None:
    truth, predicted, classes = data
    result = summary(confusion_matrix(truth, predicted, classes))
    expected = precision_recall_fscore_support(truth, predicted, zero_division=0, average="macro")
    assert result["accuracy"]["value"] == pytest.approx(accuracy_score(truth, predicted))
    for name, value in zip(("precision", "recall", "f1"), expected[:3], strict=True):
        assert result[name]["value"] == pytest.approx(value)


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_equals_scipys(counts: tuple[int, int]) -> None:
    right, total = counts
    expected = binomtest(right, total).proportion_ci(0.95, method="wilson")
    assert wilson(right, total) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_accuracy_in_a_summary_has_wilsons_interval() -> None:
    result = summary(np.array([[40, 5], [3, 52]]))["accuracy"]
    assert (result["low"], result["high"]) == wilson(92, 100)


def decisions_of(n: int) -> NDArray[np.int64]:
    generator = np.random.default_rng(7)
    truth = generator.integers(0, 4, n)
    predicted = np.where(generator.random(n) < 0.8, truth, generator.integers(0, 4, n))
    return confusion_matrix(truth, predicted, 4)


@pytest.mark.parametrize("name", ["accuracy", "precision", "recall", "f1"])
def test_intervals_contain_the_value_and_narrow_with_more_samples(name: str) -> None:
    widths = []
    for n in (50, 500, 5000):
        found = summary(decisions_of(n))[name]
        assert 0 <= found["low"] < found["value"] < found["high"] <= 1
        widths.append(found["high"] - found["low"])
    assert widths[0] > 2 * widths[1] > 4 * widths[2]


def test_bootstrap_equals_resampling_the_samples_themselves() -> None:
    generator = np.random.default_rng(0)
    truth = generator.integers(0, 3, 200)
    predicted = np.where(generator.random(200) < 0.7, truth, generator.integers(0, 3, 200))
    drawn = []
    for _ in range(1000):
        some = generator.integers(0, 200, 200)
        rows = per_class(confusion_matrix(truth[some], predicted[some], 3), ["a", "b", "c"])
        drawn.append([row["f1"] for row in rows])
    low, high = np.percentile(np.mean(drawn, axis=1), [2.5, 97.5])
    found = summary(confusion_matrix(truth, predicted, 3))["f1"]
    assert (found["low"], found["high"]) == pytest.approx((low, high), abs=0.015)


def test_intervals_are_a_function_of_the_seed() -> None:
    matrix = decisions_of(100)
    assert summary(matrix, 1) == summary(matrix, 1)
    assert summary(matrix, 1)["f1"] != summary(matrix, 2)["f1"]


def test_paired_difference_equals_a_hand_computation() -> None:
    before = np.array([True, True, False, False, True, True, True, False, True, True])
    after = np.array([True, False, True, False, True, True, False, False, True, False])
    # One sample gained, three lost, of ten. Half a sample more in each of four cells: 1.5 and 3.5, of 12.
    center = (1.5 - 3.5) / 12
    half = 1.959963984540054 * np.sqrt((1.5 / 12 + 3.5 / 12 - center**2) / 12)
    assert paired_difference(before, after) == pytest.approx((-0.2, center - half, center + half))


def test_equal_decisions_differ_by_nothing_within_an_interval_that_is_left() -> None:
    right = np.array([True, False, True] * 120)
    value, low, high = paired_difference(right, right)
    assert value == 0
    assert -0.01 < low < 0 < high < 0.01
