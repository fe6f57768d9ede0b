"""The weights of the best validation, kept until the end of a run."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from bessemer.train.methods import Method

SCORE = "best score"  # among the kept tensors; no module has a name with a space


class BestWeights(Method):
    """Keeps the result (with averages, where there are any) that validated best; of equal ones the first."""

    name = "best weights"
    chooses = True

    def __init__(self) -> None:
        self.kept: dict[str, Tensor] = {}

    def prepare(self, model: nn.Module) -> None:
        self.kept = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
        self.kept[SCORE] = torch.tensor(-math.inf, dtype=torch.float64)

    def validated(self, model: nn.Module, score: float) -> None:
        if score > float(self.kept[SCORE]):
            for name, tensor in model.state_dict().items():
                self.kept[name].copy_(tensor)
            self.kept[SCORE].fill_(score)

    def state(self) -> dict[str, Tensor]:
        return self.kept

    def load_state(self, tensors: dict[str, Tensor]) -> None:
        for name, tensor in tensors.items():
            self.kept[name].copy_(tensor)

    def chosen(self) -> dict[str, Tensor] | None:
        if math.isinf(float(self.kept[SCORE])):
            return None  # no validation was a number
        return {name: tensor for name, tensor in self.kept.items() if name != SCORE}
