"""What this machine has, and what will make work slow or fail on it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from bessemer.runtime import machine

LOW_DISK_GIB = 2.0
LOW_MEMORY_GIB = 4.0


def examine() -> dict[str, Any]:
    """Machine and versions, the precision probe, and advice."""
    import torch

    from bessemer.train.precision import choose_precision, probe

    about = machine()
    about["torch_threads"] = torch.get_num_threads()
    about["gpu"] = torch.cuda.get_device_name(0) if torch.cuda.is_available() else None
    about["disk_free_gib"] = round(shutil.disk_usage(Path.cwd()).free / 2**30, 1)
    about["training_probe_ms"] = {name: round(1e3 * taken, 2) for name, taken in probe("cpu").items()}
    about["precision"] = choose_precision("auto", "cuda" if about["gpu"] else "cpu")
    about["advice"] = advice(about)
    return about


def advice(about: dict[str, Any]) -> list[str]:
    """What to mind on such a machine; empty where all is well."""
    found = []
    missing = [name for name, version in about["versions"].items() if version == "not installed"]
    if missing:
        found.append(f"not installed: {', '.join(missing)}; install bessemer again with pip")
    if "VNNI" not in about["instructions"]:
        found.append("no 8-bit instructions (VNNI): int8 files may be slower than fp32; the contract measures it")
    if about["disk_free_gib"] < LOW_DISK_GIB:
        found.append(f"only {about['disk_free_gib']} GiB free on this disk; runs keep data and checkpoints")
    if about["memory_gib"] < LOW_MEMORY_GIB:
        found.append(f"only {about['memory_gib']} GiB of memory; use small batches, or train.accumulate")
    if about["torch_threads"] > about["cores"]:
        found.append(f"{about['torch_threads']} threads on {about['cores']} cores; unset OMP_NUM_THREADS")
    load = os.getloadavg()[0]
    if load > about["cores"] * 0.5:
        found.append(f"the machine is busy (load {load:.1f}); timings will be noisy")
    return found


def show(about: dict[str, Any]) -> str:
    """The same as text."""
    probe = ", ".join(f"{name} {taken} ms" for name, taken in about["training_probe_ms"].items())
    lines = [
        f"processor   {about['processor']}, {about['cores']} cores",
        f"speeds up   {', '.join(about['instructions']) or 'no instructions for bf16 or int8'}",
        f"gpu         {about['gpu'] or 'none'}",
        f"memory      {about['memory_gib']} GiB, disk {about['disk_free_gib']} GiB free",
        f"system      {about['system']}, Python {about['python']}",
        f"precision   auto takes {about['precision']} here (a training step of one layer: {probe})",
        "versions    " + ", ".join(f"{name} {version}" for name, version in about["versions"].items()),
    ]
    lines += [f"mind        {text}" for text in about["advice"]] or ["all well"]
    return "\n".join(lines)
