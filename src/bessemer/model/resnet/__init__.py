"""A residual network for images, small and large."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from bessemer.model.config import ResidualConfig
from bessemer.model.models import Model

if TYPE_CHECKING:
    from bessemer.model.resnet.network import ResNet


class ResNetConfig(ResidualConfig):
    """A residual network for images."""

    name: Literal["resnet"] = "resnet"


def resnet(classes: int, mean: list[float], std: list[float], **settings: Any) -> ResNet:
    """Build a ResNet for `classes` classes, with pre-processing by `mean` and `std` inside."""
    from bessemer.model.layers import Normalize
    from bessemer.model.resnet.network import ResNet

    settings.pop("name", None)
    return ResNet(classes, Normalize(mean, std), len(mean), **settings)


MODEL = Model(settings=ResNetConfig, build=resnet, kinds=("image",), heads=("classes",))
