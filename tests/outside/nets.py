"""A stranger's network: settings, layers, kinds and heads in one file."""

from __future__ import annotations

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
