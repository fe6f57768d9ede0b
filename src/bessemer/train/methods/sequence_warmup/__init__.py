"""Windows of running text are short early in training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from bessemer.config import Config
from bessemer.train.methods.technique import Setup, Technique

if TYPE_CHECKING:
    from bessemer.train.methods.sequence_warmup.hooks import SequenceWarmup


class SequenceWarmupConfig(Config):
    """Windows of running text are cut into shorter ones early in training."""

    doublings: int = Field(2, ge=1, le=8, description="windows start at 1 / 2^doublings of their length")
    until: float = Field(0.3, gt=0, lt=1, description="share of the steps after which windows have full length")

    @property
    def parts(self) -> int:
        """Into how many windows one is cut at first."""
        return int(2**self.doublings)


def build(config: SequenceWarmupConfig, setup: Setup) -> SequenceWarmup:
    """The hooks of a run."""
    from bessemer.train.methods.sequence_warmup.hooks import SequenceWarmup

    return SequenceWarmup(config, setup.steps)


METHOD = Technique(
    name="sequence-length warm-up",
    setting=SequenceWarmupConfig | None,
    default=Field(None, description="shorter windows of running text early in training; null is off"),
    build=build,
    does="cuts windows of running text",
    needs_windows=True,
)
