"""The simple baseline that stands beside the models: logistic regression, fitted with some care.

Its strength is chosen on a held-out fifth of the training samples; the test samples are only counted.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bessemer.data.config import Modality
from bessemer.data.dataset import Dataset
from bessemer.data.features import MAX_CHARACTERS, fit_features, fit_linear
from bessemer.data.order import mix
from bessemer.data.split import take_count
from bessemer.measure.metrics import wilson

NAMES: dict[Modality, str] = {
    "image": "logistic regression on pixels",
    "text": "logistic regression on TF-IDF of words and word pairs",
    "audio": "logistic regression on mean spectra",
}
STRENGTHS: dict[Modality, tuple[float, ...]] = {
    "image": (0.03, 0.3, 3.0),
    "text": (3.0, 10.0, 30.0, 100.0),
    "audio": (0.1, 1.0, 10.0, 100.0),
}
LIMITS: dict[Modality, int] = {"image": 60_000, "text": 20_000, "audio": 60_000}
CONSTANT = "always the commonest class"
CHARACTERS = 30_000_000  # of all texts that are trained on
TRIALS: dict[Modality, int] = {"image": 60_000, "text": 5_000, "audio": 20_000}  # samples to choose the strength


def baseline(
    modality: Modality,
    train_values: Any,
    train_labels: NDArray[np.int64],
    test_values: Any,
    test_labels: NDArray[np.int64],
    *,
    rate: int = 16_000,
    limit: int | None = None,
    seed: int = 0,
    classes: Sequence[str] = (),
) -> dict[str, Any]:
    """Train on the training samples, count right answers on the test samples.

    `values`: images uint8 (N, H, W, C), clips int16 (N, T) at `rate` samples a second, or lists of texts; labels
    (N,). More than `limit` training samples (by default 60,000, of texts 20,000) are thinned out by class and
    `seed`. Returns `name`, `metrics` with accuracy and Wilson's 95% interval, `also` (always naming the commonest
    class), `strength` (scikit-learn's C), `trained_on`, `train_rows`, `converged`, `seed` and `seconds`.
    """
    started = time.perf_counter()
    chosen = _affordable(modality, train_values, train_labels, limit or LIMITS[modality], seed)
    labels = train_labels[chosen]
    features, transform = fit_features(modality, _take(train_values, chosen), rate)
    strength = _choose_strength(modality, features, labels, seed)
    model, converged = fit_linear(features, labels, strength, seed)
    right = int((model.predict(transform(test_values)) == test_labels).sum())
    low, high = wilson(right, len(test_labels))
    commonest = int(np.bincount(train_labels).argmax())
    name = classes[commonest] if classes else ""
    return {
        "name": NAMES[modality],
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


def _affordable(
    modality: Modality, values: Any, labels: NDArray[np.int64], limit: int, seed: int
) -> NDArray[np.int64]:
    """Positions, ascending, of at most `limit` samples, and of texts with `CHARACTERS` characters at most."""
    if modality == "text":
        lengths = [min(len(text), MAX_CHARACTERS) for text in values]
        limit = min(limit, int(CHARACTERS / max(1.0, float(np.mean(lengths)))))
    if limit >= len(labels):
        return np.arange(len(labels))
    return take_count(labels, mix(np.arange(len(labels), dtype=np.uint64)), limit, seed)


def _choose_strength(modality: Modality, features: Any, labels: NDArray[np.int64], seed: int) -> float:
    """The strength that does best on a held-out fifth of some samples; a middle one for tiny sets."""
    strengths = STRENGTHS[modality]
    ids = mix(np.arange(len(labels), dtype=np.uint64))
    some = take_count(labels, ids, min(TRIALS[modality], len(labels)), seed)
    held_out = np.zeros(len(some), bool)
    held_out[take_count(labels[some], ids[some], len(some) // 5, seed + 1)] = True
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
    modality, rate = dataset.about["modality"], dataset.about["arguments"].get("rate", 0)
    kept_as_text = "texts" in dataset.about
    values = [dataset.texts(name) for name in ("train", "test")] if kept_as_text else [train.inputs, test.inputs]
    return baseline(
        modality,
        values[0],
        train.labels,
        values[1],
        test.labels,
        rate=rate,
        seed=seed,
        classes=dataset.about["classes"],
    )
