"""Tokens a second of one GPT under bessemer, a plain loop, Hugging Face's Trainer and Lightning, in turns.

    python bench/trainers.py [SECONDS [LOOP ...]]        of each turn, by default 20; by default all loops

The same 11 million parameters, the same tokens (the Python standard library's sources), 16 windows of 256 tokens a
step, AdamW, cosine. Each contender runs in a process of its own, five turns each, one after the other. A turn's
rate is that of its median step, without the first ones: neither start nor compilation counts. The best rate of a
matrix product is measured in the same run: no loop can take a step faster than its products.

Contenders that are not installed are said to be missing: pip install -e '.[trainers]'.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tables import print_head, print_row
from torch import Tensor, nn
from torch.nn import functional as F

from bessemer.model import attention

BLOCKS_UP_TO = attention.BLOCKS_UP_TO
BATCH, CONTEXT, VOCABULARY = 16, 256, 1024
WIDTH, LAYERS, HEADS = 384, 6, 6
RATE = 1e-3
TURNS, LEAST_STEPS, WARM = 5, 8, 3
STEPS = 4000  # of the run that a turn is the beginning of
Clock = Callable[[], bool]


class Steps:
    """Notes the end of each step; tells when the turn is over."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.ends: list[float] = []

    def end(self) -> bool:
        """A step has ended; whether that was the last one."""
        self.ends.append(time.perf_counter())
        timed = len(self.ends) - WARM
        return timed > LEAST_STEPS and self.ends[-1] - self.ends[WARM] > self.seconds

    def median(self) -> float:
        """Seconds of a step."""
        return statistics.median(np.diff(self.ends[WARM:]))


class Done(Exception):
    """Ends a turn from within somebody's loop."""


# --- what all share ------------------------------------------------------------------------------------


def tokens() -> Tensor:
    """Windows of tokens, int64 (N, CONTEXT + 1), of the standard library's top modules."""
    from tokenizers import ByteLevelBPETokenizer

    paths = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    texts = [path.read_text("utf-8", "replace") for path in paths]
    tokenizer = ByteLevelBPETokenizer()
    tokenizer.train_from_iterator(texts, VOCABULARY, show_progress=False)
    ids = np.concatenate([np.array(one.ids) for one in tokenizer.encode_batch(texts)])
    count = len(ids) // (CONTEXT + 1)
    return torch.from_numpy(ids[: count * (CONTEXT + 1)].reshape(count, -1)).to(torch.int64)


def gpt(kernel: bool, convolution: int = 0) -> nn.Module:
    """The model; with `kernel` its attention is torch's scaled_dot_product_attention, as anyone would write it."""
    from bessemer.model.gpt.network import GPT

    attention.BLOCKS_UP_TO = 0 if kernel else BLOCKS_UP_TO  # for all models of this process, until the next one
    torch.manual_seed(0)
    return GPT(VOCABULARY, WIDTH, LAYERS, HEADS, 4 * WIDTH, 0.0, CONTEXT, convolution)


class WithLoss(nn.Module):
    """The model as Trainer wants it: input_ids and labels to a loss."""

    def __init__(self) -> None:
        super().__init__()
        self.gpt = gpt(kernel=True)

    def forward(self, input_ids: Tensor, labels: Tensor) -> dict[str, Tensor]:
        logits = self.gpt(input_ids)
        return {"loss": F.cross_entropy(logits.float().flatten(0, 1), labels.flatten()), "logits": logits}


# --- contenders ----------------------------------------------------------------------------------------


def plain(steps: Steps, bf16: bool) -> None:
    """A loop as in a tutorial."""
    model, windows = gpt(kernel=True), tokens()
    optimizer = torch.optim.AdamW(model.parameters(), RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    loader = torch.utils.data.DataLoader(windows, BATCH, shuffle=True, drop_last=True)
    while True:
        for batch in loader:
            with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                loss = F.cross_entropy(model(batch[:, :-1]).flatten(0, 1).float(), batch[:, 1:].flatten())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            if steps.end():
                return


def trainer(steps: Steps, **flags: Any) -> None:
    """Hugging Face's Trainer."""
    from transformers import Trainer, TrainerCallback, TrainingArguments
    from transformers.utils import logging as hf_logging

    hf_logging.set_verbosity_error()

    class Watch(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if steps.end():
                raise Done

    rows = [{"input_ids": row[:-1], "labels": row[1:]} for row in tokens()]
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            folder,
            max_steps=STEPS,
            per_device_train_batch_size=BATCH,
            learning_rate=RATE,
            lr_scheduler_type="cosine",
            report_to=[],
            save_strategy="no",
            disable_tqdm=True,
            use_cpu=True,
            **flags,
        )
        with contextlib.suppress(Done):
            Trainer(WithLoss(), arguments, train_dataset=rows, callbacks=[Watch()]).train()


def lightning(steps: Steps, precision: str) -> None:
    """Lightning's Trainer."""
    import lightning

    for name in ("lightning", "lightning.pytorch"):
        logging.getLogger(name).setLevel(logging.ERROR)

    class Module(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.gpt = gpt(kernel=True)

        def training_step(self, batch: Tensor) -> Tensor:
            logits = self.gpt(batch[:, :-1])
            return F.cross_entropy(logits.float().flatten(0, 1), batch[:, 1:].flatten())

        def configure_optimizers(self) -> Any:
            optimizer = torch.optim.AdamW(self.parameters(), RATE)
            schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

        def on_train_batch_end(self, *_: Any) -> None:
            if steps.end():
                raise Done

    loader = torch.utils.data.DataLoader(tokens(), BATCH, shuffle=True, drop_last=True)
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    with contextlib.suppress(Done):
        lightning.Trainer(
            max_steps=STEPS, precision=precision, accelerator="cpu", enable_model_summary=False, **quiet
        ).fit(Module(), loader)


def bessemer(steps: Steps, **settings: Any) -> None:
    """The loop of this project, with all its checks, its clock and its learning curve."""
    from bessemer.data.dataset import Batches, Samples
    from bessemer.data.kind import as_they_are
    from bessemer.runtime import Progress, Runtime, use
    from bessemer.task.language.objective import Language
    from bessemer.train.config import TrainConfig
    from bessemer.train.loop import fit

    runtime = Runtime(threads=torch.get_num_threads())
    use(runtime)

    class Watch(Progress):
        def step(self, label: str, done: int, total: int, facts: str = "") -> None:
            if steps.end():
                raise Done

    windows = tokens().numpy()
    ids = np.random.default_rng(0).integers(0, 2**63, len(windows)).astype(np.uint64)
    samples = Samples(windows[:, :-1].astype(np.int32), windows[:, 1:].copy(), ids)
    batches = Batches(samples, BATCH, 0, as_they_are)
    config = TrainConfig(
        epochs=STEPS * BATCH / len(windows),
        batch_size=BATCH,
        optimizer={"name": "adamw", "learning_rate": RATE},
        **settings,
    )
    with contextlib.suppress(Done):
        fit(gpt(kernel=False), Language(), batches, config, runtime=runtime, progress=Watch())


CONTENDERS: dict[str, tuple[str, Callable[[Steps], None]]] = {
    "Trainer, its defaults": ("transformers", lambda steps: trainer(steps)),
    "Trainer, bf16": ("transformers", lambda steps: trainer(steps, bf16=True)),
    "Trainer, bf16, compiled": ("transformers", lambda steps: trainer(steps, bf16=True, torch_compile=True)),
    "Lightning, its defaults": ("lightning", lambda steps: lightning(steps, "32-true")),
    "Lightning, bf16-mixed": ("lightning", lambda steps: lightning(steps, "bf16-mixed")),
    "plain loop, fp32": ("torch", lambda steps: plain(steps, bf16=False)),
    "plain loop, bf16": ("torch", lambda steps: plain(steps, bf16=True)),
    "bessemer, not compiled": ("torch", lambda steps: bessemer(steps, compile=False)),
    "bessemer": ("torch", lambda steps: bessemer(steps)),
}


# --- the bench -----------------------------------------------------------------------------------------


def product_rate(dtype: torch.dtype) -> float:
    """Best multiply-adds a second, counted as two operations, of the model's own largest product."""
    rows, width = BATCH * CONTEXT, 4 * WIDTH
    left, right = torch.randn(rows, WIDTH).to(dtype), torch.randn(width, WIDTH).to(dtype)
    times = []
    for _ in range(20):
        start = time.perf_counter()
        F.linear(left, right)
        times.append(time.perf_counter() - start)
    return 2 * rows * WIDTH * width / min(times)


def limit() -> float:
    """Tokens a second if a step were nothing but its products, forward and back, at the best rate."""
    layer = 4 * WIDTH * WIDTH + 2 * WIDTH * 4 * WIDTH + WIDTH * (CONTEXT + 1)  # attention sees half the positions
    operations = 6 * (LAYERS * layer + WIDTH * VOCABULARY)
    return max(product_rate(torch.bfloat16), product_rate(torch.float32)) / operations


def middle(rates: list[float]) -> float:
    """The median turn: the best one depends on when the machine happened to be quiet."""
    return statistics.median(rates)


def missing(package: str) -> bool:
    """Whether a package is not installed."""
    try:
        version(package)
    except PackageNotFoundError:
        return True
    return False


def bench_trainers(seconds: float = 20.0, names: Sequence[str] = ()) -> None:
    """Contenders in turns."""
    if unknown := set(names) - set(CONTENDERS):
        sys.exit(f"no such loop: {', '.join(sorted(unknown))}; there are {', '.join(CONTENDERS)}")
    chosen = {name: CONTENDERS[name][0] for name in names or CONTENDERS}
    found: dict[str, list[float]] = {name: [] for name, package in chosen.items() if not missing(package)}
    limits = []
    for _ in range(TURNS):
        limits.append(limit())
        for name, rates in found.items():
            command = [sys.executable, __file__, "--turn", name, str(seconds)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                sys.exit(f"{name} failed:\n{done.stderr[-3000:]}")
            rates.append(json.loads(done.stdout.splitlines()[-1]))
    packages = {package for package, _ in CONTENDERS.values()}
    known = ", ".join(f"{name} {version(name)}" for name in sorted(packages) if not missing(name))
    title = f"trainers: a GPT of 11 million parameters, {BATCH} x {CONTEXT} tokens a step; {known}"
    print_head(title, "loop", f"tokens/s, median of {TURNS} turns", "bessemer, times as fast", "each turn")
    for name, package in chosen.items():
        if name not in found:
            print_row(name, f"not measured: {package} is not installed", "", "")
            continue
        each = ", ".join(f"{rate:,.0f}" for rate in found[name])
        times = f"{middle(found['bessemer']) / middle(found[name]):.2f}" if "bessemer" in found else ""
        print_row(name, f"{middle(found[name]):,.0f}", times, each)
    each = ", ".join(f"{rate:,.0f}" for rate in limits)
    share = (
        f"; bessemer reaches {middle(found['bessemer']) / max(limits):.0%} of it" if "bessemer" in found else ""
    )
    print(f"\nThe limit set by matrix products is {max(limits):,.0f} tokens/s (best of {each}){share}.")


def turn(name: str, seconds: float) -> None:
    """One turn of one contender, in this process; prints its tokens a second."""
    logging.disable(logging.WARNING)
    steps = Steps(seconds)
    with open(os.devnull, "w", encoding="utf-8") as nowhere, contextlib.redirect_stdout(nowhere):
        CONTENDERS[name][1](steps)
    print(json.dumps(BATCH * CONTEXT / steps.median()))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--turn"]:
        turn(sys.argv[2], float(sys.argv[3]))
    else:
        bench_trainers(float(sys.argv[1]) if sys.argv[1:] else 20.0, sys.argv[2:])
