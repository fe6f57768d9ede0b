"""A rectangle of each image is replaced by that of its neighbor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from bessemer.train.methods.technique import Setup, Technique

if TYPE_CHECKING:
    from bessemer.train.methods.cutmix.hooks import CutMix


def build(alpha: float, setup: Setup) -> CutMix:
    """The hooks of a run."""
    from bessemer.train.methods.cutmix.hooks import CutMix

    return CutMix(alpha, setup.labels, setup.group, setup.seed)


METHOD = Technique(
    name="cutmix",
    setting=float,
    default=Field(
        0.0, ge=0, description="alpha of the Beta distribution, of images; 0 is off; with mixup it comes first"
    ),
    build=build,
    does="pastes parts of images",
    kinds=("image",),
    needs_classes=True,
)
