"""Labels move towards the uniform."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from bessemer.train.methods.technique import Setup, Technique

if TYPE_CHECKING:
    from bessemer.train.methods.label_smoothing.hooks import LabelSmoothing


def build(smoothing: float, setup: Setup) -> LabelSmoothing:
    """The hooks of a run."""
    from bessemer.train.methods.label_smoothing.hooks import LabelSmoothing

    return LabelSmoothing(smoothing, setup.labels)


METHOD = Technique(
    name="label smoothing",
    setting=float,
    default=Field(0.0, ge=0, lt=1),
    build=build,
    needs_classes=True,
)
