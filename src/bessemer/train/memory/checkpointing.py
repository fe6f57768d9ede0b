"""Activation checkpointing: blocks keep their input alone and are computed again in the backward pass.

Memory falls to one tensor a block and the inside of one block; the forward pass is done twice (Chen et al.,
"Training deep nets with sublinear memory cost", 2016). Losses and gradients keep their bits: the second pass
draws the same random numbers, and it leaves no statistics.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from bessemer.errors import UsageError
from bessemer.model.contract import blocks
from bessemer.model.layers import ghost_layers
from bessemer.train.memory.wrap import Forward, unwrap_all, wrap


def checkpoint_blocks(
    model: nn.Module, every: int = 1, kinds: tuple[type[nn.Module], ...] = ()
) -> list[nn.Module]:
    """Checkpoint one of `every` blocks, in place; returns those. `plain_blocks` undoes it.

    `kinds` are the classes of blocks, where the model does not tell which they are. Names in `state_dict` stay.
    Blocks run as before where no gradient is asked for. Raises UsageError where the model has no such block.
    """
    found = [module for module in model.modules() if isinstance(module, kinds)] if kinds else blocks(model)
    if not found:
        problem = f"checkpointing: a {type(model).__name__} has no block that is known"
        raise UsageError(problem, "set train.memory.checkpoint_every to 0, or pass the blocks' classes as `kinds`")
    chosen = found[::every]
    for block in chosen:
        wrap(block, _checkpointed)
    return chosen


plain_blocks = unwrap_all


def _checkpointed(forward: Forward, *inputs: Any, **named: Any) -> Any:
    block = forward.__self__  # type: ignore[attr-defined]
    if not (block.training and torch.is_grad_enabled()):
        return forward(*inputs, **named)
    return checkpoint(forward, *inputs, use_reentrant=False, context_fn=partial(_contexts, block), **named)


def _contexts(block: nn.Module) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    return nullcontext(), _unrecorded(block)


@contextmanager
def _unrecorded(block: nn.Module) -> Iterator[None]:
    """Statistics of ghost batch normalization count once, so those of a second pass are dropped."""
    counts = [(layer, len(layer.pending)) for layer in ghost_layers(block)]
    try:
        yield
    finally:
        for layer, count in counts:
            del layer.pending[count:]
