"""Which training methods there are, in the one order in which they go together."""

from __future__ import annotations

from typing import Annotated

from bessemer.config import OneOf
from bessemer.dotted import load_dotted
from bessemer.errors import UsageError
from bessemer.train.methods import (
    batch_warmup,
    cutmix,
    early_stopping,
    ema,
    freeze,
    label_smoothing,
    lora,
    mixup,
    resizing,
    selective,
    sequence_warmup,
    stochastic_depth,
)
from bessemer.train.methods.technique import MethodConfig, Technique

# By their keys in `train`. What trains comes first, then what changes inputs, what chooses samples, what changes
# targets. What averages weights comes last, behind strangers' methods, to see what all have made of the weights.
METHODS: dict[str, Technique] = {
    "freeze": freeze.METHOD,
    "lora": lora.METHOD,
    "stochastic_depth": stochastic_depth.METHOD,
    "batch_warmup": batch_warmup.METHOD,
    "resizing": resizing.METHOD,
    "sequence_warmup": sequence_warmup.METHOD,
    "selective": selective.METHOD,  # before targets are mixed, so that a large loss tells of one sample
    "label_smoothing": label_smoothing.METHOD,
    "cutmix": cutmix.METHOD,  # before mixup, while pixels still have 8 bits
    "mixup": mixup.METHOD,
    "ema": ema.METHOD,
    "early_stopping": early_stopping.METHOD,
}


def find_method(path: str) -> Technique:
    """A stranger's method by its dotted path; raises UsageError where there is none."""
    if path in METHODS:
        raise UsageError(f"{path!r} is a method of our own", f"set train.{path}")
    found = load_dotted(path, "training method")
    if not isinstance(found, Technique):
        remedy = "name a value of bessemer.train.methods.technique.Technique"
        raise UsageError(f"{path!r} is no training method", remedy)
    if not (isinstance(found.setting, type) and issubclass(found.setting, MethodConfig)):
        problem = f"the setting of {path!r} is no settings class of a training method"
        raise UsageError(problem, "derive it from bessemer.train.methods.technique.MethodConfig")
    return found


def settings_of(path: str) -> type[MethodConfig]:
    """The settings class of a stranger's method."""
    found: type[MethodConfig] = find_method(path).setting
    return found


StrangersMethod = Annotated[MethodConfig, OneOf((), settings_of)]
