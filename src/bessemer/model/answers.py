"""A network as tasks ask it: for the outputs of one batch, or of any number of inputs.

An exported file gives the same two answers (bessemer.export.session.OnnxModel), so a task measures both alike.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from bessemer.data.blocks import blocks
from bessemer.data.rows import Rows
from bessemer.model.contract import free_length


class Answers(Protocol):
    """What a task measures: a network or an exported file."""

    def __call__(self, inputs: NDArray[Any]) -> NDArray[np.float32]:
        """Outputs (B, ...) of one batch."""

    def logits(self, inputs: Rows) -> NDArray[np.float32]:
        """Outputs (N, ...) of any number of inputs, in batches."""


class TorchModel:
    """A torch network in evaluation mode, in fp32, on the device that it is on."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model.eval()
        self.device = next((tensor.device for tensor in model.state_dict().values()), torch.device("cpu"))

    @torch.no_grad()
    def __call__(self, inputs: NDArray[Any]) -> NDArray[np.float32]:
        outputs: NDArray[np.float32] = self.model(torch.from_numpy(inputs).to(self.device)).cpu().numpy()
        return outputs

    def logits(self, inputs: Rows) -> NDArray[np.float32]:
        """Outputs (N, ...) of any number of inputs, in batches."""
        free = free_length(self.model)
        return np.concatenate([self(block) for block in blocks(inputs, free)])
