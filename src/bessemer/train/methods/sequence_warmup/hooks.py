"""Warm-up of the sequence length (Li, Zhang and He, "The stability-efficiency dilemma", 2022).

Early in training, windows (B, T) of running text are cut into (2^k·B, T / 2^k): a step holds the same tokens, each
with its own target, but attention is cheaper and gradients vary less. Lengths double, so compiled code is made few
times. Cut windows lose the context before the cut, nothing else.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from torch import Tensor

from bessemer.data.dataset import Batch
from bessemer.errors import UsageError
from bessemer.train.methods import Method
from bessemer.train.methods.sequence_warmup import SequenceWarmupConfig


def cut_windows(tokens: Tensor, parts: int) -> Tensor:
    """Windows (B, T) as (B·parts, T / parts), in the order in which they are read."""
    return tokens.reshape(len(tokens) * parts, tokens.shape[1] // parts)


def parts_at(config: SequenceWarmupConfig, step: int, steps: int) -> int:
    """Into how many parts a window is cut at `step` of `steps`: 2^doublings at first, 1 in the end."""
    done = int(step / (config.until * steps) * config.doublings)
    return int(2 ** max(0, config.doublings - done))


class SequenceWarmup(Method):
    """Cuts the windows of each batch as its step asks."""

    name = "sequence_warmup"

    def __init__(self, config: SequenceWarmupConfig, steps: int) -> None:
        self.config = config
        self.steps = steps

    def batch(self, batch: Batch) -> Batch:
        soft = batch.targets.is_floating_point()
        if soft or batch.inputs.ndim != 2 or batch.targets.shape != batch.inputs.shape:
            problem = "sequence_warmup cuts windows of running text that have a target at every token"
            raise UsageError(problem, "set train.sequence_warmup to null")
        length, most = batch.inputs.shape[1], self.config.parts
        if length % most:
            problem = f"windows of {length} tokens cannot be cut into {most} equal parts"
            remedy = f"make their length a multiple of {most}, or lower train.sequence_warmup.doublings"
            raise UsageError(problem, remedy)
        parts = parts_at(self.config, batch.step, self.steps)
        return replace(
            batch,
            inputs=cut_windows(batch.inputs, parts),
            targets=cut_windows(batch.targets, parts),
            ids=np.repeat(batch.ids, parts),
            first=batch.first * parts,
        )
