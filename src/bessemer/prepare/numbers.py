"""Labels that are numbers: how columns write them, and as they are kept.

A comma that can be read in two ways (see bessemer.data.numbers) stops the run until `data.columns.decimal` says
what it means, since with a decimal comma `1.234` would be a thousand too.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bessemer.data.config import DataConfig
from bessemer.data.histogram import histogram
from bessemer.data.numbers import INFINITE, LARGE, NONE, UNCLEAR, Unreadable, number_in, says_nothing
from bessemer.data.record import FILTERED, Rejected
from bessemer.errors import DataError
from bessemer.prepare.staging import NO_LABEL, Staged

UNNAMED = "label"  # what the number of a folder is called


@dataclass(frozen=True)
class Numbers:
    """How the labels of one source are read: the names of their numbers, and the decimal mark where it is said."""

    names: tuple[str, ...]
    decimal: str | None = None

    def canonical(self, label: str) -> str:
        """A source's label as JSON: a number, an array of several. Raises Rejected where one is none."""
        texts: list[str | None] = [label] if len(self.names) == 1 else json.loads(label)
        found = [self._read(name, text) for name, text in zip(self.names, texts, strict=True)]
        return json.dumps(found if len(found) > 1 else found[0])

    def _read(self, name: str, text: str | None) -> float:
        if text is None or says_nothing(text):
            raise Rejected("no label", f"{name} is empty", FILTERED)
        try:
            return number_in(text, self.decimal)
        except Unreadable as problem:
            raise Rejected(f"{name} {problem}", text[:80], FILTERED) from problem


def numbers_in(config: DataConfig) -> list[Numbers]:
    """How the labels of each source are read, all with as many numbers."""
    columns = [source.columns for source in config.sources]
    return [Numbers(tuple(one.labels), one.decimal) if one else Numbers((UNNAMED,)) for one in columns]


def check_numbers(config: DataConfig, numbers: Sequence[Numbers], staged: Staged) -> None:
    """Stop where a column says numbers in an unknown way, or where too much of it is none."""
    labelled = max(1, len(staged) - staged.reasons["no label"])
    for name in dict.fromkeys(name for one in numbers for name in one.names):
        reasons = [f"{name} {why}" for why in (NONE, INFINITE, LARGE) if staged.reasons[f"{name} {why}"]]
        count = sum(staged.reasons[reason] for reason in reasons)
        if count / labelled > config.max_quarantined:
            example = staged.examples[reasons[0]]
            problem = f"column {name!r}: {count} of {labelled} labels are no numbers, such as {example!r}"
            remedy = "name a column of plain numbers (such as 1234.5, without units) in data.columns.label"
            raise DataError(problem, f"{remedy}, or raise data.max_quarantined (now {config.max_quarantined})")
        if unclear := staged.examples.get(f"{name} {UNCLEAR}"):
            problem = f"column {name!r} has numbers that can be read in two ways, such as {unclear!r}"
            remedy = "set data.columns.decimal to ',' or '.'; with a decimal comma, 1.234 is a thousand too"
            raise DataError(problem, remedy)


def numbers_of(staged: Staged, count: int) -> NDArray[np.float32]:
    """For each row the numbers that its label says (N, count), not a number where it is not used."""
    table = np.full((len(staged.names) + 1, count), np.nan, np.float32)
    for place in np.unique(staged.labels[~staged.rejected]).tolist():
        table[place] = json.loads(staged.names[place])
    return table[np.where(staged.rejected, len(staged.names), staged.labels)]


def distinct_numbers(staged: Staged, count: int) -> tuple[list[str], NDArray[np.int32]]:
    """The different numbers that labels say, and for each row the place of its own, NO_LABEL where it has none."""
    every = numbers_of(staged, count)
    codes = np.full(len(every), NO_LABEL, np.int32)
    known = ~np.isnan(every).any(1)
    found, places = np.unique(every[known], axis=0, return_inverse=True)
    codes[known] = places.reshape(-1)
    return [", ".join(map(str, row)) for row in found], codes


def describe_numbers(
    names: Sequence[str], targets: NDArray[np.float32], train: NDArray[np.int64]
) -> list[dict[str, Any]]:
    """What `dataset.json` says of each target: its name, a histogram of all, and figures of the training split.

    `targets` (N, K), `train` places of training samples. The figures are `mean`, `std`, `low` and `high`. Raises
    DataError where a target has one value in the training split.
    """
    told = []
    for name, values in zip(names, targets.T, strict=True):
        some = values[train].astype(np.float64)
        low, high = float(some.min()), float(some.max())
        if low == high:
            every = "every row" if (values == low).all() else "every training row"
            problem = f"{every} has the same target {float(str(values[train[0]]))} (column {name!r})"
            raise DataError(problem, "name a column whose numbers differ in data.columns.label")
        figures = {"mean": float(some.mean()), "std": float(some.std()), "low": low, "high": high}
        told.append({"name": name, **figures, **histogram(values)})
    return told
