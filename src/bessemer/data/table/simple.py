"""Simple features of tables as a torch module."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from bessemer.data.table.features import widths

FAR = 3.0  # where values begin to be drawn in


def scaled(rows: Tensor, centers: Tensor, factors: Tensor) -> tuple[Tensor, Tensor]:
    """Where nothing is known (B, M), and numbers float32 (B, M) around 0, 0 there.

    The middle half of values is 1 wide and what lies far out is drawn in: smooth clipping at 3 is that of
    Holzmüller et al., "Better by default", 2024.
    """
    measured = rows.to(torch.float64)
    unknown = torch.isnan(measured)
    around = (torch.where(unknown, centers, measured) - centers) * factors
    return unknown, (around / torch.sqrt(1 + (around / FAR) ** 2)).to(torch.float32)


class TableFeatures(nn.Module):
    """Rows float64 (B, D) to float32 (B, F): scaled numbers and dates, marks of gaps, ones for categories."""

    centers: Tensor
    factors: Tensor
    marked: Tensor

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        super().__init__()
        self.measured = arguments["numbers"] + arguments["dates"]
        self.sizes = widths(arguments)
        fixed = {
            "centers": torch.tensor(arguments["centers"], dtype=torch.float64),
            "factors": torch.tensor(arguments["factors"], dtype=torch.float64),
            "marked": torch.tensor(arguments["gaps"], dtype=torch.bool).nonzero()[:, 0],
        }
        for name, values in fixed.items():  # they are arguments, so a saved model need not hold them
            self.register_buffer(name, values, persistent=False)
        self.width = self.measured + len(self.marked) + sum(self.sizes)

    def forward(self, rows: Tensor) -> Tensor:
        unknown, numbers = scaled(rows[:, : self.measured], self.centers, self.factors)
        parts = [numbers, unknown[:, self.marked].to(torch.float32)]
        codes = rows[:, self.measured :].to(torch.int64)
        for place, size in enumerate(self.sizes):
            ones = codes[:, place, None] == torch.arange(size, device=codes.device)
            parts.append(ones.to(torch.float32))
        return torch.cat(parts, 1)
