"""Images are small early in training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from bessemer.config import Config
from bessemer.train.methods.technique import Setup, Technique

if TYPE_CHECKING:
    from bessemer.train.config import TrainConfig
    from bessemer.train.methods.resizing.hooks import Resizing


class ResizingConfig(Config):
    """Images shrink early in training and grow to full size."""

    start: float = Field(0.5, gt=0, lt=1, description="share of the sides of an image at first")
    until: float = Field(0.8, gt=0, lt=1, description="share of the steps after which images have full size")
    sizes: int = Field(4, ge=1, le=16, description="sizes below full size, each for as many steps")


def build(config: ResizingConfig, setup: Setup) -> Resizing:
    """The hooks of a run."""
    from bessemer.train.methods.resizing.hooks import Resizing

    return Resizing(config, setup.steps)


def refuse(config: ResizingConfig, train: TrainConfig) -> None:
    """Refuse what is for other data."""
    if train.setting("sequence_warmup"):
        raise ValueError("resizing is for images, sequence_warmup for running text; set one of them to null")


METHOD = Technique(
    name="progressive resizing",
    setting=ResizingConfig | None,
    default=Field(None, description="smaller images early in training; null is off"),
    build=build,
    does="shrinks images",
    kinds=("image",),
    refuse=refuse,
)
