"""What each way of keeping activations saves and costs: memory and time of a step, and what is learned.

    python bench/activations.py [memory] [learning]

Each variant runs in a process of its own. `peak` is the growth of the largest resident memory over the first
step (getrusage), `held` what lives between the passes and `living` the most bytes of tensors at once, both
counted exactly (train/memory/live.py). glibc keeps freed blocks, in pieces between those in use; `mapped` is the
peak where it gives them back. Times are those of the processor (process_time), so that other work counts for
little; waiting for a disk does not count either. The optimizer is left out.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from typing import Any

import torch
from tables import print_head, print_row
from torch import Tensor, nn
from torch.nn import functional as F

from bessemer.model.gpt.network import GPT
from bessemer.model.layers import ghost_layers
from bessemer.model.resnet import ResNetConfig
from bessemer.model.state import Architecture
from bessemer.runtime import Runtime, use
from bessemer.train.memory.config import MemoryConfig
from bessemer.train.memory.int8 import signal_to_noise
from bessemer.train.memory.live import LiveBytes
from bessemer.train.memory.method import ActivationMemory
from bessemer.train.precision import autocast

MIB = 2**20
MAPPED = {"MALLOC_MMAP_THRESHOLD_": "262144"}  # glibc then gives large blocks back to the system at once
COLUMNS = ("held", "living", "peak", "mapped")
STEPS = 3  # timed
VARIANTS: dict[str, dict[str, Any]] = {
    "as PyTorch does": {},
    "4 micro-batches": {"accumulate": 4},
    "every block checkpointed": {"checkpoint_every": 1},
    "every second block checkpointed": {"checkpoint_every": 2},
    "8 bits": {"saved": "int8"},
    "on a disk": {"saved": "offload"},
    "means over 4 channels": {"pool_channels": 4},
    "every block checkpointed, inputs in 8 bits": {"checkpoint_every": 1, "saved": "int8"},
}
MODELS = {
    "gpt": "GPT of 11M weights, 16 windows of 256 tokens, bf16",
    "resnet": "parent of recipes/fashion_mnist.yaml, 256 images, bf16",
}
LEARNING = ("as PyTorch does", "8 bits", "means over 2 channels", "means over 4 channels")
LEARNING_STEPS, SEEDS = 200, (0, 1)


# --- one step ---------------------------------------------------------------------------------------------


def setting(kind: str) -> tuple[nn.Module, Tensor, Tensor]:
    """A fresh model in training mode, inputs and targets."""
    torch.manual_seed(0)
    if kind == "gpt":
        tokens = torch.randint(0, 1024, (16, 257))
        return GPT(1024, 384, 6, 6, 1536, 0.0, 256).train(), tokens[:, :-1], tokens[:, 1:]
    arguments = {"classes": 10, "mean": [0.3], "std": [0.3], **ResNetConfig().model_dump(exclude={"name"})}
    images = torch.randint(0, 256, (256, 28, 28, 1), dtype=torch.uint8)
    return Architecture("resnet", arguments).build().train(), images, torch.arange(256) % 10


def passes(model: nn.Module, inputs: Tensor, targets: Tensor, parts: int = 1) -> None:
    """Forward and backward of all micro-batches."""
    model.zero_grad()
    for some, goals in zip(inputs.chunk(parts), targets.chunk(parts), strict=True):
        (loss_of(model, some, goals) / parts).backward()
    for layer in ghost_layers(model):
        layer.pending.clear()


def loss_of(model: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy, of each token or image."""
    with autocast("bf16", "cpu"):
        outputs = model(inputs)
    return F.cross_entropy(outputs.flatten(0, -2).float(), targets.flatten())


def measure(kind: str, variant: str, memory_alone: bool = False) -> dict[str, float]:
    """Memory in MiB, milliseconds and the error of gradients in dB, in this process."""
    use(Runtime(threads=1))
    settings = dict(VARIANTS[variant])
    parts = settings.pop("accumulate", 1)
    model, inputs, targets = setting(kind)
    method = ActivationMemory(MemoryConfig(**settings))
    if settings:
        method.prepare(model)
    passes(model, inputs[:1], targets[:1])  # libraries set themselves up
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    passes(model, inputs, targets, parts)
    found = {"peak": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / MIB}
    if memory_alone:
        return found
    times = []
    for _ in range(STEPS):
        start = time.process_time()
        passes(model, inputs, targets, parts)
        times.append(time.process_time() - start)
    found["ms"] = 1e3 * statistics.median(times)
    with LiveBytes() as live:
        loss = loss_of(model, inputs[: len(inputs) // parts], targets[: len(targets) // parts])
        found["held"] = live.now / MIB
        loss.backward()
    found["living"] = live.peak / MIB
    passes(model, inputs, targets, parts)
    rounded = all_gradients(model)
    method.release()
    passes(model, inputs, targets)
    found["db"] = signal_to_noise(all_gradients(model), rounded)
    return found


def all_gradients(model: nn.Module) -> Tensor:
    """Every gradient, in one vector."""
    return torch.cat([weight.grad.flatten() for weight in model.parameters() if weight.grad is not None])


def bench_step_memory() -> None:
    """A table for each model."""
    memory = ("held, MiB", "living at most", "peak of the process", "peak, mapped")
    for kind, about in MODELS.items():
        print_head(f"activations: {about}", "kept", *memory, "processor, ms", "time", "gradients, dB")
        first = None
        for variant in VARIANTS:
            found = child("memory", kind, variant)
            found["mapped"] = child("mapped", kind, variant, **MAPPED)["peak"]
            first = first or found
            shown = [f"{found[name]:.0f} ({found[name] / first[name]:.2f})" for name in COLUMNS]
            decibels = "exact" if found["db"] == float("inf") else f"{found['db']:.0f}"
            print_row(variant, *shown, f"{found['ms']:.0f}", f"{found['ms'] / first['ms']:.2f}x", decibels)


# --- what is learned --------------------------------------------------------------------------------------


def learn(variant: str, seed: int) -> dict[str, float]:
    """Train a small GPT on the bytes of the standard library; nats a byte on files that it has not seen."""
    use(Runtime(threads=1))
    files = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    train, test = (
        torch.tensor(list(b"".join(one.read_bytes() for one in some))) for some in (files[:-20], files[-20:])
    )
    torch.manual_seed(seed)
    model = GPT(256, 128, 4, 4, 512, 0.0, 128).train()
    group = int(variant.split()[2]) if "means" in variant else 0
    method = ActivationMemory(MemoryConfig(saved="int8" if variant == "8 bits" else "exact", pool_channels=group))
    if method.config.changes_layers:
        method.prepare(model)
    optimizer = torch.optim.AdamW(model.parameters(), 2e-3)
    places = torch.arange(129)
    for step in range(LEARNING_STEPS):
        windows = train[torch.randint(0, len(train) - 129, (16, 1)) + places]
        for group_of in optimizer.param_groups:
            group_of["lr"] = 2e-3 * min(1, (step + 1) / 20, (LEARNING_STEPS - step) / (LEARNING_STEPS / 2))
        optimizer.zero_grad()
        loss_of(model, windows[:, :-1], windows[:, 1:]).backward()
        optimizer.step()
    windows = test[: 256 * 129].view(256, 129)
    with torch.no_grad():
        return {"loss": float(loss_of(model.eval(), windows[:, :-1], windows[:, 1:]))}


def bench_learning() -> None:
    """Held-out loss of the same small model with each approximation."""
    title = f"activations: bytes of the standard library, a GPT of 0.8M weights, {LEARNING_STEPS} steps"
    print_head(title, "activations", f"nats a byte, mean of {len(SEEDS)} seeds", "difference", "each seed")
    base = None
    for variant in LEARNING:
        found = [child("learning", variant, str(seed))["loss"] for seed in SEEDS]
        mean = statistics.mean(found)
        base = mean if base is None else base
        print_row(variant, f"{mean:.3f}", f"{mean - base:+.3f}", ", ".join(f"{one:.3f}" for one in found))


def child(*words: str, **variables: str) -> dict[str, float]:
    """A measurement in a fresh process."""
    command = [sys.executable, __file__, "--measure", *words]
    environment = {**os.environ, **variables}
    told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    return dict(json.loads(told.stdout))


def bench_activations() -> None:
    """Both."""
    bench_step_memory()
    bench_learning()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        what, one, other = sys.argv[2:]
        print(json.dumps(learn(one, int(other)) if what == "learning" else measure(one, other, what == "mapped")))
    else:
        for name in sys.argv[1:] or ("memory", "learning"):
            {"memory": bench_step_memory, "learning": bench_learning}[name]()
