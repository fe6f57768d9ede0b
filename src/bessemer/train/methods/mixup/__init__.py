"""Each sample is mixed with its neighbor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from bessemer.train.methods.technique import Setup, Technique

if TYPE_CHECKING:
    from bessemer.train.methods.mixup.hooks import Mixup


def build(alpha: float, setup: Setup) -> Mixup:
    """The hooks of a run."""
    from bessemer.train.methods.mixup.hooks import Mixup

    return Mixup(alpha, setup.labels, setup.group, setup.seed)


METHOD = Technique(
    name="mixup",
    setting=float,
    default=Field(0.0, ge=0, description="alpha of the Beta distribution; 0 is off"),
    build=build,
    does="mixes numbers",
    not_kinds={"text": "token ids are names"},
    needs_classes=True,
)
