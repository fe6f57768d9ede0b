"""An average of the weights takes their place in the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from bessemer.train.methods.technique import Setup, Technique
from bessemer.train.optimizer_config import SCHEDULE_FREE

if TYPE_CHECKING:
    from bessemer.train.config import TrainConfig
    from bessemer.train.methods.ema.hooks import Ema


def build(decay: float, setup: Setup) -> Ema:
    """The hooks of a run."""
    from bessemer.train.methods.ema.hooks import Ema

    return Ema(decay)


def refuse(decay: float, train: TrainConfig) -> None:
    """Refuse a second average."""
    name = train.optimizer.name
    if name in SCHEDULE_FREE:
        raise ValueError(f"{name} averages weights already; set ema to 0")


METHOD = Technique(
    name="averaged weights (EMA)",
    setting=float,
    default=Field(0.0, ge=0, lt=1, description="decay of the averaged weights; 0 is off"),
    build=build,
    refuse=refuse,
)
