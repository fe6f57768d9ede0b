"""Time to a given quality of a GPT on the Python library's sources: bessemer against a tuned AdamW + cosine loop.

    python bench/quality_gpt.py [SEED ...]        by default seed 0
    python bench/quality_gpt.py tune [RATE ...]   of the loop, by default RATES

The loop is PyTorch as in a tutorial, with bf16 autocast; its learning rate is the best of RATES on the same
held-out files (`tune`). bessemer takes the settings below for fewer steps: with the same network, which starts
from the same weights, and with one that has short convolutions besides. Seconds are of training, compilation
included, validation left out; all see windows of the same files.
"""

from __future__ import annotations

import hashlib
import math
import os
import sys
import sysconfig
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tables import print_head, print_row
from torch import nn
from torch.nn import functional as F
from trainers import CONTEXT, VOCABULARY, gpt

from bessemer.data.dataset import Batches, Samples
from bessemer.data.kind import as_they_are
from bessemer.runtime import Progress, Runtime, available_threads, use
from bessemer.task.language.objective import Language
from bessemer.train.config import TrainConfig
from bessemer.train.loop import fit

HELD_OUT = 20  # one file of so many
WINDOWS = 256  # held-out windows that are scored
BATCH, STEPS = 16, 400
RATES = (5e-4, 1e-3, 2e-3, 4e-3)
RATE = 1e-3
OURS: dict[str, Any] = {
    "optimizer": {"name": "muon", "learning_rate": 0.02, "momentum": 0.9, "adamw_rate": 0.016},
    "schedule": {"name": "linear", "warmup": 0.05},
    "clip": 1.0,
}
NETWORKS = {
    "bessemer, the same network": (0, 230),
    "bessemer, with short convolutions": (4, 145),
}  # positions, steps


@dataclass(frozen=True)
class Text:
    """Windows of tokens (N, CONTEXT + 1) to train on and to score, and the bytes behind the scored tokens."""

    train: np.ndarray[Any, np.dtype[np.int64]]
    held_out: np.ndarray[Any, np.dtype[np.int64]]
    held_out_bytes: int


class Tell(Progress):
    """Notes go to standard error."""

    def note(self, text: str) -> None:
        sys.stderr.write(text + "\n")


def read() -> Text:
    """The library's sources, split by file."""
    from tokenizers import ByteLevelBPETokenizer

    library = Path(sysconfig.get_path("stdlib"))
    paths = [path for path in library.rglob("*.py") if "site-packages" not in path.parts]
    texts: dict[bool, list[str]] = {False: [], True: []}
    for path in sorted(paths):
        text = path.read_bytes().decode("utf-8", "ignore")
        texts[int(hashlib.sha256(text.encode()).hexdigest(), 16) % HELD_OUT == 0].append(text)
    tokenizer = ByteLevelBPETokenizer()
    tokenizer.train_from_iterator(texts[False], VOCABULARY, show_progress=False)

    def windows(some: list[str]) -> Any:
        ids = np.concatenate([np.array(one.ids, np.int64) for one in tokenizer.encode_batch(some)])
        count = len(ids) // (CONTEXT + 1)
        return ids[: count * (CONTEXT + 1)].reshape(count, -1)

    held_out = windows(texts[True])
    held_out = held_out[np.linspace(0, len(held_out) - 1, WINDOWS).astype(int)]
    spoken = [len(tokenizer.decode(row[1:].tolist(), skip_special_tokens=False).encode()) for row in held_out]
    return Text(windows(texts[False]), held_out, sum(spoken))


@torch.no_grad()
def bits_per_byte(model: nn.Module, text: Text) -> float:
    """Of the held-out windows."""
    nats = 0.0
    model.eval()
    for rows in torch.from_numpy(text.held_out).split(16):
        logits = model(rows[:, :-1]).float()
        nats += float(F.cross_entropy(logits.flatten(0, 1), rows[:, 1:].flatten(), reduction="sum"))
    return nats / math.log(2) / text.held_out_bytes


def plain(rate: float, seed: int) -> tuple[float, float]:
    """A loop as in a tutorial: seconds, and bits per byte at the end."""
    use(Runtime(threads=available_threads()))
    text = read()
    model, windows = gpt(kernel=True), torch.from_numpy(text.train)
    groups = [
        {"params": [p for p in model.parameters() if p.ndim > 1], "weight_decay": 0.1},
        {"params": [p for p in model.parameters() if p.ndim <= 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, rate, betas=(0.9, 0.95), fused=True)
    warm = STEPS // 20
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: (
            (step + 1) / warm if step < warm else 0.5 + 0.5 * math.cos(math.pi * (step - warm) / (STEPS - warm))
        ),
    )
    generator = torch.Generator().manual_seed(seed)
    start, step = time.perf_counter(), 0
    while step < STEPS:
        for batch in windows[torch.randperm(len(windows), generator=generator)].split(BATCH):
            if step == STEPS:
                break
            with torch.autocast("cpu", torch.bfloat16):
                loss = F.cross_entropy(model(batch[:, :-1]).flatten(0, 1).float(), batch[:, 1:].flatten())
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            step += 1
    return time.perf_counter() - start, bits_per_byte(model, text)


def ours(seed: int, convolution: int, steps: int) -> tuple[float, float]:
    """bessemer's loop: seconds, and bits per byte at the end."""
    runtime = Runtime(threads=available_threads())
    use(runtime)
    text = read()
    ids = np.random.default_rng(seed).integers(0, 2**63, len(text.train)).astype(np.uint64)
    samples = Samples(text.train[:, :-1].astype(np.int32), text.train[:, 1:].copy(), ids)
    config = TrainConfig(epochs=steps * BATCH / len(samples), compile=True, batch_size=BATCH, **OURS)
    model, batches = gpt(kernel=False, convolution=convolution), Batches(samples, BATCH, seed, as_they_are)
    os.environ["TORCHINDUCTOR_FORCE_DISABLE_CACHES"] = "1"  # compiling counts, as in a first run
    start = time.perf_counter()
    fit(model, Language(), batches, config, seed=seed, runtime=runtime, progress=Tell())
    return time.perf_counter() - start, bits_per_byte(model, text)


def alone(trial: Callable[..., tuple[float, float]], *arguments: Any) -> tuple[float, float]:
    """The trial in a process of its own, so that no contender finds the compiler or memory warm."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(trial, *arguments).result()


def tune(rates: tuple[float, ...]) -> None:
    """The plain loop with each learning rate."""
    print_head(f"AdamW + cosine, {STEPS} steps of {BATCH} x {CONTEXT} tokens", "learning rate", "bits per byte")
    for rate in rates:
        print_row(f"{rate:g}", f"{alone(plain, rate, 0)[1]:.4f}")


def bench_quality_gpt(seeds: tuple[int, ...] = (0,)) -> None:
    """All, in turns, with each seed."""
    print_head(
        f"time to quality: GPT on Python sources, {BATCH} x {CONTEXT} tokens a step, {WINDOWS} held-out windows",
        *("loop", "seed", "steps", "training", "bits per byte", "share of the time"),
    )
    for seed in seeds:
        whole, bits = alone(plain, RATE, seed)
        print_row("AdamW + cosine", str(seed), str(STEPS), f"{whole:.0f} s", f"{bits:.4f}", "100%")
        for name, (convolution, steps) in NETWORKS.items():
            seconds, bits = alone(ours, seed, convolution, steps)
            share = f"{seconds / whole:.0%}"
            print_row(name, str(seed), str(steps), f"{seconds:.0f} s", f"{bits:.4f}", share)


if __name__ == "__main__":
    if sys.argv[1:2] == ["tune"]:
        tune(tuple(float(one) for one in sys.argv[2:]) or RATES)
    else:
        bench_quality_gpt(tuple(int(one) for one in sys.argv[1:]) or (0,))
