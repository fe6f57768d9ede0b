"""`report.json`: the stages' facts, put together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bessemer.artifact import Artifact

FORMAT = 3  # of report.json
EMPTY: dict[str, Any] = {
    "data": {},
    "baseline": None,
    "metrics": {},
    "sizes": {},
    "latency": {},
    "contract": None,
    "parity": {},
    "curves": {},
    "training": {},
    "ledger": [],
    "decisions": {},
}


def assemble(
    recipe: Mapping[str, Any],
    machine: Mapping[str, Any],
    stages: Sequence[Mapping[str, Any]],
    artifacts: Sequence[Artifact],
    version: str,
) -> dict[str, Any]:
    """The whole report; each artifact's `facts.json` is its part."""
    report: dict[str, Any] = {
        "format": FORMAT,
        "version": version,
        "name": recipe["name"],
        "recipe": dict(recipe),
        "seed": recipe["seed"],
        "machine": dict(machine),
        "stages": [dict(row) for row in stages],
    }
    for part in [EMPTY, *(artifact.json("facts.json") for artifact in artifacts)]:
        report = merge(report, part)
    for artifact in artifacts:
        report = merge(report, {"training": artifact.manifest.get("training", {})})
    return report


def merge(base: dict[str, Any], part: Mapping[str, Any]) -> dict[str, Any]:
    """`part` laid over `base`, mappings key by key."""
    result = dict(base)
    for key, value in part.items():
        before = result.get(key)
        if isinstance(before, dict) and isinstance(value, Mapping):
            result[key] = merge(before, value)
        else:
            result[key] = value
    return result
