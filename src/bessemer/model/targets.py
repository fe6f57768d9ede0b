"""A head of numbers: outputs in the unit of the targets, from any network that can carry classes.

A network is built for K classes and learns standardized numbers, so that rates and first weights fit whatever the
unit. The step to the unit is part of its forward pass, so an exported file answers in it. The network's class is
derived from, not wrapped: names of layers, taps, groups of channels and all else that it tells of itself stay.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

MEAN, STD = "target_mean", "target_std"  # arguments of an architecture that the network's builder does not get


class Units(nn.Module):
    """Standardized numbers (B, K) to numbers in their own unit: z * std + mean, in float32."""

    is_leaf = True  # quantization leaves it, and what comes into it, in floats

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32))

    def forward(self, standardized: Tensor) -> Tensor:
        return standardized.to(torch.float32) * self.std + self.mean


def in_units(network: nn.Module, mean: Sequence[float], std: Sequence[float]) -> nn.Module:
    """The same network, its outputs (B, K) in the unit of targets with these means and deviations (K,)."""
    plain = type(network)

    def forward(self: nn.Module, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.in_units(plain.forward(self, inputs))  # type: ignore[operator]
        return outputs

    network.in_units = Units(mean, std)
    network.__class__ = type(plain.__name__, (plain,), {"forward": forward})
    return network
