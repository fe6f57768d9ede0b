"""Early stopping (Prechelt, "Early stopping, but when?", 1998), as a function of the learning curve.

The curve is part of every checkpoint, so a resumed run takes the same decision, and nothing else need be kept. The
result is the weights (or their average) of the step at which training ended, which is `patience` validations
behind the best one. With `best` it is those of the best one: another copy of the weights in every checkpoint.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import Field

from bessemer.config import Config
from bessemer.train.methods.technique import Setup, Technique

if TYPE_CHECKING:
    from bessemer.train.config import TrainConfig
    from bessemer.train.methods.early_stopping.hooks import BestWeights


class EarlyStoppingConfig(Config):
    """Training ends where validation no longer gains."""

    patience: int = Field(3, ge=1, description="validations without a gain; a run has about ten")
    gain: float = Field(0.0, ge=0, description="a validation must be better than the best one by more than this")
    best: bool = Field(False, description="end with the weights of the best validation, not with the last ones")


def should_stop(
    history: Sequence[Mapping[str, Any]], patience: int, gain: float, higher_is_better: bool = True
) -> bool:
    """Whether the last `patience` validations were no better than the best before them by more than `gain`.

    `history` holds points with a `validation`, or None where there was none.
    """
    best, waited = None, 0
    for point in history:
        value = point["validation"]
        if value is None:
            continue
        if best is None or (value - best if higher_is_better else best - value) > gain:
            best, waited = value, 0
        else:
            waited += 1
    return waited >= patience


def gains_no_more(history: Sequence[Mapping[str, Any]], train: TrainConfig, higher_is_better: bool = True) -> bool:
    """Whether early stopping is on and ends the run here."""
    settings: EarlyStoppingConfig | None = train.setting("early_stopping")
    return settings is not None and should_stop(history, settings.patience, settings.gain, higher_is_better)


def build(settings: EarlyStoppingConfig, setup: Setup) -> BestWeights | None:
    """The hooks of a run, where weights are kept; to end it the loop asks `gains_no_more`."""
    from bessemer.train.methods.early_stopping.hooks import BestWeights

    return BestWeights() if settings.best else None


METHOD = Technique(
    name="early stopping",
    setting=EarlyStoppingConfig | None,
    build=build,
    default=Field(None, description="end where validation no longer gains; null trains to the end"),
)
