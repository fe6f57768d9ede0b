"""A multilayer perceptron for rows of numbers, dates and categories (B, D) float64; logits (B, K).

The residual form is that of Gorishniy et al., "Revisiting deep learning models for tabular data", 2021, with layer
in place of batch normalization, so that a row's answer depends on no other row. Numbers are also seen as waves of
learned frequencies (Gorishniy, Rubachev and Babenko, "On embeddings for numerical features in tabular deep
learning", 2022), which lets a network bend where trees would split.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bessemer.data.table.simple import scaled
from bessemer.model.contract import ChannelGroup
from bessemer.model.layers import Front

DAY = 86_400.0  # seconds
PERIODS = (365.2425 * DAY, 7 * DAY, DAY)  # in which dates are seen as angles
SPREAD = 0.5  # of the first frequencies, in turns per middle half of a number's values
WAVE_FEATURES = 8  # of each number, from its waves


class TableFront(Front):
    """Stored rows to features (B, F): scaled numbers, marks of gaps, dates as angles, embedded categories.

    How many numbers and dates there are, sizes of categories, centers and factors of what is measured, and which
    of it has gaps, are what bessemer.data.table.prepare says of the training split. The embeddings of what is not
    known or not listed begin at zero, so it weighs nothing until training says otherwise.
    """

    centers: Tensor
    factors: Tensor
    marked: Tensor

    def __init__(
        self,
        numbers: int,
        dates: int,
        categories: list[int],
        centers: list[float],
        factors: list[float],
        gaps: list[bool],
        waves: int,
        embedding: int,
    ) -> None:
        super().__init__()
        self.numbers, self.measured = numbers, numbers + dates
        self.register_buffer("centers", torch.tensor(centers, dtype=torch.float64))
        self.register_buffer("factors", torch.tensor(factors, dtype=torch.float64))
        self.register_buffer("marked", torch.tensor(gaps, dtype=torch.bool).nonzero()[:, 0])
        self.waves = Waves(numbers, waves) if waves and numbers else None
        widths = [min(embedding, math.ceil(1.6 * size**0.56)) for size in categories]
        self.tables = nn.ModuleList(map(nn.Embedding, categories, widths))
        for table in self.tables:
            assert isinstance(table, nn.Embedding)
            nn.init.normal_(table.weight, std=1 / math.sqrt(table.embedding_dim))
            nn.init.zeros_(table.weight[:2])
        angles = 2 * len(PERIODS) * dates
        self.width = self.measured + sum(gaps) + angles + sum(widths)
        self.width += WAVE_FEATURES * numbers if self.waves is not None else 0

    def forward(self, rows: Tensor) -> Tensor:
        unknown, numbers = scaled(rows[:, : self.measured], self.centers, self.factors)
        parts = [numbers, unknown[:, self.marked].to(torch.float32)]
        if self.measured > self.numbers:
            dates = rows[:, self.numbers : self.measured].to(torch.float64)
            parts.append(self._angles(dates, unknown[:, self.numbers :]))
        if self.waves is not None:
            parts.append(self.waves(numbers[:, : self.numbers]))
        codes = rows[:, self.measured :].to(torch.int64)
        parts += [table(codes[:, place]) for place, table in enumerate(self.tables)]
        return torch.cat(parts, 1)

    @staticmethod
    def _angles(seconds: Tensor, unknown: Tensor) -> Tensor:
        """Sine and cosine of dates (B, D) within year, week and day; zeros where nothing is known."""
        parts = []
        for period in PERIODS:
            turns = torch.where(unknown, torch.zeros_like(seconds), seconds) / period
            angle = (2 * math.pi * (turns - torch.floor(turns))).to(torch.float32)
            known = (~unknown).to(torch.float32)
            parts += [torch.sin(angle) * known, torch.cos(angle) * known]
        return torch.cat(parts, 1)


class Waves(nn.Module):
    """Numbers (B, N) as WAVE_FEATURES features each, (B, N * WAVE_FEATURES), of sines and cosines."""

    def __init__(self, numbers: int, waves: int) -> None:
        super().__init__()
        self.frequencies = nn.Parameter(SPREAD * torch.randn(numbers, waves))
        bound = 1 / math.sqrt(2 * waves)
        self.weights = nn.Parameter(torch.empty(numbers, 2 * waves, WAVE_FEATURES).uniform_(-bound, bound))
        self.offsets = nn.Parameter(torch.zeros(numbers, WAVE_FEATURES))

    def forward(self, numbers: Tensor) -> Tensor:
        angle = 2 * math.pi * numbers[:, :, None] * self.frequencies
        seen = torch.cat([torch.sin(angle), torch.cos(angle)], 2)
        mixed = torch.einsum("bnw,nwf->bnf", seen, self.weights) + self.offsets
        features: Tensor = F.relu(mixed).flatten(1)
        return features


class Block(nn.Module):
    """Normalization, two linear layers, and a shortcut around them."""

    is_block = True

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, 2 * width)
        self.down = nn.Linear(2 * width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.dropout(F.relu(self.up(self.norm(x))))
        moved: Tensor = x + self.down(y)
        return moved


class Layer(nn.Module):
    """A linear layer and what cuts off below zero."""

    is_block = True

    def __init__(self, inputs: int, width: int, dropout: float) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.dropout(F.relu(self.linear(x)))
        return y


class MLP(nn.Module):
    """What takes rows to features, hidden layers, one linear layer."""

    def __init__(
        self, classes: int, front: TableFront, widths: list[int], residual: bool, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.front = front
        self.residual = residual
        inputs = front.width
        self.stem = nn.Linear(inputs, widths[0]) if residual else nn.Identity()
        layers: list[nn.Module] = []
        for width in widths:
            layers.append(Block(width, dropout) if residual else Layer(inputs, width, dropout))
            inputs = width
        self.layers = nn.Sequential(*layers)
        self.norm = nn.LayerNorm(inputs) if residual else nn.Identity()
        self.head = nn.Linear(inputs, classes)

    def residual_branches(self) -> list[list[str]]:
        """Names of the modules whose outputs are added to a shortcut, block by block."""
        return [[f"layers.{place}.down"] for place in range(len(self.layers))] if self.residual else []

    def channel_groups(self) -> list[ChannelGroup]:
        """What can be pruned: the neurons inside each block, or of each plain layer."""
        groups: list[ChannelGroup] = []
        for place, layer in enumerate(self.layers):
            if isinstance(layer, Block):
                neurons = list(range(layer.up.out_features))
                sides = [(f"layers.{place}.up", "out"), (f"layers.{place}.down", "in")]
            else:
                assert isinstance(layer, Layer)
                neurons = list(range(layer.linear.out_features))
                after = f"layers.{place + 1}.linear" if place + 1 < len(self.layers) else "head"
                sides = [(f"layers.{place}.linear", "out"), (after, "in")]
            groups.append([(*side, neurons, neurons) for side in sides])
        return groups

    def forward(self, rows: Tensor) -> Tensor:
        x = self.layers(self.stem(self.front(rows)))
        logits: Tensor = self.head(F.relu(self.norm(x)) if self.residual else x)
        return logits
