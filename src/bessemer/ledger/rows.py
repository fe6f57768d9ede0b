"""From paired trials to the rows of the ledger: what a technique bought, with an interval over seeds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.special import stdtrit

from bessemer.compress.steps import FLOATS
from bessemer.ledger.order import Trial
from bessemer.report.units import Measure

Result = dict[str, Any]  # of one file: quality (the headline measure), bytes, seconds


def paired(differences: Sequence[float]) -> tuple[float, float | None, float | None]:
    """Mean of paired differences and its 95% interval: Student's t with n - 1 degrees of freedom.

    A single pair has no interval. Source: Student, "The probable error of a mean", 1908.
    """
    n, mean = len(differences), float(np.mean(differences))
    if n < 2:
        return mean, None, None
    half = float(stdtrit(n - 1, 0.975)) * float(np.std(differences, ddof=1)) / math.sqrt(n)
    return mean, mean - half, mean + half


def row(technique: str, stage: str, pairs: Sequence[tuple[Result, Result]], measure: Measure) -> dict[str, Any]:
    """One row from pairs of (with, without) the technique.

    quality: what the headline measure is better by with the technique; seconds and bytes: with minus without, so
    positive where it costs.
    """
    gains = {key: paired([one[key] - other[key] for one, other in pairs]) for key in ("seconds", "bytes")}
    gains["quality"] = paired([measure.gain(other["quality"], one["quality"]) for one, other in pairs])
    return {
        "technique": technique,
        "stage": stage,
        "quality": gains["quality"][0],
        "low": gains["quality"][1],
        "high": gains["quality"][2],
        "seconds": gains["seconds"][0],
        "seconds_low": gains["seconds"][1],
        "seconds_high": gains["seconds"][2],
        "bytes": round(gains["bytes"][0]),
        "pairs": len(pairs),
    }


def rows_of(
    trials: Mapping[Trial, dict[str, Result]], measure: Measure, form: str, last: str | None
) -> list[dict[str, Any]]:
    """A row for each technique of the trials; `form` is the format of the chosen candidate.

    Each trial has measured one file in each format that it made. `last` names the step that gives the format: what
    it bought is the difference between two files of one trial.
    """
    pairs: dict[tuple[str, str], list[tuple[Result, Result]]] = {}
    for trial, found in trials.items():
        shown = form if trial.stage == "compress" else FLOATS
        if trial.technique is not None:
            base = trials[Trial(trial.stage, None, trial.round)]
            pairs.setdefault((trial.stage, trial.technique), []).append((base[shown], found[shown]))
        elif trial.stage == "compress" and last is not None:
            pairs.setdefault((trial.stage, last), []).append((found[form], found[FLOATS]))
    rows = [row(technique, stage, found, measure) for (stage, technique), found in pairs.items()]
    return sorted(rows, key=lambda one: one["stage"] != "train")
