"""Which saved tensors are activations worth packing, and one packing of each.

PyTorch calls a pair of hooks for every tensor that an operation saves for its backward pass
(torch.autograd.graph.saved_tensors_hooks). Weights, also transposed or cast to 16 bits by autocast, integers,
masks and small tensors are saved as they are; what several operations save is packed once.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.autograd.graph import Node, saved_tensors_hooks
from torch.multiprocessing.reductions import StorageWeakRef

SMALLEST = 1 << 12  # elements; statistics of normalizations and the like are below, and gain nothing
KINDS = (torch.float32, torch.bfloat16, torch.float16)
# Nodes that give a weight in another form.
FORMS = (
    "ToCopy",
    "T",
    "Transpose",
    "Permute",
    "View",
    "UnsafeView",
    "ReshapeAlias",
    "Unsqueeze",
    "Squeeze",
    "Slice",
)


class Packed(Protocol):
    """A flat tensor in another form."""

    def flat(self) -> Tensor:
        """The tensor (N,), on its device and in its type."""


Key = tuple[int, int, int, torch.dtype, int]


@contextmanager
def packing(
    model: nn.Module, pack: Callable[[Tensor], Packed], smallest: int = SMALLEST, exact: bool = False
) -> Iterator[None]:
    """Save activations of at least `smallest` elements by `pack`, which gets flat tensors (N,), for a block.

    With `exact`, when `pack` gives back every bit, it gets masks and statistics (which ask for no gradient) too.
    """
    weights = {tensor.untyped_storage()._cdata for tensor in (*model.parameters(), *model.buffers())}
    once = _Once(pack)

    def put(tensor: Tensor) -> Callable[[], Tensor]:
        wanted = tensor.numel() >= smallest and (exact or tensor.requires_grad)
        if not (wanted and _is_activation(tensor, weights)):
            kept = tensor.detach()  # itself would hold the graph that holds it
            return lambda: kept
        order, ordered = in_memory_order(tensor.detach())
        packed, shape = once(ordered), ordered.shape
        back = [order.index(dim) for dim in range(len(order))]
        return lambda: packed.flat().view(shape).permute(back)

    with saved_tensors_hooks(put, lambda get: get()):
        yield


def in_memory_order(tensor: Tensor) -> tuple[list[int], Tensor]:
    """The dimensions from the slowest to the fastest in memory, and the contiguous tensor of that order."""
    order = sorted(range(tensor.ndim), key=lambda dim: tensor.stride(dim), reverse=True)
    return order, tensor.permute(order).contiguous()


def _is_activation(tensor: Tensor, weights: set[int]) -> bool:
    if tensor.dtype not in KINDS or tensor.shape[-1] == 1:  # (..., 1) are statistics
        return False
    if tensor.untyped_storage()._cdata in weights or _is_form_of_weight(tensor.grad_fn):
        return False
    return 0 not in tensor.stride()  # expanded ones have fewer values than it seems


def _is_form_of_weight(node: Node | None) -> bool:
    """Whether a tensor is a leaf, such as a parameter, but for its type and the order of its dimensions."""
    while node is not None and node.name().partition("Backward")[0] in FORMS:
        node = node.next_functions[0][0]
    return node is not None and node.name().endswith("AccumulateGrad")


class _Once:
    """Packs what has the same place in the same storage once, as long as both are there."""

    def __init__(self, pack: Callable[[Tensor], Packed]) -> None:
        self.pack = pack
        self.known: dict[Key, tuple[StorageWeakRef, weakref.ref[Packed]]] = {}

    def __call__(self, tensor: Tensor) -> Packed:
        storage = tensor.untyped_storage()
        key = storage._cdata, int(tensor.storage_offset()), tensor.numel(), tensor.dtype, tensor._version
        if key in self.known:
            place, packed = self.known[key][0], self.known[key][1]()
            if packed is not None and not place.expired():  # type: ignore[no-untyped-call]
                return packed
        made = self.pack(tensor.view(-1))
        # While the weak reference is there, no other storage gets this one's address.
        place = StorageWeakRef(storage)  # type: ignore[no-untyped-call]
        self.known[key] = place, weakref.ref(made)
        return made
