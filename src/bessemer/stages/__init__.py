"""What each stage does: glue between the rooms of the house, one file a stage.

A stage reads upstream artifacts, writes files into its own folder, and leaves `facts.json`: its part of the
report.
"""

from __future__ import annotations

from collections.abc import Callable

from bessemer.stages.compress import compress
from bessemer.stages.context import Context
from bessemer.stages.evaluate import evaluate
from bessemer.stages.export import export
from bessemer.stages.language import evaluate_language, export_language
from bessemer.stages.prepare import prepare
from bessemer.stages.train import train

BODIES: dict[str, Callable[[Context], None]] = {
    "prepare": prepare,
    "train": train,
    "evaluate": evaluate,
    "compress": compress,
    "export": export,
}
OF_LANGUAGE: dict[str, Callable[[Context], None]] = {"evaluate": evaluate_language, "export": export_language}


def body(stage: str, task: str) -> Callable[[Context], None]:
    """What a stage does for a task."""
    return OF_LANGUAGE.get(stage, BODIES[stage]) if task == "language" else BODIES[stage]


__all__ = ["BODIES", "OF_LANGUAGE", "Context", "body"]
