"""Measures of numbers against the truth, with 95% intervals.

Root mean squared error, mean absolute error, and the share of the variance that is explained (R²); of several
targets the plain mean over them, with errors in units of `scale`. Intervals are those of the percentile bootstrap
over samples (Efron, "Bootstrap methods: another look at the jackknife", 1979). Two models on the same samples are
resampled together, so that what is hard for both cancels.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bessemer.draws import Stream, generator

F64 = NDArray[np.float64]
RESAMPLES = 1000
AT_ONCE = 1 << 22  # weights of samples that are held at once
NAMES = ("rmse", "mae", "r2")


def summary(truth: NDArray[Any], said: NDArray[Any], scale: F64, seed: int = 0) -> dict[str, dict[str, float]]:
    """`rmse`, `mae` and `r2` of answers: each `value`, and `low` and `high` at 95%.

    Truth and answers are (N, K), `scale` (K,). A single sample has no variance, so its `r2` is left out.
    """
    moments = moments_of(truth, said, scale)
    values = measures(np.ones((1, len(truth))), moments)[0]
    drawn = np.concatenate([measures(weights, moments) for weights in resamples(len(truth), seed)])
    low, high = np.percentile(drawn, [2.5, 97.5], axis=0)
    found = {
        name: {"value": float(values[place]), "low": float(low[place]), "high": float(high[place])}
        for place, name in enumerate(NAMES)
    }
    return {name: found[name] for name in NAMES if name != "r2" or len(truth) > 1}


def rmse(truth: NDArray[Any], said: NDArray[Any], scale: F64) -> float:
    """Root mean squared error of answers (N, K) in units of `scale` (K,), the mean over targets."""
    squares = np.square((said.astype(np.float64) - truth) / scale).mean(0)
    return float(np.sqrt(squares).mean())


def gained(
    truth: NDArray[Any], before: NDArray[Any], after: NDArray[Any], scale: F64, seed: int = 0
) -> tuple[float, float, float]:
    """How much less the RMSE of `after` is on the same samples, and its 95% interval."""
    pair = [moments_of(truth, said, scale) for said in (before, after)]
    drawn = [
        measures(weights, pair[0])[:, 0] - measures(weights, pair[1])[:, 0]
        for weights in resamples(len(truth), seed)
    ]
    low, high = np.percentile(np.concatenate(drawn), [2.5, 97.5])
    return rmse(truth, before, scale) - rmse(truth, after, scale), float(low), float(high)


def resamples(count: int, seed: int) -> Iterator[F64]:
    """How often each sample is drawn (R, count), in blocks of R that add up to RESAMPLES."""
    numbers = generator(Stream.BOOTSTRAP, seed)
    block = max(1, min(RESAMPLES, AT_ONCE // count))
    for start in range(0, RESAMPLES, block):
        rows = range(start, min(start + block, RESAMPLES))
        drawn = (np.bincount(numbers.integers(0, count, count), minlength=count) for _ in rows)
        yield np.stack(list(drawn)).astype(np.float64)


def moments_of(truth: NDArray[Any], said: NDArray[Any], scale: F64) -> F64:
    """What measures need of each sample (N, 4, K): squared and absolute error, distance to the mean, its square.

    A measure of any weights of samples follows from the weighted sums.
    """
    error = (said.astype(np.float64) - truth) / scale
    apart = (truth - truth.mean(0, dtype=np.float64)) / scale
    return np.stack([error**2, np.abs(error), apart, apart**2], 1)


def measures(weights: F64, moments: F64) -> F64:
    """RMSE, MAE and R² (R, 3) of samples that count as often as `weights` (R, N) say.

    Where the truth does not vary R² is 1 for answers without error and else 0, as scikit-learn has it.
    """
    count, _, targets = moments.shape
    sums = (weights @ moments.reshape(count, -1)).reshape(-1, 4, targets)
    total = weights.sum(1)[:, None]
    squares, absolute, apart, spread = (sums[:, place] for place in range(4))
    varied = spread - apart**2 / total
    known = varied > 0
    share = np.where(known, 1 - squares / np.where(known, varied, 1), squares == 0)
    return np.stack([np.sqrt(squares / total).mean(1), (absolute / total).mean(1), share.mean(1)], 1)
