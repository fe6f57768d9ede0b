"""Stochastic depth (Huang et al., "Deep networks with stochastic depth", 2016).

For each sample some residual branches are left out, so a deep network trains like many shallower ones. The chance
rises linearly with depth. What stays is scaled up, as in dropout, so that evaluation needs no change (Huang et al.
scale at test time instead). Which branch a sample skips is a function of (seed, step, place in the global batch):
the number of processes and of micro-batches does not matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from bessemer.data.dataset import Batch
from bessemer.draws import Stream, key, uniform
from bessemer.errors import UsageError
from bessemer.model.contract import documents, residual_branches
from bessemer.train.methods import Method


def factors_of(kept: Tensor, rate: float) -> Tensor:
    """What each sample's branch is multiplied by: 1 / (1 − rate) where it is `kept` (B,), 0 elsewhere."""
    return kept.to(torch.float32) / (1 - rate)


def scale_samples(x: Tensor, factors: Tensor, documents: Tensor | None = None) -> Tensor:
    """Multiply each sample of x (B, ...) or (B·T, ...) by its factor (B,).

    With `documents` (R, T), several samples share a row of x (R, T, D) or (R·T, D): it names the sample of each
    place, -1 where there is none.
    """
    factors = factors.to(x.dtype)
    if documents is not None:
        return x * factors[documents.clamp_min(0)].reshape(*x.shape[:-1], 1)
    if len(x) % len(factors):
        problem = f"a branch gives {len(x)} rows for {len(factors)} samples"
        raise UsageError(f"stochastic depth: {problem}", "name branches whose first dimension is the batch")
    rows = factors.repeat_interleave(len(x) // len(factors))
    return x * rows.reshape(-1, *[1] * (x.ndim - 1))


def linear_rates(blocks: int, last: float) -> list[float]:
    """The chance to be left out of each block: last · l / L for block l = 1 to L."""
    return [last * (block + 1) / blocks for block in range(blocks)]


class StochasticDepth(Method):
    """Leaves out branches of `rate` at the last block.

    `branches` names, block by block, the modules whose outputs are added to a shortcut; without it the model tells
    by `residual_branches()`. Each branch is drawn on its own.
    """

    name = "stochastic_depth"

    def __init__(self, rate: float, seed: int, branches: Sequence[Sequence[str]] = ()) -> None:
        self.rate = rate
        self.seed = seed
        self.branches = [list(block) for block in branches]
        self.rates: dict[str, float] = {}
        self.factors: dict[str, Tensor] = {}
        self.hooks: list[RemovableHandle] = []

    def prepare(self, model: nn.Module) -> None:
        blocks = self.branches or _branches_of(model)
        rates = linear_rates(len(blocks), self.rate)
        self.rates = {name: rate for block, rate in zip(blocks, rates, strict=True) for name in block}
        modules = dict(model.named_modules())
        for name in self.rates:
            if name not in modules:
                raise UsageError(f"stochastic depth: the model has no module {name!r}", "name modules that it has")
            self.hooks.append(modules[name].register_forward_hook(partial(self._scale, model, name)))

    def before_forward(self, batch: Batch) -> None:
        places = np.arange(batch.first, batch.first + len(batch.inputs), dtype=np.uint64)
        for number, (name, rate) in enumerate(self.rates.items()):
            own = key(Stream.STOCHASTIC_DEPTH, self.seed, batch.step, number)
            kept = torch.from_numpy(uniform(places, own) >= rate)
            self.factors[name] = factors_of(kept, rate).to(batch.inputs.device)

    def after_step(self, model: nn.Module, step: int) -> None:
        self.factors.clear()  # a forward pass outside a step keeps every branch

    def release(self) -> None:
        self.factors.clear()
        for hook in self.hooks:
            hook.remove()
        self.hooks.clear()

    def _scale(self, model: nn.Module, name: str, module: nn.Module, inputs: Any, output: Any) -> Any:
        if not module.training or name not in self.factors:
            return output
        if not isinstance(output, torch.Tensor):
            problem = f"stochastic depth: {name!r} gives a {type(output).__name__}"
            raise UsageError(problem, "name the dropout behind it, or another module that gives one tensor")
        return scale_samples(output, self.factors[name], documents(model))


def _branches_of(model: nn.Module) -> list[list[str]]:
    found = residual_branches(model)
    if not found:
        problem = f"stochastic depth: {type(model).__name__} does not say which residual branches it has"
        raise UsageError(problem, "set train.stochastic_depth to 0, or pass StochasticDepth(rate, seed, branches)")
    return found
