"""Low-rank changes of linear layers are what is trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from bessemer.config import Config
from bessemer.train.methods.technique import Setup, Technique

if TYPE_CHECKING:
    from bessemer.train.methods.lora.hooks import Lora


class LoraConfig(Config):
    """Small factors beside frozen linear layers are what is trained."""

    rank: int = Field(8, ge=1, le=1024, description="of the change of each weight")
    alpha: float = Field(16.0, gt=0, description="changes are scaled by alpha / rank")
    layers: list[str] = Field([], description="linear layers by the end of their names; empty takes all")
    full: list[str] = Field([], description="beginnings of names that are trained whole, such as a new head")


def build(config: LoraConfig, setup: Setup) -> Lora:
    """The hooks of a run."""
    from bessemer.train.methods.lora.hooks import Lora

    return Lora(config, setup.seed)


METHOD = Technique(
    name="LoRA",
    setting=LoraConfig | None,
    default=Field(None, description="train low-rank changes of linear layers; null trains all"),
    build=build,
)
