"""Simple features of sound as a torch module: what its spectrum is, how it changes, and where in the clip.

Cepstra are the cosine transform of a log-mel spectrum (MFCC; Davis and Mermelstein, "Comparison of parametric
representations for monosyllabic word recognition", 1980). Their changes are slopes over five frames (Furui,
"Speaker- independent isolated word recognition using dynamic features of speech spectrum", 1986). Means and
deviations go over the frames that lie wholly between the first and the last sample that is not zero: a clip is
filled up with zeros, and how many says nothing of what is heard.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from bessemer.data.audio.power import Power
from bessemer.data.audio.spectrogram import FLOOR, mel_filters

MELS = 64
CEPSTRA = 13
PARTS = 5  # of the sound, each with means of its own
SLOPE = (-0.2, -0.1, 0.0, 0.1, 0.2)  # least squares over five frames


class SoundFeatures(Power):
    """Clips int16 (B, T) to float32 (B, F).

    Means and deviations of cepstra and of their slopes, means of cepstra in PARTS parts of the sound, and the
    logarithm of its length. (Means of the bands beside them cost two points on words of unheard voices.)
    """

    filters: Tensor
    cosines: Tensor
    slope: Tensor
    centers: Tensor

    def __init__(self, rate: int) -> None:
        super().__init__(rate)
        self.width = (4 + PARTS) * CEPSTRA + 1
        place = torch.arange(MELS) + 0.5
        cosines = torch.cos(math.pi / MELS * torch.outer(place, torch.arange(CEPSTRA))) * math.sqrt(2 / MELS)
        cosines[:, 0] *= math.sqrt(0.5)
        matrices = {
            "filters": torch.from_numpy(mel_filters(rate, MELS)),
            "cosines": cosines,
            "slope": torch.tensor(SLOPE).repeat(CEPSTRA, 1, 1),
            "centers": (torch.arange(PARTS) + 0.5)[:, None] / PARTS,
        }
        for name, values in matrices.items():
            self.register_buffer(name, values.to(torch.float32), persistent=False)

    def forward(self, clips: Tensor) -> Tensor:
        clips = clips.to(torch.float32)
        bands = torch.log(self.power(self.frames(clips)) @ self.filters + FLOOR)
        heard = self.heard(clips)
        cepstra = bands @ self.cosines
        slopes = F.conv1d(cepstra.transpose(1, 2), self.slope, padding=2, groups=CEPSTRA).transpose(1, 2)
        parts = [*moments(cepstra, heard), *moments(slopes, inner(heard))]
        return torch.cat([*parts, self.parts(cepstra, heard), torch.log(heard.sum(1, keepdim=True))], 1)

    def power(self, frames: Tensor) -> Tensor:
        """The same spectrum; in torch by its own transform, three times as fast, which files have not."""
        if torch.compiler.is_exporting():
            return super().power(frames)
        found = torch.fft.rfft(frames)
        power: Tensor = found.real.square() + found.imag.square()
        return power

    def heard(self, clips: Tensor) -> Tensor:
        """Which frames (B, frames) count, 1 or 0: those without padding, else those that touch the sound."""
        active = (self.blocks(clips).abs().amax(2) > 0).to(torch.float32)
        until = torch.cumsum(active, 1)
        after = until[:, -1:] - until + active
        inside = ((until > 0) & (after > 0)).to(torch.float32)
        count = active.shape[1]
        whole = inside[:, : count - 4 : 2] * inside[:, 4::2]
        touched = F.max_pool1d(inside[:, None], 5, 2)[:, 0]
        some = torch.where(whole.sum(1, keepdim=True) > 0, whole, touched)
        return torch.where(some.sum(1, keepdim=True) > 0, some, torch.ones_like(some))

    def parts(self, cepstra: Tensor, heard: Tensor) -> Tensor:
        """Means of cepstra (B, PARTS * CEPSTRA), frames counting for a part by how near its middle they are."""
        place = (torch.cumsum(heard, 1) - 0.5) / heard.sum(1, keepdim=True)
        near = (1 - (place[:, None] - self.centers).abs() * PARTS).clamp_min(0) * heard[:, None]
        means = (near @ cepstra) / near.sum(2, keepdim=True).clamp_min(1e-6)
        return means.flatten(1)


def moments(values: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Means and deviations, each (B, D), over the frames of values (B, frames, D) that count."""
    shares = weights / weights.sum(1, keepdim=True)
    mean = (shares[:, None] @ values)[:, 0]
    spread = (shares[:, None] @ (values - mean[:, None]).square())[:, 0]
    return mean, (spread + 1e-8).sqrt()


def inner(heard: Tensor) -> Tensor:
    """The frames whose two neighbors on both sides count as well; where there are none, those that count."""
    whole = -F.max_pool1d(-F.pad(heard, (2, 2))[:, None], 5, 1)[:, 0]
    return torch.where(whole.sum(1, keepdim=True) > 0, whole, heard)
