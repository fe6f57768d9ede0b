"""Simple features of images as a torch module: gradients, colors and the picture itself, made small.

Gradients: histograms of oriented gradients (Dalal and Triggs, "Histograms of oriented gradients for human
detection", 2005). A pixel votes with the length of its gradient, in the channel where that is largest, for the two
nearest of nine directions of a half turn and for the four nearest cells, each by its nearness. Blocks of 2x2 cells
overlap; each is brought to unit length, cut off at 0.2 and brought to unit length again. Images of any size have
about 64 cells, so a vote for cells is two products with constant matrices: no size must be a multiple of another,
and a file needs no operator beyond products.

Colors: a joint histogram of 4x4x4 colors, to which pixels vote likewise (Swain and Ballard, "Color indexing",
1991); its roots, so that rare colors count too.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

DIRECTIONS = 9  # of a half turn
CELLS = 64  # of an image, about
LEAST_CELL = 2.0  # pixels along a side
MOST_PIXELS = 96 * 96  # in which gradients are looked for; larger images are averaged down
COLORS = 4  # bins of a channel
CLIP, LEAST = 0.2, 1e-2  # of a block; the length below which a block is noise, of values 0 to 1
MAX_VALUES = 1024  # of the small picture


class ImageFeatures(nn.Module):
    """Images (B, H, W, C) in 0 to 255 to float32 (B, F): HOG, a histogram of colors, the picture made small."""

    rows: Tensor
    columns: Tensor
    shrink_rows: Tensor
    shrink_columns: Tensor
    small_rows: Tensor
    small_columns: Tensor
    angles: Tensor
    bins: Tensor

    def __init__(self, height: int, width: int, channels: int) -> None:
        super().__init__()
        self.channels = channels
        colors = [COLORS**3] if channels == 3 else []
        inner = within(height, width, MOST_PIXELS)
        self.cells = cells(*inner)
        small = within(height, width, MAX_VALUES // channels)
        matrices = {
            "shrink_rows": averaging(inner[0], height),
            "shrink_columns": averaging(inner[1], width),
            "rows": voting(self.cells[0], inner[0]),
            "columns": voting(self.cells[1], inner[1]),
            "small_rows": averaging(small[0], height),
            "small_columns": averaging(small[1], width),
            "angles": torch.arange(DIRECTIONS) * (math.pi / DIRECTIONS) + math.pi / (2 * DIRECTIONS),
            "bins": torch.linspace(0, 1, COLORS),
        }
        blocks = math.prod(max(1, side - 1) for side in self.cells)
        corners = math.prod(min(2, side) for side in self.cells)
        self.groups = [blocks * corners * DIRECTIONS, *colors, small[0] * small[1] * channels]
        for name, values in matrices.items():  # they follow from the size, so a saved model need not hold them
            self.register_buffer(name, values.to(torch.float32), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        planes = images.to(torch.float32).permute(0, 3, 1, 2) / 255
        looked = resized(planes, self.shrink_rows, self.shrink_columns)
        parts = [self.gradients(looked)]
        if self.channels == 3:
            parts.append(self.colors(looked))
        parts.append(resized(planes, self.small_rows, self.small_columns).flatten(1))
        return torch.cat(parts, 1)

    def gradients(self, planes: Tensor) -> Tensor:
        """Blocks of histograms of directions (B, blocks * 4 * 9) of images (B, C, H, W) in 0 to 1."""
        across, down = steepest(planes.sqrt())
        length = (across.square() + down.square()).sqrt()
        turn = torch.atan2(down, across)[:, None] - self.angles[:, None, None]
        apart = (turn / math.pi - torch.round(turn / math.pi)).abs() * DIRECTIONS  # in directions, 0 to 4.5
        votes = (1 - apart).clamp_min(0) * length[:, None]
        histograms = resized(votes, self.rows, self.columns)
        return normalized(histograms, self.cells)

    def colors(self, planes: Tensor) -> Tensor:
        """The roots of the shares of 64 colors (B, 64) in images (B, 3, H, W) in 0 to 1."""
        near = (1 - (planes.flatten(2)[:, :, None] - self.bins[:, None]).abs() * (COLORS - 1)).clamp_min(0)
        red, green, blue = near[:, 0], near[:, 1], near[:, 2]  # each (B, 4, pixels)
        pairs = (red[:, :, None] * green[:, None]).flatten(1, 2)
        return (pairs @ blue.transpose(1, 2) / planes[0, 0].numel()).flatten(1).clamp_min(0).sqrt()


def steepest(planes: Tensor) -> tuple[Tensor, Tensor]:
    """Differences of neighbors across and down, each (B, H, W), in the channel where they are largest."""
    across = F.pad(planes[..., 2:] - planes[..., :-2], (1, 1)) if planes.shape[3] > 2 else torch.zeros_like(planes)
    down = F.pad(planes[..., 2:, :] - planes[..., :-2, :], (0, 0, 1, 1)) if planes.shape[2] > 2 else 0 * planes
    best = [across[:, 0], down[:, 0]]
    for channel in range(1, planes.shape[1]):
        other = [across[:, channel], down[:, channel]]
        steeper = other[0].square() + other[1].square() > best[0].square() + best[1].square()
        best = [torch.where(steeper, new, old) for new, old in zip(other, best, strict=True)]
    return best[0], best[1]


def normalized(histograms: Tensor, size: tuple[int, int]) -> Tensor:
    """Histograms of cells (B, 9, H, W) as blocks of unit length, one after the other (B, blocks * 4 * 9)."""
    high, wide = (min(2, side) for side in size)
    below = [histograms[:, :, top : top + size[0] - high + 1] for top in range(high)]
    near = [part[..., left : left + size[1] - wide + 1] for part in below for left in range(wide)]
    blocks = torch.cat(near, 1)
    blocks = (blocks / (blocks.square().sum(1, keepdim=True) + LEAST).sqrt()).clamp_max(CLIP)
    return (blocks / (blocks.square().sum(1, keepdim=True) + LEAST**2).sqrt()).flatten(1)


def resized(planes: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Planes (B, C, H, W) by a matrix (h, H) for rows and one (w, W) for columns."""
    return rows @ (planes @ columns.T)


def within(height: int, width: int, most: int) -> tuple[int, int]:
    """Sides of the same shape, of an image with at most `most` pixels."""
    shrink = min(1.0, (most / (height * width)) ** 0.5)
    short, long = sorted((height, width))
    less = max(1, int(short * shrink))
    more = max(1, min(int(long * shrink), most // less))
    return (less, more) if height <= width else (more, less)


def cells(height: int, width: int) -> tuple[int, int]:
    """About CELLS squares that cover an image, as rows and columns of them."""
    side = max(LEAST_CELL, (height * width / CELLS) ** 0.5)
    return max(1, round(height / side)), max(1, round(width / side))


def averaging(size: int, given: int) -> Tensor:
    """A matrix (size, given) that averages `given` values to `size`, each weighing by what of it is covered."""
    edges = torch.arange(size + 1, dtype=torch.float64) * (given / size)
    start, stop = edges[:-1, None], edges[1:, None]
    place = torch.arange(given, dtype=torch.float64)
    covered = (torch.minimum(stop, place + 1) - torch.maximum(start, place)).clamp_min(0)
    return covered / covered.sum(1, keepdim=True)


def voting(size: int, given: int) -> Tensor:
    """A matrix (size, given) of the votes of `given` pixels for the two nearest of `size` cells."""
    centers = (torch.arange(size, dtype=torch.float64)[:, None] + 0.5) * (given / size)
    apart = (torch.arange(given, dtype=torch.float64) + 0.5 - centers).abs() * (size / given)
    return (1 - apart).clamp_min(0)
