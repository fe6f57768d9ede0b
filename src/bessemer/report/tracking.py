"""Learning curves for whoever follows a run from outside: what all trackers share."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

LABEL = re.compile(r"(train)|(?:distill|fine-tune) (keep .+)")  # of training jobs whose curves a report shows


class Tracker:
    """Keeps learning curves somewhere, while they come; a curve has the name that it has in the report."""

    def begin(self, name: str, step: int) -> None:
        """The curve goes on after `step`."""

    def point(self, name: str, step: int, values: Mapping[str, float | None]) -> None:
        """One point: `loss`, `rate` and `validation`, as far as they are known."""

    def finish(self, report: Mapping[str, Any]) -> None:
        """The run is over, and this is its report."""

    def close(self) -> None:
        """Let go of files and threads; without `finish` before, the run failed or was stopped."""


def curve_name(label: str) -> str:
    """The name of a job's curve in the report: `parent`, a candidate's such as `keep 0.5`, or empty for none."""
    found = LABEL.fullmatch(label)
    return "" if found is None else "parent" if found[1] else found[2]


def curves(report: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """All learning curves of a report, by name."""
    found = report.get("curves") or {}
    every = {"parent": found.get("parent") or [], **(found.get("candidates") or {})}
    return {name: points for name, points in every.items() if points}


def scalars(values: Mapping[str, float | None], is_language: bool) -> dict[str, float]:
    """What is known of a point, as it is shown: validation is bits per byte of language, else accuracy."""
    names = {"loss": "loss", "rate": "learning_rate", "validation": "validation"}
    known = {names[name]: value for name, value in values.items() if name in names and value is not None}
    if is_language and "validation" in known:
        known["bits_per_byte"] = -known.pop("validation")
    return known
