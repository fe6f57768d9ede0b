"""A residual network on log-mel spectrograms, for sound."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from bessemer.model.config import ResidualConfig
from bessemer.model.models import Model

if TYPE_CHECKING:
    from bessemer.model.resnet.network import ResNet


class SoundConfig(ResidualConfig):
    """A residual network on log-mel spectrograms, for sound."""

    name: Literal["sound"] = "sound"


def sound(classes: int, rate: int, mels: int, mean: list[float], std: list[float], **settings: Any) -> ResNet:
    """Build a residual network on log-mel spectrograms of clips int16 (B, T) at `rate`, for `classes` classes.

    `settings` are those of a ResNet; `mean` and `std` hold one value a band, in nats.
    """
    from bessemer.model.resnet.network import ResNet
    from bessemer.model.sound.network import LogMel

    settings.pop("name", None)
    return ResNet(classes, LogMel(rate, mels, mean, std), LogMel.CHANNELS, **settings)


MODEL = Model(settings=SoundConfig, build=sound, kinds=("audio",), heads=("classes",))
