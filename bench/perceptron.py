"""What bessemer's loop adds to a step that costs next to nothing: a perceptron, beside a plain torch loop.

    python bench/perceptron.py [TURNS]        by default 15

784-64-64-10, batches of 64 from arrays in memory, one thread, fp32. Each trains an epoch a turn, one after the
other. The plain loop shuffles with randperm; `plain, tuned` has the same fused optimizer and schedule as bessemer,
and looks at the loss of each step, as a loop must that shows it. A turn's time is that of an epoch over its steps;
the first turn warms up. Seconds of the clock are what one waits, and what other work disturbs; those of processors
count all threads.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from tables import print_head, print_row
from torch import nn
from torch.nn import functional as F

from bessemer.data.dataset import Batches, Samples
from bessemer.measure.benchmark import speedup
from bessemer.runtime import Runtime, machine
from bessemer.task.classify.objective import Classify
from bessemer.train.config import TrainConfig
from bessemer.train.loop import fit

BATCH, STEPS, RATE = 64, 400, 0.05
NUMBERS = np.random.default_rng(0)
X = NUMBERS.normal(size=(BATCH * STEPS, 784)).astype(np.float32)
Y = NUMBERS.integers(0, 10, BATCH * STEPS)
CONFIG = TrainConfig(
    epochs=1, batch_size=BATCH, optimizer={"learning_rate": RATE}, precision="fp32", compile=False
)


def network() -> nn.Module:
    """The perceptron of the second article."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))


def plain(fused: bool) -> None:
    """An epoch of a loop as in a tutorial; with `fused`, of one whose writer cared."""
    model, x, y = network(), torch.from_numpy(X), torch.from_numpy(Y)
    more = {"fused": True, "weight_decay": 5e-4} if fused else {}
    optimizer = torch.optim.SGD(model.parameters(), RATE, momentum=0.9, nesterov=True, **more)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS) if fused else None
    for places in torch.randperm(len(x)).split(BATCH):
        loss = F.cross_entropy(model(x[places]), y[places])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if schedule is not None:
            schedule.step()
            loss.item()


def bessemer() -> None:
    """An epoch of this project's loop, with all its checks, its clock and its learning curve."""
    samples = Samples(X, Y, np.arange(len(X), dtype=np.uint64))
    fit(network(), Classify(10), Batches(samples, BATCH, 0), CONFIG, runtime=Runtime())


def bench_perceptron(turns: int = 15) -> None:
    """Microseconds of a step of each loop, in turns, and ratios to the plain one."""
    torch.set_num_threads(1)
    loops: dict[str, Callable[[], None]] = {
        "plain": lambda: plain(fused=False),
        "plain, tuned": lambda: plain(fused=True),
        "bessemer": bessemer,
    }
    clock: dict[str, list[float]] = {name: [] for name in loops}
    processor: dict[str, list[float]] = {name: [] for name in loops}
    for turn in range(turns + 1):
        for name, run in loops.items():
            start, used = time.perf_counter(), time.process_time()
            run()
            if turn:
                clock[name].append(time.perf_counter() - start)
                processor[name].append(time.process_time() - used)
    about = f"{machine()['processor']}, one thread, {turns} turns of {STEPS} steps"
    columns = ("loop", "µs a step", "times plain (95%)", "of processors, µs", "times plain (95%)")
    print_head(f"perceptron: 784-64-64-10, batch {BATCH}; {about}", *columns)
    for name in loops:
        print_row(name, *cells(clock[name], clock["plain"]), *cells(processor[name], processor["plain"]))


def cells(taken: list[float], reference: list[float]) -> tuple[str, str]:
    """Microseconds of a step, and how many times those of the reference."""
    found = speedup(taken, reference)
    ratio = f"{found['value']:.2f} ({found['low']:.2f} to {found['high']:.2f})"
    return f"{1e6 * statistics.median(taken) / STEPS:.0f}", ratio


if __name__ == "__main__":
    bench_perceptron(*map(int, sys.argv[1:]))
