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
from bessemer.data.rows import View
from bessemer.measure.numbers import rmse, summary
from bessemer.task.regress.task import scale_of
from bessemer.task.simple import (
    Trial,
    affordable,
    architecture_of,
    boosted,
    seen,
    taken,
    tokens_of,
    trial,
    values_of,
)

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
    tokens: tuple[Any, Any] | None = None,
) -> dict[str, Any]:
    """Train on the training samples, measure on the test samples.

    `values`: samples as the kind of data stores them, or lists of texts, for which `tokens` are the training and
    test samples as networks take them; targets (N, K). `numbers` is what `dataset.json` says of targets,
    `arguments` what it says to the network. More than `limit` training samples (by default what the kind says) are
    thinned out by `seed`.

    Returns `name`, `metrics` with 95% intervals, `also` (always saying the mean, and the other models), `strength`
    (scikit-learn's alpha), `rounds` of trees of each target, `trained_on`, `train_rows` and, of texts, `amount` in
    characters, `seed` and `seconds`. Beside these `records` of the test samples by name, as the task makes them,
    and as `network` the `name` of the line that can ship and its `module`, or None.
    """
    started, arguments = time.perf_counter(), arguments or {}
    spread, scale = np.array([one["std"] for one in numbers]), scale_of(numbers)
    budget = affordable(kind, train_values, train_targets, limit or kind.simple.limit, seed)
    targets, values = train_targets[budget.places].astype(np.float64), taken(train_values, budget.places)
    parts, learned = trial(targets, kind.simple.trials, seed), None
    if tokens:
        learned = View(tokens[0], budget.places), tokens[1]
    found: list[tuple[float, str, F64]] = []
    strengths, network = [], None
    for one in seen(kind, values, test_values, arguments, targets.shape[1], False, learned):
        strength, error = choose_strength(one.features, targets, spread, parts)
        model = fit_ridge(one.features, targets, strength)
        strengths.append(strength)
        name = RIDGE if not found else f"{RIDGE} on tokens and pairs"
        found.append((error, name, np.asarray(model.predict(one.others())).reshape(-1, targets.shape[1])))
        if one.network is not None:
            one.network.take(model.coef_.reshape(targets.shape[1], -1), model.intercept_)
            network = {"name": name, "module": one.network.eval()}
    rounds = None
    columns = kind.columns(values, arguments) if parts.chooses else None
    if columns is not None:
        others = kind.columns(test_values, arguments)
        assert others is not None
        held_out, said, rounds = trees_of(columns, targets, parts, others, seed)
        found.append((rmse(targets[parts.check], held_out, spread), NAME, said))
    found.sort(key=lambda one: one[0])
    mean = np.broadcast_to(train_targets.mean(0, dtype=np.float64), test_targets.shape)
    constant = {"name": CONSTANT, "metrics": {"rmse": {"value": rmse(test_targets, mean, scale)}}}
    first, *rest = [{"name": name, "metrics": summary(test_targets, said, scale, seed)} for _, name, said in found]
    return {
        **first,
        "also": [constant, *rest],
        "strength": strengths[0],
        "rounds": rounds,
        **budget.told,
        "seed": seed,
        "seconds": time.perf_counter() - started,
        "records": {name: {"truth": test_targets, "said": said, "scale": scale} for _, name, said in found},
        "network": network,
    }


def choose_strength(features: Features, targets: F64, spread: F64, parts: Trial) -> tuple[float, float]:
    """The strength that does best on the held-out part, and its error in deviations; 1 for tiny sets."""
    if not parts.chooses:
        return 1.0, np.inf
    train, check = parts.train, parts.check
    models = [fit_ridge(features[train], targets[train], one) for one in STRENGTHS]
    errors = [
        rmse(targets[check], model.predict(features[check]).reshape(targets[check].shape), spread)
        for model in models
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
    """The baseline on the splits of a prepared data set; `network` also has the `architecture` that builds it."""
    train, test = dataset.split("train").labels, dataset.split("test").labels
    found = baseline(
        dataset.kind,
        values_of(dataset, "train"),
        train.reshape(len(train), -1),
        values_of(dataset, "test"),
        test.reshape(len(test), -1),
        dataset.about["numbers"],
        arguments=dataset.about["arguments"],
        seed=seed,
        tokens=tokens_of(dataset),
    )
    if found["network"] is not None:
        found["network"]["architecture"] = architecture_of(dataset, len(dataset.about["numbers"]), False)
    return found
