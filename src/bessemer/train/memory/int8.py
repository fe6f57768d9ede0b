"""Activations in 8 bits between the passes.

Groups of neighbors in memory share a range of their own (ActNN: Chen et al., "Training with 2-bit activation
compressed training", 2021; GACT: Liu et al., 2022). The zero point is an integer, so zeros stay zeros: what ReLU
and dropout cut off stays cut off, and a mask of two values with a zero among them comes back. Values are rounded
to the nearest: ActNN rounds at random, which is right on average but has twice the squared error and needs a
random number an element; with 8 bits the error of the nearest is small beside the noise of a batch (Chakrabarti
and Moseley, "Backprop with approximate activations", 2019, train with 8 and with 4). The forward pass is exact,
gradients are not.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bessemer.train.memory.saved import SMALLEST, packing

GROUP = 128  # elements; 5 bytes a group for range and zero are 4%
STEPS = 255
CHUNK = 1 << 18  # elements rounded at a time on a processor: they stay in its cache, and no large copy is made
TINY = 1e-37  # so that 1 / TINY is a float32


@dataclass(frozen=True, eq=False)
class Rounded:
    """A tensor (N,) as groups (M, G) of 8 bits, their zero points (M, 1) and steps (M, 1)."""

    values: Tensor
    zeros: Tensor
    steps: Tensor
    size: int
    dtype: torch.dtype

    def flat(self) -> Tensor:
        """The tensor (N,), rounded."""
        out = torch.empty(self.values.shape, dtype=self.dtype, device=self.values.device)
        rows = _rows_at_once(out)
        parts = (torch.split(tensor, rows) for tensor in (out, self.values, self.zeros, self.steps))
        for place, values, zeros, steps in zip(*parts, strict=True):
            place.copy_(values.float().sub_(zeros).mul_(steps))
        return out.view(-1)[: self.size]


def round_groups(flat: Tensor, group: int = GROUP) -> Rounded:
    """Round a tensor (N,) to 8 bits, each `group` of neighbors in a range of its own that holds zero."""
    size = flat.numel()
    grouped = F.pad(flat, (0, -size % group)).view(-1, group) if size % group else flat.view(-1, group)
    values = torch.empty(grouped.shape, dtype=torch.uint8, device=flat.device)
    zeros = torch.empty(len(grouped), 1, dtype=torch.uint8, device=flat.device)
    steps = torch.empty(len(grouped), 1, device=flat.device)
    rows = _rows_at_once(grouped)
    for part, *places in zip(*(torch.split(one, rows) for one in (grouped, values, zeros, steps)), strict=True):
        part = part.float()  # ranges of 16 bits are slow to find on processors, and so is aminmax
        low, high = part.amin(1, keepdim=True).clamp_max_(0), part.amax(1, keepdim=True).clamp_min_(0)
        step = ((high - low) / STEPS).clamp_min_(TINY)
        zero = (-low / step).round_()
        places[0].copy_(torch.addcmul(zero, part, 1 / step).round_().clamp_(0, STEPS))
        places[1].copy_(zero)
        places[2].copy_(step)
    return Rounded(values, zeros, steps, size, flat.dtype)


def _rows_at_once(grouped: Tensor) -> int:
    return max(1, CHUNK // grouped.shape[1]) if grouped.device.type == "cpu" else max(1, len(grouped))


@contextmanager
def int8_activations(model: nn.Module, group: int = GROUP, smallest: int = SMALLEST) -> Iterator[None]:
    """Within the block, the forward pass of `model` saves activations in 8 bits; go backward inside or outside."""
    with packing(model, lambda flat: round_groups(flat, group), smallest):
        yield


def signal_to_noise(exact: Tensor, other: Tensor) -> float:
    """20 log10(|x| / |x − y|) in dB, of tensors alike in shape; infinite where they are equal."""
    noise = float((exact.double() - other.double()).norm())
    return 20 * math.log10(float(exact.double().norm()) / noise) if noise else math.inf
