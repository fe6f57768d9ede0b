"""The simple models beside the networks, fitted with some care: logistic regression, and gradient boosting.

Trees stand there where the kind of data has columns. A held-out fifth of the training samples chooses the strength
of the one, the rounds of the other, and which of both is the baseline; the test samples are only counted.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bessemer.data.boosting import MOST_CLASSES, NAME
from bessemer.data.dataset import Dataset
from bessemer.data.features import fit_linear
from bessemer.data.kind import Kind, Simple
from bessemer.measure.metrics import wilson
from bessemer.task.simple import Trial, affordable, boosted, taken, trial, values_of

CONSTANT = "always the commonest class"


def baseline(
    kind: Kind,
    train_values: Any,
    train_labels: NDArray[np.int64],
    test_values: Any,
    test_labels: NDArray[np.int64],
    *,
    arguments: Mapping[str, Any] | None = None,
    limit: int | None = None,
    seed: int = 0,
    classes: Sequence[str] = (),
) -> dict[str, Any]:
    """Train on the training samples, count right answers on the test samples.

    `values`: samples as the kind of data stores them, or lists of texts; labels (N,). `arguments` is what
    `dataset.json` says to the network. More than `limit` training samples (by default what the kind says) are
    thinned out by class and `seed`. Returns `name`, `metrics` with accuracy and Wilson's 95% interval, `also`
    (always naming the commonest class, and the other model where there are two), `strength` (scikit-learn's C),
    `rounds` of trees, `trained_on`, `train_rows`, `converged`, `seed` and `seconds`.
    """
    started, arguments = time.perf_counter(), arguments or {}
    chosen = affordable(kind, train_values, train_labels, limit or kind.simple.limit, seed)
    labels, values = train_labels[chosen], taken(train_values, chosen)
    parts = trial(labels, kind.simple.trials, seed)
    features, transform = kind.features(values, arguments)
    strength, score = choose_strength(kind.simple, features, labels, parts, seed)
    model, converged = fit_linear(features, labels, strength, seed)
    found = [counted(kind.simple.name, model.predict(transform(test_values)), test_labels)]
    rounds = None
    columns = kind.columns(values, arguments) if parts.chooses and len(np.unique(labels)) <= MOST_CLASSES else None
    if columns is not None:
        trees = boosted(columns, labels, parts, seed)
        rounds, better = trees.rounds, np.mean(trees.trial(columns[0][parts.check]) == labels[parts.check]) > score
        others = kind.columns(test_values, arguments)
        assert others is not None
        found.insert(0 if better else 1, counted(NAME, trees.whole(others[0]), test_labels))
    commonest = int(np.bincount(train_labels).argmax())
    name = f"always answering “{classes[commonest]}”" if classes and classes[commonest] else CONSTANT
    constant = {"name": name, "metrics": {"accuracy": {"value": float(np.mean(test_labels == commonest))}}}
    return {
        **found[0],
        "also": [constant, *found[1:]],
        "strength": strength,
        "rounds": rounds,
        "trained_on": len(chosen),
        "train_rows": len(train_labels),
        "converged": converged,
        "seed": seed,
        "seconds": time.perf_counter() - started,
    }


def counted(name: str, said: NDArray[np.int64], truth: NDArray[np.int64]) -> dict[str, Any]:
    """What a model is called, and how often it is right."""
    right = int((said == truth).sum())
    low, high = wilson(right, len(truth))
    return {"name": name, "metrics": {"accuracy": {"value": right / len(truth), "low": low, "high": high}}}


def choose_strength(
    simple: Simple, features: Any, labels: NDArray[np.int64], parts: Trial, seed: int
) -> tuple[float, float]:
    """The strength that does best on the held-out part, and how well; a middle one for tiny sets."""
    strengths, train, check = simple.strengths, parts.train, parts.check
    if not parts.chooses or len(np.unique(labels[train])) < 2:
        return strengths[len(strengths) // 2], 0.0
    scores = [
        fit_linear(features[train], labels[train], strength, seed)[0].score(features[check], labels[check])
        for strength in strengths
    ]
    best = int(np.argmax(scores))
    return strengths[best], float(scores[best])


def baseline_of(dataset: Dataset, seed: int) -> dict[str, Any]:
    """The baseline on the splits of a prepared data set."""
    return baseline(
        dataset.kind,
        values_of(dataset, "train"),
        dataset.split("train").labels,
        values_of(dataset, "test"),
        dataset.split("test").labels,
        arguments=dataset.about["arguments"],
        seed=seed,
        classes=dataset.about["classes"],
    )
