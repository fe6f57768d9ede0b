"""Where work runs: device, threads, rank, and what this machine is.

One process is the identity implementation (`rank` 0 of `world` 1), not a special case.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = ("torch", "numpy", "onnxruntime", "onnxscript", "opencv-python-headless", "torch-pruning")


@dataclass(frozen=True)
class Runtime:
    """Device name, number of compute threads, and the place of this process among its peers."""

    device: str = "cpu"
    threads: int = 1
    rank: int = 0
    world: int = 1

    @property
    def kind(self) -> str:
        """The kind of device: `cpu` or `cuda`."""
        return self.device.partition(":")[0]

    @property
    def is_main(self) -> bool:
        """Whether this process writes files and speaks."""
        return self.rank == 0


class Progress:
    """What long work tells whoever watches; this one is silent."""

    def note(self, text: str) -> None:
        """Say one thing that is worth a line of its own."""

    def step(self, label: str, done: int, total: int, facts: str = "") -> None:
        """Say how far the work called `label` has come."""

    def begin(self, label: str, step: int) -> None:
        """Say that a learning curve goes on after `step`: points after it that were told before are void."""

    def point(self, label: str, step: int, values: Mapping[str, float | None]) -> None:
        """Tell one point of a learning curve: `loss` (None where the step was skipped), `rate`, `validation`."""


SILENT = Progress()


def available_threads() -> int:
    """Threads to compute with: OMP_NUM_THREADS where it is set, else the cores that this process may use."""
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    return int(wanted) if wanted.isdigit() and int(wanted) > 0 else available_cores()


def available_cores() -> int:
    """Processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def single(threads: int) -> Runtime:
    """The runtime of one process on its own, whatever its environment says; a GPU where torch sees one."""
    import torch

    return Runtime("cuda" if torch.cuda.is_available() else "cpu", threads)


def detect(threads: int | None = None) -> Runtime:
    """The runtime of one rank among those that torchrun started: each with its own GPU where torch sees one."""
    import torch

    world = int(os.environ.get("WORLD_SIZE", "1"))
    local = max(1, int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
    local_rank = int(os.environ.get("LOCAL_RANK", "0"))
    return Runtime(
        device=f"cuda:{local_rank}" if torch.cuda.is_available() else "cpu",
        threads=threads or max(1, available_threads() // local),
        rank=int(os.environ.get("RANK", "0")),
        world=world,
    )


def use(runtime: Runtime) -> None:
    """Make this process compute as `runtime` says, with repeatable algorithms."""
    import torch

    torch.set_num_threads(runtime.threads)
    torch.use_deterministic_algorithms(True)
    # Filling fresh memory with NaN, which comes with it, costs a fifth of a step.
    setattr(torch.utils.deterministic, "fill_uninitialized_memory", False)  # noqa: B010 (it has no stub)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # CUDA's condition for the line above


def processor_flags() -> set[str]:
    """Instruction sets that the processor reports (Linux; empty elsewhere)."""
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return set()
    for line in info.read_text().splitlines():
        if line.startswith("flags"):
            return set(line.partition(":")[2].split())
    return set()


def processor_name() -> str:
    """The processor's own name."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def has_dot_products() -> bool:
    """Whether 8-bit integers are multiplied and added exactly: all but older x86 processors do that."""
    flags = processor_flags()
    return "avx2" not in flags or bool(flags & {"avx512_vnni", "avx_vnni", "amx_int8"})


def machine() -> dict[str, Any]:
    """Processor, instruction sets that matter here, cores, memory and versions, for reports."""
    flags = processor_flags()
    wanted = {"amx_bf16": "AMX", "avx512f": "AVX-512", "avx512_bf16": "AVX-512 bf16", "avx512_vnni": "VNNI"}
    pages, page_bytes = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return {
        "processor": processor_name(),
        "instructions": [name for flag, name in wanted.items() if flag in flags],
        "cores": available_cores(),
        "memory_gib": round(pages * page_bytes / 2**30, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """Versions of the packages that results depend on."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found
