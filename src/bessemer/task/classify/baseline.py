"""The simple models beside the networks, fitted with some care: logistic regression, and gradient boosting.

Trees stand there where the kind of data has columns. A held-out fifth of the training samples chooses the strength
of lines, the rounds of trees, and which of them is the baseline; the test samples are only counted. The line that
a network holds (bessemer.data.simple) is given as one, so that it can ship.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bessemer.data.boosting import MOST_CLASSES, NAME
from bessemer.data.dataset import Dataset
from bessemer.data.features import Features, fit_linear, weights_of
from bessemer.data.kind import Kind
from bessemer.data.rows import View
from bessemer.measure.metrics import confusion_matrix, summary
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
from bessemer.task.task import Records

CONSTANT = "always the commonest class"
WORSE = 2  # strengths in a row that do worse than one before, after which no freer one is tried
F64 = NDArray[np.float64]


@dataclass(frozen=True)
class Fitted:
    """A line on all samples: its strength, how often that was right on the held-out part, whether it converged."""

    model: Any
    strength: float
    score: float
    converged: bool

    def shares(self, features: Features, classes: int) -> F64:
        """Probabilities (N, K) of all classes, 0 of those that no training sample has."""
        every = np.zeros((features.shape[0], classes))
        every[:, self.model.classes_] = self.model.predict_proba(features)
        return every


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
    tokens: tuple[Any, Any] | None = None,
) -> dict[str, Any]:
    """Train on the training samples, count right answers on the test samples.

    `values`: samples as the kind of data stores them, or lists of texts, for which `tokens` are the training and
    test samples as networks take them; labels (N,). `arguments` is what `dataset.json` says to the network. More
    than `limit` training samples (by default what the kind says) are thinned out by class and `seed`.

    Returns `name`, `metrics` with accuracy, macro precision, recall and F1 and their 95% intervals, `also` (always
    naming the commonest class, and the other models), `strength` (scikit-learn's C), `rounds` of trees,
    `trained_on`, `train_rows` and, of texts, `amount` in characters, `converged`, `seed` and `seconds`. Beside
    these `records` of the test samples by name, as the task makes them, and as `network` the `name` of the line
    that can ship and its `module`, or None.
    """
    started, arguments = time.perf_counter(), arguments or {}
    budget = affordable(kind, train_values, train_labels, limit or kind.simple.limit, seed)
    labels, values = train_labels[budget.places], taken(train_values, budget.places)
    count = max(len(classes), 1 + int(max(train_labels.max(), test_labels.max())))
    parts = trial(labels, kind.simple.trials, seed)
    learned = (View(tokens[0], budget.places), tokens[1]) if tokens else None
    found, lines, network = [], [], None
    for one in seen(kind, values, test_values, arguments, count, True, learned):
        fitted = fit(kind.simple.strengths, one.features, labels, parts, seed)
        lines.append(fitted)
        found.append((fitted.score, one.name, fitted.shares(one.others(), count)))
        if one.network is not None:
            one.network.take(*weights_of(fitted.model, count))
            network = {"name": one.name, "module": one.network.eval()}
    trees = grown(kind, values, labels, test_values, arguments, parts, count, seed)
    found += [trees[1]] if trees else []
    found.sort(key=lambda one: -one[0])
    records = {name: recorded(shares, test_labels) for _, name, shares in found}
    commonest = int(np.bincount(train_labels).argmax())
    name = f"always answering “{classes[commonest]}”" if classes and classes[commonest] else CONSTANT
    constant = {"name": name, "metrics": {"accuracy": {"value": float(np.mean(test_labels == commonest))}}}
    first, *others = [{"name": name, "metrics": counted(one, count, seed)} for name, one in records.items()]
    return {
        **first,
        "also": [constant, *others],
        "strength": lines[0].strength,
        "rounds": trees[0] if trees else None,
        **budget.told,
        "converged": lines[0].converged,
        "seed": seed,
        "seconds": time.perf_counter() - started,
        "records": records,
        "network": network,
    }


def grown(
    kind: Kind,
    values: Any,
    labels: NDArray[np.int64],
    others: Any,
    arguments: Mapping[str, Any],
    parts: Trial,
    classes: int,
    seed: int,
) -> tuple[int, tuple[float, str, F64]] | None:
    """Rounds of trees, and how often they are right on the held-out part, their name, their shares of others (N,
    K).

    None where the kind has no columns, or trees could not be chosen or would be too many.
    """
    if not parts.chooses or len(np.unique(labels)) > MOST_CLASSES:
        return None
    columns = kind.columns(values, arguments)
    if columns is None:
        return None
    trees, theirs = boosted(columns, labels, parts, seed), kind.columns(others, arguments)
    assert theirs is not None
    assert trees.classes is not None
    assert trees.shares is not None
    score = float(np.mean(trees.trial(columns[0][parts.check]) == labels[parts.check]))
    shares = np.zeros((len(theirs[0]), classes))
    shares[:, trees.classes] = trees.shares(theirs[0])
    return trees.rounds, (score, NAME, shares)


def recorded(shares: F64, truth: NDArray[np.int64]) -> Records:
    """The true class, the decision and its probability, each (N,), as bessemer.task.classify.task has them."""
    decided = shares.argmax(1)
    sure = shares[np.arange(len(shares)), decided]
    return {"truth": truth, "decided": decided.astype(np.int64), "confidence": sure}


def counted(records: Records, classes: int, seed: int) -> dict[str, dict[str, float]]:
    """How often a model is right, and what else its confusions say."""
    return summary(confusion_matrix(records["truth"], records["decided"], classes), seed)


def fit(
    strengths: Sequence[float], features: Features, labels: NDArray[np.int64], parts: Trial, seed: int
) -> Fitted:
    """A line of the strength that does best on the held-out part; a middle one for tiny sets."""
    train, check = parts.train, parts.check
    if not parts.chooses or len(np.unique(labels[train])) < 2:
        model, converged = fit_linear(features, labels, strengths[len(strengths) // 2], seed)
        return Fitted(model, strengths[len(strengths) // 2], 0.0, converged)
    learned, held_out = features[train], features[check]
    scores: list[float] = []
    models: list[Any] = []
    for strength in strengths:
        models.append(fit_linear(learned, labels[train], strength, seed, models[-1] if models else None)[0])
        scores.append(float(models[-1].score(held_out, labels[check])))
        if len(scores) - 1 - int(np.argmax(scores)) >= WORSE:
            break
    best = int(np.argmax(scores))
    model, converged = fit_linear(features, labels, strengths[best], seed, models[best])
    return Fitted(model, strengths[best], scores[best], converged)


def baseline_of(dataset: Dataset, seed: int) -> dict[str, Any]:
    """The baseline on the splits of a prepared data set; `network` also has the `architecture` that builds it."""
    found = baseline(
        dataset.kind,
        values_of(dataset, "train"),
        dataset.split("train").labels,
        values_of(dataset, "test"),
        dataset.split("test").labels,
        arguments=dataset.about["arguments"],
        seed=seed,
        classes=dataset.about["classes"],
        tokens=tokens_of(dataset),
    )
    if found["network"] is not None:
        found["network"]["architecture"] = architecture_of(dataset, len(dataset.about["classes"]), True)
    return found
