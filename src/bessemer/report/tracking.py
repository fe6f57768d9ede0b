"""Learning curves for whoever follows a run from outside: what all trackers share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


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


def curves(report: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """All learning curves of a report, by name."""
    found = report.get("curves") or {}
    every = {"parent": found.get("parent") or [], **(found.get("candidates") or {})}
    return {name: points for name, points in every.items() if points}


def scalars(values: Mapping[str, float | None]) -> dict[str, float]:
    """What is known of a point, as it is shown; validation is the task's headline measure, in its own numbers."""
    names = {"loss": "loss", "rate": "learning_rate", "validation": "validation"}
    return {names[name]: value for name, value in values.items() if name in names and value is not None}
