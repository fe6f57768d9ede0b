"""What all ranks must hold alike: the same choice, and the same bits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TypeVar

import torch
from torch import Tensor

from bessemer.parallel.data import mean_over_ranks
from bessemer.runtime import Runtime

Number = TypeVar("Number", int, float)

INTEGERS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}  # by size in bytes


def any_ranks(flags: Sequence[bool], runtime: Runtime) -> list[bool]:
    """For each flag, whether it is set on any rank, in one exchange, so that all ranks act at the same step."""
    if runtime.world == 1:
        return list(flags)
    means = mean_over_ranks([torch.tensor(flags, dtype=torch.float32, device=runtime.device)], runtime)
    return [mean > 0 for mean in means[0].tolist()]


def from_main(value: Number, runtime: Runtime) -> Number:
    """The main rank's value, on every rank."""
    if runtime.world == 1:
        return value
    import torch.distributed as dist

    told = torch.tensor(value, dtype=torch.float64 if isinstance(value, float) else None, device=runtime.device)
    dist.broadcast(told, 0)
    return type(value)(told)


def checksum(tensor: Tensor) -> Tensor:
    """The sum of a tensor's bits read as integers, int64: any one flipped bit changes it."""
    flat = tensor.detach().contiguous().reshape(-1)
    if flat.is_complex():
        flat = torch.view_as_real(flat).reshape(-1)
    return flat.view(INTEGERS[flat.element_size()]).sum(dtype=torch.int64)


def difference(tensors: Mapping[str, Tensor], runtime: Runtime) -> tuple[str, list[int]] | None:
    """The first tensor that is not the same on all ranks, and the ranks that differ from most; None if all agree.

    Where no value has a majority, as with two ranks, all ranks are named. One pass over the tensors, and one
    exchange of eight bytes for each.
    """
    if runtime.world == 1:
        return None
    import torch.distributed as dist

    mine = torch.stack([checksum(tensor).to(runtime.device) for tensor in tensors.values()])
    every = [torch.empty_like(mine) for _ in range(runtime.world)]
    dist.all_gather(every, mine)
    for name, sums in zip(tensors, torch.stack(every, 1).tolist(), strict=True):
        (common, count), *others = Counter(sums).most_common()
        if others:
            is_tie = 2 * count <= runtime.world
            return name, [rank for rank, value in enumerate(sums) if is_tie or value != common]
    return None
