"""The learning rate, a function of the step alone."""

from __future__ import annotations

import math

from bessemer.train.config import ScheduleConfig


def rate_at(config: ScheduleConfig, step: int, steps: int) -> float:
    """Factor of the highest learning rate at `step` of `steps`, in (0, 1].

    Linear warm-up, then a half cosine towards zero (Loshchilov and Hutter, "SGDR", 2017) or a constant.
    """
    warmup = config.warmup * steps
    if step < warmup:
        return (step + 1) / (warmup + 1)
    if config.name == "constant":
        return 1.0
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1.0, steps - warmup)))
