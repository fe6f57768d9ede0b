"""Classification metrics from a confusion matrix, with 95% intervals.

Accuracy has Wilson's interval (Wilson, 1927). Precision, recall and F1 are averages over the classes that occur
and have no closed form, so theirs is the percentile bootstrap, stratified by class: resampling the samples of a
class is the same as drawing its row of the confusion matrix from a multinomial, which needs no pass over the data.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bessemer.draws import Stream, generator

Matrix = NDArray[np.int64]
Z95 = 1.959963984540054
RESAMPLES = 1000


def confusion_matrix(truth: NDArray[np.int64], predicted: NDArray[np.int64], classes: int) -> Matrix:
    """Counts (K, K): rows are the true class, columns the predicted one."""
    cells = np.bincount(truth * classes + predicted, minlength=classes * classes)
    return cells.reshape(classes, classes)


def per_class(matrix: Matrix, names: Sequence[str]) -> list[dict[str, Any]]:
    """Precision, recall, F1 and number of samples of each class; 0 where a ratio has no samples."""
    right, predicted, actual = np.diagonal(matrix), matrix.sum(0), matrix.sum(1)
    precision, recall, f1 = _rates(right, predicted, actual)
    return [
        {"name": name, "precision": float(p), "recall": float(r), "f1": float(f), "support": int(n)}
        for name, p, r, f, n in zip(names, precision, recall, f1, actual, strict=True)
    ]


def _rates(
    right: NDArray[Any], predicted: NDArray[Any], actual: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    precision = right / np.maximum(predicted, 1)
    recall = right / np.maximum(actual, 1)
    f1 = 2 * right / np.maximum(predicted + actual, 1)
    return precision, recall, f1


def summary(matrix: Matrix, seed: int = 0) -> dict[str, dict[str, float]]:
    """Accuracy and macro-averaged precision, recall and F1: each `value`, and `low` and `high` at 95%."""
    right, total = int(np.trace(matrix)), int(matrix.sum())
    low, high = wilson(right, total)
    result = {"accuracy": {"value": right / total, "low": low, "high": high}}
    values = _macro(np.diagonal(matrix)[None], matrix.sum(0)[None], matrix.sum(1)[None])[:, 0]
    draws = _bootstrap(matrix, seed)
    for name, value, drawn in zip(("precision", "recall", "f1"), values, draws, strict=True):
        low, high = np.percentile(drawn, [2.5, 97.5])
        result[name] = {"value": float(value), "low": float(low), "high": float(high)}
    return result


def _macro(right: NDArray[Any], predicted: NDArray[Any], actual: NDArray[Any]) -> NDArray[np.float64]:
    """Averages (3, N) over the classes of each row of (N, K) that are true or predicted at least once."""
    occurs = (actual + predicted) > 0
    return np.stack([(rate * occurs).sum(1) / occurs.sum(1) for rate in _rates(right, predicted, actual)])


def _bootstrap(matrix: Matrix, seed: int) -> NDArray[np.float64]:
    """Macro precision, recall and F1 (3, RESAMPLES) of resampled confusion matrices."""
    classes = len(matrix)
    numbers = generator(Stream.BOOTSTRAP, seed)
    right, predicted, actual = (np.zeros((RESAMPLES, classes), np.int64) for _ in range(3))
    for row, counts in enumerate(matrix):
        total = int(counts.sum())
        if total == 0:
            continue
        columns = np.flatnonzero(counts)
        draws = numbers.multinomial(total, counts[columns] / total, size=RESAMPLES)
        predicted[:, columns] += draws
        right[:, row] = draws[:, columns == row].sum(1)
        actual[:, row] = total
    return _macro(right, predicted, actual)


def wilson(right: int, total: int) -> tuple[float, float]:
    """Wilson's 95% interval of a proportion."""
    share, z2 = right / total, Z95**2
    center = (share + z2 / (2 * total)) / (1 + z2 / total)
    half = Z95 / (1 + z2 / total) * np.sqrt(share * (1 - share) / total + z2 / (4 * total**2))
    return max(0.0, float(center - half)), min(1.0, float(center + half))


def paired_difference(before: NDArray[np.bool_], after: NDArray[np.bool_]) -> tuple[float, float, float]:
    """Change of accuracy on the same samples, and its 95% interval, which does not collapse where none differ.

    Half a sample is added to each cell of the 2x2 table (Agresti and Min, 2005).
    """
    total = len(before) + 2.0
    won, lost = float((after & ~before).sum()), float((before & ~after).sum())
    center = (won - lost) / total
    half = Z95 / total * np.sqrt(won + lost + 1 - (won - lost) ** 2 / total)
    return (won - lost) / len(before), center - float(half), center + float(half)
