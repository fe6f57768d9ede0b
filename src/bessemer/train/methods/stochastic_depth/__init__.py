"""Residual branches are left out at random."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from bessemer.train.methods.technique import Setup, Technique

if TYPE_CHECKING:
    from bessemer.train.methods.stochastic_depth.hooks import StochasticDepth


def build(rate: float, setup: Setup) -> StochasticDepth:
    """The hooks of a run."""
    from bessemer.train.methods.stochastic_depth.hooks import StochasticDepth

    return StochasticDepth(rate, setup.seed)


METHOD = Technique(
    name="stochastic depth",
    setting=float,
    default=Field(
        0.0, ge=0, lt=1, description="chance of the last block to be left out, less for those before; 0 is off"
    ),
    build=build,
)
