"""Activations on a disk, or from a GPU in the host's memory, between the passes.

Every bit comes back, so results are the same. On a GPU the copies run beside the computation and cost little as
long as the bus keeps up (as torch.autograd.graph.save_on_cpu, which also copies weights). On a processor each
tensor goes to a file without a name and comes back in the backward pass. The system writes the file out when it
needs the memory: that is a gain where activations do not fit. It is none where there is memory enough (the pages
stay in it, counted as cache), and none in a folder that is itself in memory, which is refused. Plain reads and
writes, not a map of the file: mapped pages would count as memory of the process again.
"""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from bessemer.artifact import storage_errors
from bessemer.errors import UsageError
from bessemer.train.memory.saved import SMALLEST, Packed, packing

IN_MEMORY = ("tmpfs", "ramfs", "devtmpfs")
MOUNTS = Path("/proc/mounts")


class Spool:
    """A file without a name, which is gone with the last tensor in it, however the process ends."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with storage_errors(folder):
            self.handle, name = tempfile.mkstemp(dir=folder, prefix="activations-")
            os.unlink(name)
        self.end = 0
        weakref.finalize(self, os.close, self.handle)

    def write(self, data: memoryview) -> int:
        """Append bytes; returns their place."""
        place = self.end
        with storage_errors(self.folder):
            while data:
                written = os.pwrite(self.handle, data, self.end)
                self.end += written
                data = data[written:]
        return place

    def read(self, data: memoryview, place: int) -> None:
        """Fill `data` with the bytes at `place`."""
        with storage_errors(self.folder):
            while data:
                read = os.preadv(self.handle, [data], place)
                if not read:
                    raise OSError(5, "the file is shorter than what was written to it")
                place += read
                data = data[read:]


@dataclass(frozen=True, eq=False)
class OnDisk:
    """A tensor (N,) in a spool."""

    spool: Spool
    place: int
    size: int
    dtype: torch.dtype

    def flat(self) -> Tensor:
        """The tensor (N,), read back."""
        flat = torch.empty(self.size, dtype=self.dtype)
        self.spool.read(_bytes_of(flat), self.place)
        return flat


@dataclass(frozen=True, eq=False)
class InHost:
    """A tensor (N,) of a GPU in page-locked memory of the host."""

    host: Tensor
    device: torch.device

    def flat(self) -> Tensor:
        """The tensor (N,), on its GPU."""
        return self.host.to(self.device, non_blocking=True)


@contextmanager
def offloaded_activations(
    model: nn.Module, folder: Path | None = None, smallest: int = SMALLEST
) -> Iterator[None]:
    """Within the block, the forward pass of `model` saves activations elsewhere; go backward inside or outside.

    `folder` must be on a disk; by default it is the system's temporary one. Raises StorageError where it is full.
    """
    spool: list[Spool] = []  # made with the first tensor that needs it

    def pack(flat: Tensor) -> Packed:
        if flat.is_cuda:
            host = torch.empty(flat.shape, dtype=flat.dtype, pin_memory=True)
            return InHost(host.copy_(flat, non_blocking=True), flat.device)
        if not spool:
            spool.append(Spool(folder or Path(tempfile.gettempdir())))
        return OnDisk(spool[0], spool[0].write(_bytes_of(flat)), flat.numel(), flat.dtype)

    with packing(model, pack, smallest, exact=True):
        yield


def check_folder(folder: Path | None) -> None:
    """Raises UsageError where a folder is not there, or is in memory, so that offloading to it saves nothing."""
    where = (folder or Path(tempfile.gettempdir())).resolve()
    if not where.is_dir():
        raise UsageError(f"train.memory.folder: {where} is not a folder", "make it, or name another one")
    lines = MOUNTS.read_text(encoding="utf-8").splitlines() if MOUNTS.exists() else []
    kinds = {Path(line.split()[1]): line.split()[2] for line in lines}
    kind = next((kinds[above] for above in (where, *where.parents) if above in kinds), "")
    if kind in IN_MEMORY:
        problem = f"train.memory.saved: {where} is itself in memory ({kind}), so offloading to it saves nothing"
        raise UsageError(problem, "set train.memory.folder to a folder on a disk")


def _bytes_of(flat: Tensor) -> memoryview:
    return flat.view(torch.uint8).numpy().data
