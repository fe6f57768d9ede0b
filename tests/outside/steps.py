"""A stranger's step of compression: weights rounded to a few levels, which zip well."""

from __future__ import annotations

import copy
from typing import Any, ClassVar

import torch
from pydantic import Field
from torch import nn

from bessemer.compress.steps import Made, Step


class Coarse(Step):
    """Every convolution keeps `levels` values a side of zero."""

    technique: ClassVar[str] = "coarse weights"

    levels: int = Field(15, ge=1)

    @property
    def label(self) -> str:
        return f"{self.levels} levels"

    def apply(self, made: Made, lab: Any) -> Made:
        network = copy.deepcopy(made.network)
        with torch.no_grad():
            for module in network.modules():
                if isinstance(module, nn.Conv2d):
                    step = module.weight.abs().max() / self.levels
                    module.weight.copy_((module.weight / step).round() * step)
        return Made(made.architecture, network)
