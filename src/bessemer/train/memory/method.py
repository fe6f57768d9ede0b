"""The memory settings of a run, as a method."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from bessemer.model.contract import blocks
from bessemer.train.memory.checkpointing import checkpoint_blocks
from bessemer.train.memory.config import MemoryConfig
from bessemer.train.memory.int8 import int8_activations
from bessemer.train.memory.offload import check_folder, offloaded_activations
from bessemer.train.memory.pooled import pool_channels
from bessemer.train.memory.wrap import Forward, unwrap_all, wrap
from bessemer.train.methods import Method


def saving(model: nn.Module, saved: str, folder: Path | None = None) -> AbstractContextManager[None]:
    """The context of a forward pass that saves activations as `int8`, or `offload` (into `folder`)."""
    return int8_activations(model) if saved == "int8" else offloaded_activations(model, folder)


class ActivationMemory(Method):
    """Wraps the model and its blocks for a run; the loss, behind the model, keeps what it needs as it is."""

    name = "memory"

    def __init__(self, config: MemoryConfig) -> None:
        self.config = config
        self.folder = Path(config.folder) if config.folder else None
        self.models: list[nn.Module] = []

    def prepare(self, model: nn.Module) -> None:
        if self.config.saved == "offload" and next(model.parameters()).device.type == "cpu":
            check_folder(self.folder)
        self.models.append(model)
        if self.config.pool_channels:  # the head and what stands in front of the blocks stay exact
            pool_channels(nn.ModuleList(blocks(model)), self.config.pool_channels)
        if self.config.checkpoint_every:
            checkpoint_blocks(model, self.config.checkpoint_every)
        if self.config.saved != "exact":
            wrap(model, self._saving)

    def release(self) -> None:
        for model in self.models:
            unwrap_all(model)
        self.models.clear()

    def _saving(self, forward: Forward, *inputs: Any, **named: Any) -> Any:
        model = forward.__self__  # type: ignore[attr-defined]
        if not (model.training and torch.is_grad_enabled()):
            return forward(*inputs, **named)
        with saving(model, self.config.saved, self.folder):
            return forward(*inputs, **named)
