"""How large a network is."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode


def parameters(model: nn.Module) -> int:
    """Number of trainable numbers."""
    return sum(parameter.numel() for parameter in model.parameters())


def flops(model: nn.Module, example: Tensor) -> int:
    """Floating-point operations of one forward pass, per sample (a multiply-add counts as two).

    `example` is a batch (B, ...) of inputs; counted by torch's own counter.
    """
    still = copy.deepcopy(model).eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        still(example)
    total: int = counter.get_total_flops()
    return total // len(example)
