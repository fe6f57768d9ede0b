"""Batches are small early in training: the order of samples is made so, and no hooks are needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from bessemer.config import Config
from bessemer.train.methods.technique import Technique

if TYPE_CHECKING:
    from bessemer.data.dataset import Batches
    from bessemer.train.config import TrainConfig


class BatchWarmupConfig(Config):
    """Batches grow by doubling early in training (data/order.py)."""

    doublings: int = Field(2, ge=1, le=8, description="batches start at batch_size / 2^doublings")
    until: float = Field(0.3, gt=0, lt=1, description="share of the samples after which batches have full size")

    @property
    def growth(self) -> int:
        """How many times as large as the first batch the last one is."""
        return int(2**self.doublings)


def growing(batches: Batches, train: TrainConfig) -> Batches:
    """The batches, smaller ones first where the settings say so."""
    from bessemer.data.order import doubling_phases

    config: BatchWarmupConfig | None = train.setting("batch_warmup")
    if config is None:
        return batches
    samples = config.until * train.epochs * batches.order.n
    return batches.growing(doubling_phases(samples, train.batch_size, config.doublings))


def refuse(config: BatchWarmupConfig, train: TrainConfig) -> None:
    """Refuse batches that cannot be halved so often, or not into whole groups."""
    if train.batch_size % config.growth:
        problem = f"batch_size ({train.batch_size}) cannot be halved batch_warmup.doublings times"
        raise ValueError(f"{problem}; make it a multiple of {config.growth}")
    if train.accumulate > 1:
        train.check_groups()


METHOD = Technique(
    name="batch-size warm-up",
    setting=BatchWarmupConfig | None,
    default=Field(None, description="smaller batches early in training; null is off"),
    refuse=refuse,
)
