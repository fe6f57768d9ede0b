"""Power spectra of clips in torch: the first steps of the sound network and of simple features.

The Fourier transform of a frame is done as two small matrix products instead of one large one (the transform of
N = A x B values as B transforms of A values, a twist, and A transforms of B values; Cooley and Tukey, 1965), so
that an exported file holds no large basis and needs no operator beyond products.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bessemer.data.audio.spectrogram import FULL_SCALE, frame_sizes, hann

BLOCKS = 5  # halves of a hop that make up a window


class Power(nn.Module):
    """Frames of clips (B, T) at `rate`, and their power spectra, as in bessemer.data.audio.spectrogram."""

    window: Tensor
    columns: Tensor
    twist_real: Tensor
    twist_imaginary: Tensor
    rows: Tensor

    def __init__(self, rate: int) -> None:
        super().__init__()
        self.length, self.hop, self.size = frame_sizes(rate)
        steps = transform_steps(self.size)
        steps["window"] = torch.from_numpy(hann(self.length)) / FULL_SCALE
        for name, values in steps.items():  # they follow from the rate, so a saved model need not hold them
            self.register_buffer(name, values.to(torch.float32), persistent=False)

    def blocks(self, clips: Tensor) -> Tensor:
        """Clips (B, T) as halves of a hop (B, blocks, hop / 2) that whole frames are made of."""
        half = self.hop // 2
        count = 2 * (1 + (clips.shape[1] - self.length) // self.hop) + 3
        return clips[:, : half * count].reshape(-1, count, half)

    def frames(self, clips: Tensor) -> Tensor:
        """Windowed frames (B, frames, N), filled up with zeros."""
        blocks = self.blocks(clips)
        count = blocks.shape[1]
        frames = torch.cat([blocks[:, first : count - BLOCKS + 1 + first : 2] for first in range(BLOCKS)], 2)
        return F.pad(frames * self.window, (0, self.size - self.length))

    def power(self, frames: Tensor) -> Tensor:
        """Power spectrum (B, frames, N / 2 + 1) of frames (B, frames, N)."""
        first, second = len(self.twist_real), self.twist_real.shape[1]
        grid = frames.reshape(-1, frames.shape[1], first, second)
        real, imaginary = torch.split(self.columns @ grid, first, 2)
        twisted = torch.cat(
            [
                real * self.twist_real - imaginary * self.twist_imaginary,
                real * self.twist_imaginary + imaginary * self.twist_real,
            ],
            3,
        )
        squares = (twisted @ self.rows) ** 2
        real, imaginary = torch.split(squares, second // 2 + 1, 3)
        bins = (real + imaginary).transpose(2, 3).reshape(-1, frames.shape[1], first * (second // 2 + 1))
        return bins[:, :, : self.size // 2 + 1]


def transform_steps(size: int) -> dict[str, Tensor]:
    """The matrices of a Fourier transform of `size` = A * B real values, a power of two, in two steps.

    Value n = B a + b goes to bin k = c + A d. `columns` (2A, A) takes a to c, its cosines above its sines; the
    twists (A, B) turn by c b / size; `rows` (2B, 2(B/2 + 1)) takes b to the bins up to the middle.
    """
    bits = int(math.log2(size))
    first, second = 1 << (bits // 2), 1 << (bits - bits // 2)
    c, d, b = torch.arange(first), torch.arange(second // 2 + 1), torch.arange(second)
    down, twist, along = (_turn(c, c, first), _turn(c, b, size), _turn(b, d, second))
    rows = [torch.cat([along.real, along.imag], 1), torch.cat([-along.imag, along.real], 1)]
    return {
        "columns": torch.cat([down.real, down.imag]),
        "twist_real": twist.real,
        "twist_imaginary": twist.imag,
        "rows": torch.cat(rows),
    }


def _turn(one: Tensor, other: Tensor, size: int) -> Tensor:
    """exp(-2 pi i x y / size) for all x and y, in double precision."""
    angle = -2 * math.pi / size * (torch.outer(one, other) % size).double()
    return torch.polar(torch.ones_like(angle), angle)
