"""Probable label errors, by cross-validated confidence: confident learning.

Every sample is judged by a model that never saw it. Samples that are surer of another class than that class's own
samples are on average count as errors, and as many of the least probable labels are named (Northcutt, Jiang and
Chuang, "Confident learning: estimating uncertainty in dataset labels", 2021; the search itself is cleanlab's).
They are listed for a person to look at; nothing is dropped or changed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bessemer.data.features import Features, fit_linear
from bessemer.data.split import class_ranks
from bessemer.draws import U64, Stream, seed_for

SPARSE, DENSE = 10.0, 0.1  # strengths; of dense features less, the more there are
MANY = 100  # dense features from which on a strength is spread over them


@dataclass(frozen=True)
class LabelIssue:
    """A label to look at: the sample's position, its class, the class that fits better, and its probability."""

    row: int
    given: int
    suggested: int
    confidence: float


def check_labels(
    features: Features, labels: NDArray[np.int64], ids: U64, folds: int = 5, seed: int = 0
) -> list[LabelIssue]:
    """Labels (N,) that the features (N, D) speak against, the least plausible first.

    The fold of a sample follows from the ids in its class, not from the order of samples. Classes with fewer
    samples than `folds` cannot be judged and stay out of it.
    """
    rows = np.flatnonzero(_class_sizes(labels) >= max(folds, 2))
    classes, compact = np.unique(labels[rows], return_inverse=True)
    if folds < 2 or len(classes) < 2:
        return []
    odds = held_out_probabilities(features[rows], compact, ids[rows], folds, seed)
    suggested = odds.argmax(1)
    return [
        LabelIssue(int(rows[i]), int(labels[rows[i]]), int(classes[suggested[i]]), float(odds[i, suggested[i]]))
        for i in rank_issues(compact, odds)
    ]


def held_out_probabilities(
    features: Features, labels: NDArray[np.int64], ids: U64, folds: int, seed: int
) -> NDArray[np.float64]:
    """Probability of each class (N, K) for each sample, from a model that was trained on the other folds."""
    fold = class_ranks(labels, ids, seed_for(Stream.FOLDS, seed))[0] % folds
    odds = np.zeros((len(labels), int(labels.max()) + 1))
    dense = isinstance(features, np.ndarray)
    strength = DENSE * min(1.0, MANY / features.shape[1]) if dense else SPARSE
    for number in range(folds):
        held_out = fold == number
        model, _ = fit_linear(features[~held_out], labels[~held_out], strength, seed)
        odds[held_out] = model.predict_proba(features[held_out])
    return odds


def rank_issues(labels: NDArray[np.int64], odds: NDArray[np.float64]) -> NDArray[np.int64]:
    """Positions of the labels that confident learning doubts, the least probable first.

    The confident joint says how many are wrong, the probability of the given label which ones. Of cleanlab's seven
    ways this had the best recall and precision together on planted errors (docs/benchmarks.md).
    """
    from cleanlab.filter import find_label_issues

    found = np.asarray(
        find_label_issues(
            labels, odds, filter_by="low_self_confidence", return_indices_ranked_by="self_confidence", n_jobs=1
        ),
        np.int64,
    )
    differs: NDArray[np.bool_] = odds[found].argmax(1) != labels[found]
    return found[differs]


def _class_sizes(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """The size of each sample's class (N,)."""
    _, inverse, counts = np.unique(labels, return_inverse=True, return_counts=True)
    return counts[inverse]
