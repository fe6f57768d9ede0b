"""Gradient boosting on columns: what wins on most tables, so that a network has to earn its keep against it.

Histogram-based trees (Ke et al., "LightGBM", 2017) in scikit-learn's implementation, which takes missing values
and categories as they are. As many rounds are made as do best on a held-out part.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bessemer.draws import Stream, seed_for

Columns = tuple[NDArray[np.float32], NDArray[np.bool_]]  # (N, D), NaN where missing; (D,) which are categories
Answer = Callable[[NDArray[np.float32]], NDArray[Any]]  # columns (N, D) to classes or numbers (N,)

NAME = "gradient boosting"
CODES = 255  # categories of a column that are told apart: what fits into the bins of a histogram
PATIENCE = 10  # rounds without a gain, after which no more are tried
ROUNDS, TREES = 300, 3000  # at most; of classes a round has a tree for each
MOST_CLASSES = 300


@dataclass(frozen=True)
class Boosted:
    """Trees of the samples that were not held out, to say how good this is, and of all samples; their rounds.

    Of classes also which there are, ascending, and a function to the probability of each.
    """

    trial: Answer
    whole: Answer
    rounds: int
    classes: NDArray[np.int64] | None = None
    shares: Answer | None = None


def fit_boosting(
    columns: Columns, targets: NDArray[Any], held_out: NDArray[np.bool_], seed: int, numbers: bool = False
) -> Boosted:
    """Trees for targets (N,): labels of classes int64, or numbers.

    The number of rounds is the one that is best on the samples `held_out` (N,). One thread does it, so that its
    bytes do not depend on the machine's cores.
    """
    from threadpoolctl import threadpool_limits

    train, known = ~held_out, held_out
    codes = Codes(*columns, train)
    values = codes(columns[0])
    if not numbers:
        known = held_out & np.isin(targets, np.unique(targets[train]))
    trees = 1 if numbers else len(np.unique(targets))
    settings: dict[str, Any] = {
        "categorical_features": columns[1],
        "random_state": seed_for(Stream.BASELINE, seed) % 2**32,
    }
    with threadpool_limits(1):
        most = max(PATIENCE, min(ROUNDS, TREES // trees))
        trial = _model(numbers)(early_stopping=True, n_iter_no_change=PATIENCE, max_iter=most, **settings)
        trial.fit(values[train], targets[train], X_val=values[known], y_val=targets[known])
        rounds = max(1, int(np.argmax(trial.validation_score_)))
        whole = _model(numbers)(early_stopping=False, max_iter=rounds, **settings)
        whole.fit(values, targets)
    answers = _answer(trial.predict, codes), _answer(whole.predict, codes)
    if numbers:
        return Boosted(*answers, rounds)
    return Boosted(*answers, rounds, whole.classes_, _answer(whole.predict_proba, codes))


def _model(numbers: bool) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    return HistGradientBoostingRegressor if numbers else HistGradientBoostingClassifier


def _answer(says: Callable[[Any], Any], codes: Codes) -> Answer:
    def answer(values: NDArray[np.float32]) -> NDArray[Any]:
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1):
            found: NDArray[Any] = says(codes(values))
        return found

    return answer


class Codes:
    """Columns as trees take them: categories counted from 0, of many the commonest and all others as one.

    A category that the samples (N, D) do not have is missing, as is what is not finite. A column that is empty in
    those of them that a trial learns from (N,) tells nothing, and is 0.
    """

    def __init__(
        self, values: NDArray[np.float32], categories: NDArray[np.bool_], learned: NDArray[np.bool_]
    ) -> None:
        self.empty = ~np.isfinite(values[learned]).any(0)
        self.kept = {int(place): _commonest(values[:, place]) for place in np.flatnonzero(categories)}

    def __call__(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        coded = np.where(np.isfinite(values), values, np.nan).astype(np.float32)
        for place, (kept, others) in self.kept.items():
            column = np.full(len(coded), np.nan, np.float32)
            column[np.isin(coded[:, place], others)] = len(kept)
            for code, value in enumerate(kept):
                column[coded[:, place] == value] = code
            coded[:, place] = column
        coded[:, self.empty] = 0
        return coded


def _commonest(column: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The categories that are told apart, and the others."""
    found, counts = np.unique(column[np.isfinite(column)], return_counts=True)
    if len(found) <= CODES:
        return found, found[:0]
    order = np.argsort(-counts, kind="stable")
    return found[order[: CODES - 1]], found[order[CODES - 1 :]]
