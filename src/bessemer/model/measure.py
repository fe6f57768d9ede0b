"""How large a network is."""

from __future__ import annotations

import copy
from typing import TypeGuard

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from bessemer.model.quantized import IntegerEmbedding, IntegerLayer


def parameters(model: nn.Module) -> int:
    """Number of trainable numbers; of a network in integers, of its weights and biases."""
    floats = sum(parameter.numel() for parameter in model.parameters())
    return floats + sum(layer.weight.numel() + _biases(layer) for layer in model.modules() if _is_integer(layer))


def _is_integer(layer: nn.Module) -> TypeGuard[IntegerLayer | IntegerEmbedding]:
    return isinstance(layer, (IntegerLayer, IntegerEmbedding))


def _biases(layer: IntegerLayer | IntegerEmbedding) -> int:
    return layer.bias.numel() if isinstance(layer, IntegerLayer) else 0


def flops(model: nn.Module, example: Tensor) -> int:
    """Floating-point operations of one forward pass, per sample (a multiply-add counts as two).

    `example` is a batch (B, ...) of inputs; counted by torch's own counter.
    """
    still = copy.deepcopy(model).eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        still(example)
    total: int = counter.get_total_flops()
    return total // len(example)
