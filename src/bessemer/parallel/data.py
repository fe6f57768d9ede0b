"""Data parallelism: each rank takes an even share of every batch, gradients are averaged (PyTorch DDP).

With one process all of this is the identity, and torch.distributed is not even imported.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from bessemer.errors import UsageError
from bessemer.model.layers import GhostBatchNorm2d
from bessemer.runtime import Runtime


@contextmanager
def process_group(runtime: Runtime) -> Iterator[None]:
    """Join the ranks that torchrun started, for the length of a block."""
    if runtime.world == 1:
        yield
        return
    import torch.distributed as dist

    dist.init_process_group("nccl" if runtime.kind == "cuda" else "gloo")
    try:
        yield
    finally:
        dist.destroy_process_group()


def refuse_own_statistics(model: nn.Module) -> None:
    """Refuse layers that keep running statistics of this rank's samples alone, which ranks would not share."""
    for name, layer in model.named_modules():
        moves = isinstance(layer, _BatchNorm) and layer.track_running_stats and layer.training
        if moves and not isinstance(layer, GhostBatchNorm2d):
            raise UsageError(
                f"{name} ({type(layer).__name__}) keeps statistics that differ from process to process",
                "take bessemer.model.layers.GhostBatchNorm2d in its place, or train in one process",
            )


def replicate(model: nn.Module, runtime: Runtime) -> nn.Module:
    """The model, with gradients averaged over ranks after each backward pass."""
    if runtime.world == 1:
        return model
    from torch.nn.parallel import DistributedDataParallel

    # Buffers are averaged by ghost batch normalization itself, once a step.
    return DistributedDataParallel(model, broadcast_buffers=False)


def without_sync(model: nn.Module, runtime: Runtime, last: bool) -> AbstractContextManager[None]:
    """Hold back the averaging of gradients until the last micro-batch of a step."""
    if runtime.world == 1 or last:
        return nullcontext()
    held: AbstractContextManager[None] = model.no_sync()  # type: ignore[operator]
    return held


def mean_over_ranks(tensors: Sequence[Tensor], runtime: Runtime) -> list[Tensor]:
    """The mean of each tensor over all ranks, in one exchange."""
    if runtime.world == 1 or not tensors:
        return list(tensors)
    import torch.distributed as dist

    flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
    dist.all_reduce(flat)
    parts = torch.split(flat / runtime.world, [tensor.numel() for tensor in tensors])
    return [part.reshape(tensor.shape) for part, tensor in zip(parts, tensors, strict=True)]
