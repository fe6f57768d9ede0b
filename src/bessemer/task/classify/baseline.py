"""The simple baseline that stands beside the models: logistic regression, fitted with some care.

Its strength is chosen on a held-out fifth of the training samples; the test samples are only counted.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bessemer.data.dataset import Dataset
from bessemer.data.features import fit_linear
from bessemer.data.kind import Kind, Simple
from bessemer.data.split import take_count
from bessemer.draws import Stream, mix, seed_for
from bessemer.measure.metrics import wilson

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
    (always naming the commonest class), `strength` (scikit-learn's C), `trained_on`, `train_rows`, `converged`,
    `seed` and `seconds`.
    """
    started = time.perf_counter()
    chosen = _affordable(kind, train_values, train_labels, limit or kind.simple.limit, seed)
    labels = train_labels[chosen]
    features, transform = kind.features(_take(train_values, chosen), arguments or {})
    strength = _choose_strength(kind.simple, features, labels, seed)
    model, converged = fit_linear(features, labels, strength, seed)
    right = int((model.predict(transform(test_values)) == test_labels).sum())
    low, high = wilson(right, len(test_labels))
    commonest = int(np.bincount(train_labels).argmax())
    name = classes[commonest] if classes else ""
    return {
        "name": kind.simple.name,
        "metrics": {"accuracy": {"value": right / len(test_labels), "low": low, "high": high}},
        "also": [
            {
                "name": f"always answering “{name}”" if name else CONSTANT,
                "metrics": {"accuracy": {"value": float(np.mean(test_labels == commonest))}},
            }
        ],
        "strength": strength,
        "trained_on": len(chosen),
        "train_rows": len(train_labels),
        "converged": converged,
        "seed": seed,
        "seconds": time.perf_counter() - started,
    }


def _affordable(kind: Kind, values: Any, labels: NDArray[np.int64], limit: int, seed: int) -> NDArray[np.int64]:
    """Positions, ascending, of at most `limit` samples, fewer where the kind of data asks for it."""
    limit = kind.affordable(values, limit)
    if limit >= len(labels):
        return np.arange(len(labels))
    return take_count(labels, mix(np.arange(len(labels), dtype=np.uint64)), limit, seed)


def _choose_strength(simple: Simple, features: Any, labels: NDArray[np.int64], seed: int) -> float:
    """The strength that does best on a held-out fifth of some samples; a middle one for tiny sets."""
    strengths = simple.strengths
    ids = mix(np.arange(len(labels), dtype=np.uint64))
    some = take_count(labels, ids, min(simple.trials, len(labels)), seed)
    held_out = np.zeros(len(some), bool)
    held_out[take_count(labels[some], ids[some], len(some) // 5, seed_for(Stream.BASELINE, seed))] = True
    train, check = some[~held_out], some[held_out]
    if len(check) < 20 or len(np.unique(labels[train])) < 2:
        return strengths[len(strengths) // 2]
    scores = [
        fit_linear(features[train], labels[train], strength, seed)[0].score(features[check], labels[check])
        for strength in strengths
    ]
    return strengths[int(np.argmax(scores))]


def _take(values: Any, chosen: NDArray[np.int64]) -> Any:
    if len(chosen) == len(values):
        return values
    return [values[int(i)] for i in chosen] if isinstance(values, list) else values[chosen]


def baseline_of(dataset: Dataset, seed: int) -> dict[str, Any]:
    """The baseline on the splits of a prepared data set."""
    train, test = dataset.split("train"), dataset.split("test")
    kept_as_text = "texts" in dataset.about
    values = [dataset.texts(name) for name in ("train", "test")] if kept_as_text else [train.inputs, test.inputs]
    return baseline(
        dataset.kind,
        values[0],
        train.labels,
        values[1],
        test.labels,
        arguments=dataset.about["arguments"],
        seed=seed,
        classes=dataset.about["classes"],
    )
