"""A stranger's network: settings, layers, kinds and heads in one file."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from bessemer.model.config import ModelConfig
from bessemer.model.layers import Normalize


class Small(nn.Module):
    """Two convolutions, the mean over the image and one linear layer."""

    class Settings(ModelConfig):
        width: int = Field(16, ge=1)

    kinds = ("image",)
    heads = ("classes",)

    def __init__(self, classes: int, mean: list[float], std: list[float], width: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [Normalize(mean, std)]
        for inputs, stride in ((len(mean), 1), (width, 2)):
            layers += [nn.Conv2d(inputs, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
        self.layers = nn.Sequential(*layers)
        self.head = nn.Linear(width, classes)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.layers(images).mean((2, 3)))
        return logits


class Perceptron(nn.Module):
    """One hidden layer, for rows of numbers."""

    class Settings(ModelConfig):
        width: int = Field(32, ge=1)

    kinds = ("rows.Rows",)

    def __init__(self, classes: int, mean: list[float], std: list[float], width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean))
        self.register_buffer("std", torch.tensor(std))
        self.layers = nn.Sequential(nn.Linear(len(mean), width), nn.ReLU(), nn.Linear(width, classes))

    def forward(self, rows: Tensor) -> Tensor:
        logits: Tensor = self.layers((rows - self.mean) / self.std)
        return logits
