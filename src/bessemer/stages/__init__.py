"""What each stage does: glue between the rooms of the house, one file a stage.

A stage reads upstream artifacts, writes files into its own folder, and leaves `facts.json`: its part of the
report.
"""

from __future__ import annotations

from bessemer.stages import compress, evaluate, export, prepare, train
from bessemer.stages.context import Context
from bessemer.stages.stage import Stage

STAGES: tuple[Stage, ...] = (prepare.STAGE, train.STAGE, evaluate.STAGE, compress.STAGE, export.STAGE)

__all__ = ["STAGES", "Context", "Stage"]
