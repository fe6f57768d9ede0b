"""Columns that tell the target of nearly every row alone: a copy of it, or what is known only afterwards.

Rows are sorted by one column. Where it tells the target, the row before says what this one is: nearly all rows of
each class follow one of their own class, or the numbers to be told hardly change from row to row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bessemer.data.numbers import Unreadable, number_in
from bessemer.data.table.rows import RowReader
from bessemer.draws import Stream, generator

ROWS = 4000  # that are looked at, evenly chosen
LEAST = 50
SMALL = 3  # rows of a class, below which it is not counted
ALONE = 0.98  # share of the rows of each class that follow their own
CLOSE = 0.998  # share of the variance of numbers that is gone from row to row
MANY = 20  # different numbers, from which on they are not classes
NOTE = "tells the target of nearly every row alone: leave it out if it is not known when you predict"


class Sample:
    """Rows with their labels, evenly chosen from those that pass by."""

    def __init__(self) -> None:
        self.rows: list[tuple[Mapping[str, Any], str | None]] = []

    def of(self, looks: Iterable[tuple[Mapping[str, Any], str | None]]) -> Iterator[Mapping[str, Any]]:
        """The rows of all looks."""
        step = 1
        for place, (row, label) in enumerate(looks):
            if place % step == 0:
                self.rows.append((row, label))
            if len(self.rows) == 2 * ROWS:
                self.rows, step = self.rows[::2], 2 * step
            yield row


def telling_alone(rows: RowReader, sample: Sequence[tuple[Mapping[str, Any], str | None]]) -> dict[str, str]:
    """NOTE for each column that tells the target alone."""
    labelled = [(row, label) for row, label in sample if label is not None]
    if len(labelled) < LEAST:
        return {}
    order = generator(Stream.LOOK, 0).permutation(len(labelled))  # rows of one value in no order
    targets = targets_of([labelled[place][1] for place in order])
    read = [rows.read(labelled[place][0])[:2] for place in order]
    columns = dict(zip(_measured(rows), np.array([values for values, _ in read]).T, strict=True))
    names = np.array([names for _, names in read], object).reshape(len(read), -1)
    columns |= dict(zip(rows.categories, map(_codes, names.T), strict=True))
    return {name: NOTE for name, column in columns.items() if _tells(column, targets)}


def targets_of(labels: Sequence[Any]) -> NDArray[Any]:
    """Labels as numbers float64 (N,), or as codes of classes int64 (N,)."""
    numbers = [_number(label) for label in labels]
    if None in numbers or len(set(numbers)) <= MANY:
        return _codes(labels)
    return np.array(numbers, np.float64)


def _number(label: str) -> float | None:
    try:
        return number_in(label)
    except Unreadable:
        return None


def _measured(rows: RowReader) -> list[str]:
    return [name for name, _ in (*rows.numbers, *rows.dates)]


def _codes(names: Iterable[Any]) -> NDArray[np.int64]:
    return np.unique(np.array([str(name) for name in names]), return_inverse=True)[1]


def _tells(column: NDArray[Any], targets: NDArray[Any]) -> bool:
    known = ~np.isnan(column) if column.dtype == np.float64 else column >= 0
    column, targets = column[known], targets[known]
    if len(column) < LEAST or (column == column[0]).all():
        return False
    ordered = targets[np.argsort(column, kind="stable")]
    if ordered.dtype == np.float64:
        steps, spread = np.diff(ordered), float(ordered.var())
        return spread > 0 and 1 - float(np.mean(steps**2)) / (2 * spread) >= CLOSE
    return _alone(ordered)


def _alone(ordered: NDArray[np.int64]) -> bool:
    """Whether the rows of each class stand together; the first of a class has nothing to follow."""
    sizes = Counter(ordered.tolist())
    followed = Counter(ordered[1:][ordered[1:] == ordered[:-1]].tolist())
    shares = [(followed[one] + 1) / size for one, size in sizes.items() if size >= SMALL]
    return len(shares) > 1 and float(np.mean(shares)) >= ALONE
