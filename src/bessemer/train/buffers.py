"""What a forward pass changes besides the loss: running averages and whatever else a network keeps in buffers.

A step that is skipped must leave them as they were, like the weights: torch's batch normalization takes a NaN into
its averages for good. Those of normalization are copied before each step, the others where torch's counters of
changes say that they move: constant ones, such as tables of positions, are copied once.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from bessemer.model.layers import GhostBatchNorm2d


class Buffers:
    """The buffers of a model that may move in a forward pass; those of ghost batch normalization move later."""

    def __init__(self, model: nn.Module) -> None:
        self.places = [
            (module, name)
            for module in model.modules()
            if not isinstance(module, GhostBatchNorm2d)
            for name, buffer in module._buffers.items()
            if buffer is not None
        ]
        self.moving = list(range(len(self.places)))  # until a pass was seen
        self.copies: dict[int, Tensor] = {}
        self._seen = False
        self._before: list[tuple[Tensor, int]] = []

    def keep(self) -> None:
        """Note how all are, and copy those that move."""
        self._before = [(tensor, tensor._version) for tensor in map(self._at, range(len(self.places)))]
        for index in self.moving:
            tensor, copy = self._before[index][0].detach(), self.copies.get(index)
            if copy is None or (copy.shape, copy.dtype) != (tensor.shape, tensor.dtype):
                self.copies[index] = tensor.clone()
            else:
                copy.copy_(tensor)

    def see(self) -> None:
        """Note which of them the passes since `keep` have changed."""
        changed = {index for index in range(len(self.places)) if self._moves(index)}
        self.moving = sorted({*self.moving, *changed} if self._seen else changed)
        self.copies = {index: copy for index, copy in self.copies.items() if index in self.moving}
        self._seen = True

    @torch.no_grad()
    def restore(self) -> None:
        """Make them what they were at `keep`."""
        for index, copy in self.copies.items():
            module, name = self.places[index]
            module._buffers[name] = self._before[index][0].copy_(copy)

    @contextmanager
    def unmoved(self) -> Iterator[None]:
        """For passes from which nothing is to be learned, such as trials."""
        self.keep()
        try:
            yield
        finally:
            self.restore()

    def _at(self, index: int) -> Tensor:
        module, name = self.places[index]
        tensor = module._buffers[name]
        assert tensor is not None
        return tensor

    def _moves(self, index: int) -> bool:
        if isinstance(self.places[index][0], _NormBase):
            return True  # its kernels move averages without counting
        (tensor, version), now = self._before[index], self._at(index)
        return now is not tensor or now._version != version
