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
from bessemer.stages.prepare import prepare
from bessemer.stages.train import train

BODIES: dict[str, Callable[[Context], None]] = {
    "prepare": prepare,
    "train": train,
    "evaluate": evaluate,
    "compress": compress,
    "export": export,
}

__all__ = ["BODIES", "Context"]
