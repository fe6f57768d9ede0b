"""The learning rate, a function of the step alone.

A schedule is a curve over the run's progress, behind a warm-up. Torch's schedulers hold the same curves, but as
state that is moved from step to step; here any step can be asked in any order, so there is nothing to save.
"""

from __future__ import annotations

import math

from bessemer.train.optimizer_config import ScheduleConfig


def rate_at(config: ScheduleConfig, step: int, steps: int) -> float:
    """Factor of the highest learning rate at `step` of `steps`, in (0, 1]; at `step` = `steps` its floor.

    - cosine: half a cosine from 1 to floor (Loshchilov and Hutter, "SGDR", 2017)
    - linear: a line from 1 to floor
    - constant: 1
    - step: times gamma at each milestone (He et al., "Deep residual learning", 2015)
    - exponential: the same share falls away at each step, down to floor
    - one_cycle: half a cosine up from start, half a cosine down to floor (Smith and Topin, "Super-convergence",
      2019; momentum does not cycle)
    - wsd: constant, then down to floor in the last steps (Hägele et al., "Scaling laws and compute-optimal
      training beyond fixed training durations", 2024)

    The warm-up before is linear, and the rising half of one_cycle.
    """
    warmup = config.warmup * steps
    if step < warmup:
        if config.name == "one_cycle":
            return config.start + (1 - config.start) * 0.5 * (1 - math.cos(math.pi * step / warmup))
        return (step + 1) / (warmup + 1)
    progress = (step - warmup) / max(1.0, steps - warmup)
    match config.name:
        case "constant":
            return 1.0
        case "step":
            passed = sum(step >= share * steps for share in config.milestones)
            return math.pow(config.gamma, passed)
        case "exponential":
            return math.pow(config.floor, progress)
        case "linear":
            fall = progress
        case "wsd":
            fall = decay_at(step / steps, config.decay, config.shape)
        case "cosine" | "one_cycle":
            return config.floor + (1 - config.floor) * 0.5 * (1 + math.cos(math.pi * progress))
    return config.floor + (1 - config.floor) * (1 - fall)


def decay_at(share: float, decay: float, shape: str) -> float:
    """How far a rate has fallen, 0 to 1, at a share of the run whose last `decay` is the fall."""
    fallen = min(1.0, max(0.0, (share - (1 - decay)) / decay))
    return math.sqrt(fallen) if shape == "sqrt" else fallen
