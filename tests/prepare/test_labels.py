"""Planted label errors are found, whatever the order of samples."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits
from sklearn.feature_extraction.text import TfidfVectorizer

from bessemer.draws import mix
from bessemer.prepare.labels import check_labels, held_out_probabilities

DIGITS = load_digits()
PIXELS = (DIGITS.data / 16 - 0.3).astype(np.float32)
TRUTH = DIGITS.target.astype(np.int64)
IDS = mix(np.arange(len(TRUTH), dtype=np.uint64))


def flipped(truth, share, seed):
    """Labels of which a share is another class, and where."""
    generator = np.random.default_rng(seed)
    wrong = generator.random(len(truth)) < share
    shift = generator.integers(1, truth.max() + 1, len(truth))
    return np.where(wrong, (truth + shift) % (truth.max() + 1), truth), wrong


def clusters(sizes, seed=0):
    """Well separated classes of the given sizes."""
    generator = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(sizes)), sizes)
    features = generator.normal(0, 0.3, (len(labels), 8)).astype(np.float32)
    features[np.arange(len(labels)), labels] += 3
    return features, labels, mix(np.arange(len(labels), dtype=np.uint64))


def test_planted_errors_among_the_digits_are_found():
    labels, wrong = flipped(TRUTH, 0.05, seed=1)
    issues = check_labels(PIXELS, labels, IDS, 5, 0)
    rows = np.array([issue.row for issue in issues])
    assert wrong[rows].mean() > 0.9
    assert wrong[rows].sum() / wrong.sum() > 0.55
    assert wrong[rows[:20]].all()
    hits = [issue for issue in issues if wrong[issue.row]]
    assert np.mean([issue.suggested == TRUTH[issue.row] for issue in hits]) > 0.9


def test_few_labels_of_the_untouched_digits_are_listed():
    assert len(check_labels(PIXELS, TRUTH, IDS, 5, 0)) <= 0.01 * len(TRUTH)


def test_planted_errors_among_texts_are_found():
    generator = np.random.default_rng(0)
    words = [[f"topic{topic}word{i}" for i in range(30)] + ["the", "of", "and"] * 5 for topic in range(6)]
    truth = generator.integers(0, 6, 600)
    texts = [" ".join(generator.choice(words[topic], 12)) for topic in truth]
    labels, wrong = flipped(truth, 0.05, seed=2)
    ids = mix(np.arange(600, dtype=np.uint64))
    issues = check_labels(TfidfVectorizer().fit_transform(texts), labels, ids, 5, 0)
    rows = [issue.row for issue in issues]
    assert wrong[rows].mean() > 0.9
    assert wrong[rows].sum() / wrong.sum() > 0.8


def test_an_issue_says_what_is_given_and_what_fits_better():
    features, labels, ids = clusters([60, 60, 60])
    labels[:6] = 2  # stand in the first cluster
    issues = check_labels(features, labels, ids, 5, 0)
    assert 2 <= len(issues) <= 6
    for issue in issues:
        assert (issue.row < 6, issue.given, issue.suggested) == (True, 2, 0)
        assert 0.5 < issue.confidence <= 1


def test_no_sample_is_judged_by_a_model_that_saw_it():
    features, labels, ids = clusters([30, 30])
    features = (
        np.eye(60, dtype=np.float32) * 50
    )  # each sample is known by a feature of its own, and by nothing else
    odds = held_out_probabilities(features, labels, ids, 5, 0)
    assert np.abs(odds[:, 0] - 0.5).max() < 0.1


@settings(max_examples=5, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_order_of_samples_does_not_matter(random):
    labels, _ = flipped(TRUTH[:600], 0.05, seed=3)
    order = list(range(600))
    random.shuffle(order)
    straight = check_labels(PIXELS[:600], labels, IDS[:600], 3, 0)
    shuffled = check_labels(PIXELS[order], labels[order], IDS[order], 3, 0)
    found = {order[issue.row]: issue for issue in shuffled}
    assert set(found) == {issue.row for issue in straight}
    for issue in straight:
        assert found[issue.row].suggested == issue.suggested
        assert found[issue.row].confidence == pytest.approx(issue.confidence, abs=0.02)


def test_classes_with_fewer_samples_than_folds_stay_out():
    features, labels, ids = clusters([60, 60, 3, 1])
    labels[:6] = 1
    labels[60] = 3  # a second sample of a class that is too small to be judged
    issues = check_labels(features, labels, ids, 5, 0)
    assert issues
    assert {(issue.row < 6, issue.given, issue.suggested) for issue in issues} == {(True, 1, 0)}


@pytest.mark.parametrize(("sizes", "folds"), [([3, 3], 5), ([40, 2], 5), ([40, 40], 0), ([40], 5)])
def test_where_nothing_can_be_judged_nothing_is_listed(sizes, folds):
    features, labels, ids = clusters(sizes)
    assert check_labels(features, labels, ids, folds, 0) == []


def test_class_numbers_with_gaps_are_kept():
    features, labels, ids = clusters([60, 60, 60])
    labels[:6] = 2
    straight = check_labels(features, labels, ids, 5, 0)
    names = np.array([2, 5, 9])
    gaps = check_labels(features, names[labels], ids, 5, 0)
    assert [(one.row, one.given, one.suggested) for one in gaps] == [(one.row, 9, 2) for one in straight]


def test_checking_labels_does_not_import_torch():
    script = (
        "import sys, numpy as np; from bessemer.prepare.labels import check_labels\n"
        "x = np.random.default_rng(0).normal(0, 1, (40, 3)); x[::2] += 3\n"
        "check_labels(x, np.arange(40) % 2, np.arange(40, dtype=np.uint64)); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]
