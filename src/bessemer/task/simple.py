"""What the simple models beside a network share: the samples that train them, and that choose between them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bessemer.data.boosting import Boosted, Columns, fit_boosting
from bessemer.data.dataset import Dataset
from bessemer.data.features import Features
from bessemer.data.kind import Kind
from bessemer.data.rows import Rows
from bessemer.data.split import take_count
from bessemer.draws import Stream, mix, seed_for
from bessemer.model.state import Architecture

LEAST = 20  # held-out samples that can choose


def values_of(dataset: Dataset, split: str) -> Any:
    """The samples of a split as simple models take them: texts, or what the kind of data stores."""
    return dataset.texts(split) if "texts" in dataset.about else dataset.split(split).inputs


@dataclass(frozen=True)
class Budget:
    """Places, ascending, of the training samples that simple models are fitted on, and what they are of all."""

    places: NDArray[np.int64]
    told: dict[str, Any]


def affordable(kind: Kind, values: Any, labels: NDArray[Any], limit: int, seed: int) -> Budget:
    """At most `limit` training samples, and as many as hold what the kind of data can afford of its amounts.

    Every class keeps its share. `told` has `trained_on` and `train_rows` in samples and, where the kind counts
    amounts, `amount`: its `unit`, and how much of it was `trained_on`, `of` how much.
    """
    amounts, most = kind.amounts(values), kind.simple.budget
    ids = mix(np.arange(len(labels), dtype=np.uint64))

    def some(count: int) -> NDArray[np.int64]:
        return np.arange(len(labels)) if count >= len(labels) else take_count(labels, ids, count, seed)

    count = min(limit, len(labels))
    if amounts is not None and most is not None and amounts[some(count)].sum() > most:
        # More samples hold more, so the largest number that can be afforded is found by halving.
        count = max(1, bisect_right(range(count), most, key=lambda count: int(amounts[some(count)].sum())) - 1)
    places = some(count)
    told: dict[str, Any] = {"trained_on": len(places), "train_rows": len(labels)}
    if amounts is not None:
        sums = {"trained_on": int(amounts[places].sum()), "of": int(amounts.sum())}
        told["amount"] = {"unit": kind.unit, **sums}
    return Budget(places, told)


@dataclass(frozen=True)
class Seen:
    """What a linear model sees: features of training samples, those of others, and the network that holds it."""

    name: str
    features: Features
    others: Callable[[], Features]
    network: Any = None  # a bessemer.data.kind.Line, where what is fitted can ship


def seen(
    kind: Kind, values: Any, others: Any, arguments: Mapping[str, Any], outputs: int, classes: bool, tokens: Any
) -> list[Seen]:
    """What linear models see of training samples and of others: the features of the kind, and those of its
    network.

    Samples are what networks take, but for texts, for which `tokens` are a pair of what networks take in their
    place.
    """
    texts, found = isinstance(values[0], str), []
    given = tokens if texts else (values, others)
    network = given and kind.simple_network(np.shape(given[0][:1])[1:], arguments, outputs, classes)
    if texts or network is None:
        features, transform = kind.baseline_features(values, arguments)
        found.append(Seen(kind.simple.name, features, lambda: transform(others)))
    if network is not None:
        name = kind.simple.network or kind.simple.name
        found.append(Seen(name, network.learn(given[0]), lambda: network.measure(given[1]), network))
    return found


def tokens_of(dataset: Dataset) -> tuple[Rows, Rows] | None:
    """What networks take of the training and test samples, where simple models take texts; else None."""
    if "texts" not in dataset.about:
        return None
    return dataset.split("train").inputs, dataset.split("test").inputs


def architecture_of(dataset: Dataset, outputs: int, classes: bool) -> Architecture:
    """How the network of the simple model is built again, once it is saved."""
    shape, arguments = dataset.about["inputs"].get("shape", []), dataset.about["arguments"]
    about = {"kind": dataset.about["modality"], "shape": list(shape), "arguments": arguments}
    return Architecture("bessemer.model.simple.MODEL", {**about, "outputs": outputs, "of_classes": classes})


def taken(values: Any, chosen: NDArray[np.int64]) -> Any:
    """The samples at some positions."""
    if len(chosen) == len(values):
        return values
    return [values[int(i)] for i in chosen] if isinstance(values, list) else values[chosen]


@dataclass(frozen=True)
class Trial:
    """Positions of training samples that models learn from, and of a fifth that chooses between them."""

    train: NDArray[np.int64]
    check: NDArray[np.int64]

    @property
    def chooses(self) -> bool:
        """Whether there are enough to choose by."""
        return len(self.check) >= LEAST


def trial(labels: NDArray[Any], most: int, seed: int) -> Trial:
    """At most so many of the training samples, every class keeping its share, in two parts."""
    some = take_count(labels, mix(np.arange(len(labels), dtype=np.uint64)), min(most, len(labels)), seed)
    held_out = np.zeros(len(some), bool)
    ids = mix(some.astype(np.uint64))
    held_out[take_count(labels[some], ids, len(some) // 5, seed_for(Stream.BASELINE, seed))] = True
    return Trial(some[~held_out], some[held_out])


def boosted(columns: Columns, targets: NDArray[Any], parts: Trial, seed: int, numbers: bool = False) -> Boosted:
    """Gradient boosting on columns of the samples of both parts, in this order: train, check."""
    order = np.concatenate([parts.train, parts.check])
    held_out = np.arange(len(order)) >= len(parts.train)
    return fit_boosting((columns[0][order], columns[1]), targets[order], held_out, seed, numbers)
