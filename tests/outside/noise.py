"""A stranger's training method: noise on images."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pydantic import Field

from bessemer.train.methods import Method
from bessemer.train.methods.technique import MethodConfig, Setup, Technique

if TYPE_CHECKING:
    from bessemer.data.dataset import Batch
    from bessemer.train.config import TrainConfig


class Settings(MethodConfig):
    """How much noise, and for how long."""

    deviation: float = Field(8.0, gt=0, description="of the noise, in gray levels")
    until: float = Field(1.0, gt=0, le=1, description="share of the steps that have it")


class Noise(Method):
    """Adds to each pixel what is drawn by (seed, step, place in the batch), so a resumed run draws the same."""

    name = "noise"

    def __init__(self, settings: Settings, setup: Setup) -> None:
        self.settings, self.seed, self.last = settings, setup.seed, settings.until * setup.steps

    def batch(self, batch: Batch) -> Batch:
        import numpy as np
        import torch

        if batch.step >= self.last:
            return batch
        draws = np.random.default_rng((self.seed, batch.step, batch.first))
        noise = draws.normal(0, self.settings.deviation, batch.inputs.shape).astype(np.float32)
        return replace(batch, inputs=batch.inputs + torch.from_numpy(noise).to(batch.inputs.device))


def refuse(settings: Settings, train: TrainConfig) -> None:
    """Refuse what already learns from the loudest samples."""
    if train.setting("selective"):
        raise ValueError("noise.NOISE makes losses large by chance; set selective to null")


NOISE = Technique(
    "noise on inputs", Settings, build=Noise, does="adds noise to pixels", kinds=("image",), refuse=refuse
)
