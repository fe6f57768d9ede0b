"""The simple models beside a regression: ridge regression on features, and gradient boosting.

Trees stand there where the kind of data has columns. A held-out fifth of the training samples chooses the strength
of the one, the rounds of the other, and which of both is the baseline; the test samples are only measured.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bessemer.data.boosting import NAME, Columns
from bessemer.data.dataset import Dataset
from bessemer.data.features import Features, fit_ridge
from bessemer.data.kind import Kind
from bessemer.measure.numbers import rmse, summary
from bessemer.task.regress.task import scale_of
from bessemer.task.simple import Trial, affordable, boosted, taken, trial, values_of

F64 = NDArray[np.float64]
RIDGE, CONSTANT = "ridge regression", "always the mean"
STRENGTHS = (0.01, 1.0, 100.0, 1e4)  # scikit-learn's alpha, from free to strict


def baseline(
    kind: Kind,
    train_values: Any,
    train_targets: NDArray[np.float32],
    test_values: Any,
    test_targets: NDArray[np.float32],
    numbers: list[Mapping[str, Any]],
    *,
    arguments: Mapping[str, Any] | None = None,
    limit: int | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Train on the training samples, measure on the test samples.

    `values`: samples as the kind of data stores them, or lists of texts; targets (N, K). `numbers` is what
    `dataset.json` says of targets, `arguments` what it says to the network. More than `limit` training samples (by
    default what the kind says) are thinned out by `seed`. Returns `name`, `metrics` with 95% intervals, `also`
    (always saying the mean, and the other model where there are two), `strength` (scikit-learn's alpha), `rounds`
    of trees of each target, `trained_on`, `train_rows`, `seed` and `seconds`.
    """
    started, arguments = time.perf_counter(), arguments or {}
    spread, scale = np.array([one["std"] for one in numbers]), scale_of(numbers)
    chosen = affordable(kind, train_values, train_targets, limit or kind.simple.limit, seed)
    targets, values = train_targets[chosen].astype(np.float64), taken(train_values, chosen)
    parts = trial(targets, kind.simple.trials, seed)

    def measured(name: str, said: F64) -> dict[str, Any]:
        return {"name": name, "metrics": summary(test_targets, said, scale, seed)}

    features, transform = kind.features(values, arguments)
    strength, error = choose_strength(features, targets, spread, parts)
    found = [measured(RIDGE, fit_ridge(features, targets, strength)(transform(test_values)))]
    rounds = None
    columns = kind.columns(values, arguments) if parts.chooses else None
    if columns is not None:
        others = kind.columns(test_values, arguments)
        assert others is not None
        held_out, said, rounds = trees_of(columns, targets, parts, others, seed)
        better = rmse(targets[parts.check], held_out, spread) < error
        found.insert(0 if better else 1, measured(NAME, said))
    mean = np.broadcast_to(train_targets.mean(0, dtype=np.float64), test_targets.shape)
    constant = {"name": CONSTANT, "metrics": {"rmse": {"value": rmse(test_targets, mean, scale)}}}
    return {
        **found[0],
        "also": [constant, *found[1:]],
        "strength": strength,
        "rounds": rounds,
        "trained_on": len(chosen),
        "train_rows": len(train_targets),
        "seed": seed,
        "seconds": time.perf_counter() - started,
    }


def choose_strength(features: Features, targets: F64, spread: F64, parts: Trial) -> tuple[float, float]:
    """The strength that does best on the held-out part, and its error in deviations; 1 for tiny sets."""
    if not parts.chooses:
        return 1.0, np.inf
    train, check = parts.train, parts.check
    errors = [
        rmse(targets[check], fit_ridge(features[train], targets[train], one)(features[check]), spread)
        for one in STRENGTHS
    ]
    best = int(np.argmin(errors))
    return STRENGTHS[best], errors[best]


def trees_of(
    columns: Columns, targets: F64, parts: Trial, others: Columns, seed: int
) -> tuple[F64, F64, list[int]]:
    """What trees of each target say of the held-out part and of other samples, each (N, K), and their rounds."""
    trees = [boosted(columns, one, parts, seed, numbers=True) for one in targets.T]
    held_out = np.stack([one.trial(columns[0][parts.check]) for one in trees], 1)
    return held_out, np.stack([one.whole(others[0]) for one in trees], 1), [one.rounds for one in trees]


def baseline_of(dataset: Dataset, seed: int) -> dict[str, Any]:
    """The baseline on the splits of a prepared data set."""
    train, test = dataset.split("train").labels, dataset.split("test").labels
    return baseline(
        dataset.kind,
        values_of(dataset, "train"),
        train.reshape(len(train), -1),
        values_of(dataset, "test"),
        test.reshape(len(test), -1),
        dataset.about["numbers"],
        arguments=dataset.about["arguments"],
        seed=seed,
    )
