"""How many bytes of tensors exist at once, counted exactly on any device."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class LiveBytes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts tensors that are made within the block: `now` are alive, `peak` were so at once, in bytes.

    Views count once. Buffers inside a kernel do not pass here and are not counted.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = 0
        self.peak = 0
        self.known: set[int] = set()

    def __torch_dispatch__(
        self,
        function: Any,
        types: Iterable[type],
        inputs: tuple[Any, ...] = (),
        named: Mapping[str, Any] | None = None,
    ) -> Any:
        given = {
            id(one.untyped_storage()) for one in tree_leaves((inputs, named)) if isinstance(one, torch.Tensor)
        }
        outputs = function(*inputs, **(named or {}))
        for one in tree_leaves(outputs):
            if isinstance(one, torch.Tensor) and id(one.untyped_storage()) not in given | self.known:
                self._add(one.untyped_storage())
        return outputs

    def _add(self, storage: torch.UntypedStorage) -> None:
        size, place = storage.nbytes(), id(storage)
        self.now += size
        self.peak = max(self.peak, self.now)
        self.known.add(place)
        weakref.finalize(storage, self._remove, place, size)

    def _remove(self, place: int, size: int) -> None:
        self.now -= size
        self.known.discard(place)
