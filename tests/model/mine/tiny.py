"""A stranger's network in one file, named in a recipe by its dotted path."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor, nn

from bessemer.model.config import ModelConfig
from bessemer.model.layers import Normalize


class TinyNet(nn.Module):
    """Two convolutions, the mean over the image and one linear layer."""

    class Settings(ModelConfig):
        width: int = Field(4, ge=1)

    kinds = ("image",)

    def __init__(self, classes: int, mean: list[float], std: list[float], width: int) -> None:
        super().__init__()
        first, second = (nn.Conv2d(n, width, 3, 2, 1) for n in (len(mean), width))
        self.layers = nn.Sequential(Normalize(mean, std), first, nn.ReLU(), second, nn.ReLU())
        self.head = nn.Linear(width, classes)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.layers(images).mean((2, 3)))
        return logits
