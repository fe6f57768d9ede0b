"""Timing that is fair on a shared machine: all runners take turns in one run, and ratios are compared."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import numpy as np

from bessemer import draws

Times = dict[str, list[float]]
RESAMPLES = 500


def interleave(runners: Mapping[str, Callable[[], object]], seconds: float = 2.0, rounds: int = 15) -> Times:
    """Seconds of each runner's calls, in turns, for about `seconds` in all but at least `rounds` rounds.

    A noise burst then hits all runners alike, and each round begins with another one. The first two rounds warm
    caches and are not counted.
    """
    times: Times = {name: [] for name in runners}
    until = time.perf_counter() + seconds
    turn, order = -2, list(runners.items())
    while turn < rounds or time.perf_counter() < until:
        for name, call in order[turn % len(order) :] + order[: turn % len(order)]:
            start = time.perf_counter()
            call()
            if turn >= 0:
                times[name].append(time.perf_counter() - start)
        turn += 1
    return times


def summarize(times: list[float]) -> dict[str, float]:
    """Median, 10th and 90th percentile in milliseconds, and the number of trials."""
    p10, median, p90 = np.percentile(times, [10, 50, 90]) * 1e3
    return {"median_ms": float(median), "p10_ms": float(p10), "p90_ms": float(p90), "trials": len(times)}


def speedup(reference: list[float], other: list[float], seed: int = 0) -> dict[str, float]:
    """How many times faster `other` is: ratio of medians, with a 95% bootstrap interval over paired rounds."""
    pairs = np.array([reference, other])
    generator = draws.generator(draws.Stream.BOOTSTRAP, seed)
    ratios = []
    for _ in range(RESAMPLES):
        slow, fast = np.median(pairs[:, generator.integers(0, pairs.shape[1], pairs.shape[1])], axis=1)
        ratios.append(slow / fast)
    low, high = np.percentile(ratios, [2.5, 97.5])
    value = np.median(pairs[0]) / np.median(pairs[1])
    return {"value": float(value), "low": float(low), "high": float(high)}
