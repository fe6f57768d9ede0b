"""Exponential moving average of weights (Polyak and Juditsky, 1992; as in Tarvainen and Valpola, 2017)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from bessemer.train.methods import Method


@torch.no_grad()
def ema(average: Mapping[str, Tensor], model: nn.Module, decay: float) -> None:
    """Move `average` (name to tensor, in place) towards the model's weights: a ← decay·a + (1 − decay)·w."""
    state = model.state_dict()
    names = [name for name, tensor in average.items() if tensor.is_floating_point()]
    torch._foreach_lerp_([average[name] for name in names], [state[name] for name in names], 1 - decay)
    for name in average.keys() - set(names):
        average[name].copy_(state[name])


class Ema(Method):
    """Keeps the average and gives it as the result; the decay rises from 0.1 in the first steps."""

    name = "ema"
    averages = True

    def __init__(self, decay: float) -> None:
        self.decay = decay
        self.average: dict[str, Tensor] = {}

    def prepare(self, model: nn.Module) -> None:
        self.average = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}

    def after_step(self, model: nn.Module, step: int) -> None:
        ema(self.average, model, min(self.decay, (1 + step) / (10 + step)))

    def state(self) -> dict[str, Tensor]:
        return self.average

    def load_state(self, tensors: dict[str, Tensor]) -> None:
        for name, tensor in tensors.items():
            self.average[name].copy_(tensor)

    def result(self) -> dict[str, Tensor]:
        return self.average
