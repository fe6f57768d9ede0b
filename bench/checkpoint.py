"""What a checkpoint costs training: a GPT of 11M weights with AdamW, its state 132 MB.

    python bench/run.py checkpoint

Steps with nothing beside them, with a save in a thread beside them, and with a save that is waited for, in turns.
A save costs what its steps took longer than as many plain ones: on the clock, which other work on the machine
disturbs, and in time of processors, which bounds it where all cores are busy. Its share is of the interval that
recipes have.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import torch
from tables import print_head, print_row
from torch.nn import functional as F

from bessemer.model.gpt.network import GPT
from bessemer.runtime import SILENT, available_threads
from bessemer.train.checkpoint import TrainState, save_checkpoint
from bessemer.train.config import TrainConfig
from bessemer.train.saver import Saver

STEPS, TURNS, WINDOWS = 4, 5, 4
SECONDS = TrainConfig().checkpoint_seconds


class Training:
    """A model, its optimizer, and how many steps were taken."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.model = GPT(1024, 384, 6, 6, 1536, 0.0, 256)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), 1e-3)
        self.tokens = torch.randint(0, 1024, (WINDOWS, 257))
        self.steps = 0

    def step(self) -> None:
        """Forward, backward, optimizer."""
        logits = self.model(self.tokens[:, :-1])
        self.optimizer.zero_grad()
        F.cross_entropy(logits.flatten(0, 1), self.tokens[:, 1:].flatten()).backward()
        self.optimizer.step()
        self.steps += 1

    def state(self) -> TrainState:
        """What a checkpoint holds."""
        return TrainState(self.steps, self.model.state_dict(), self.optimizer.state_dict())


def bench_checkpoint() -> None:
    """Seconds that a save costs, in turns with plain steps."""
    torch.set_num_threads(available_threads())
    training, turns = Training(), list[list[Moment]]()
    with tempfile.TemporaryDirectory() as folder, Saver(Path(folder), SECONDS, SILENT) as saver:
        for _ in range(TURNS + 1):
            turns.append(one_turn(training, saver, Path(folder) / "waited"))
    del turns[0]  # it warms up
    plain, beside, copy, waited = [
        Moment(*map(statistics.median, zip(*kind, strict=True))) for kind in zip(*turns, strict=True)
    ]
    steps = f"{STEPS} steps of {1e3 * plain.clock / STEPS:.0f} ms, {torch.get_num_threads()} thread(s)"
    columns = (
        "variant",
        "training waits, ms",
        "a save costs, ms",
        "of processors, ms",
        f"share of {SECONDS:.0f} s",
    )
    print_head(f"checkpoint: GPT of 11M weights, {steps}", *columns)
    for name, waits, cost in (("in a thread", copy, beside - plain), ("waited for", waited, waited)):
        times = [f"{1e3 * seconds:.0f}" for seconds in (waits.clock, cost.clock, cost.processor)]
        print_row(name, *times, f"{cost.processor / SECONDS:.2%}")


class Moment(NamedTuple):
    """Seconds of the clock, and of processors in all threads."""

    clock: float
    processor: float

    def __sub__(self, other: Moment) -> Moment:
        return Moment(self.clock - other.clock, self.processor - other.processor)


def now() -> Moment:
    """This moment."""
    return Moment(time.perf_counter(), time.process_time())


def one_turn(training: Training, saver: Saver, folder: Path) -> list[Moment]:
    """Durations: plain steps, as many with a save beside them, the copy for it, and a save that is waited for."""
    marks = [now()]
    for _ in range(STEPS):
        training.step()
    marks.append(now())
    saver.save(training.state())
    marks.append(now())
    for _ in range(STEPS):
        training.step()
    saver.wait()
    marks.append(now())
    save_checkpoint(folder, training.state())
    marks.append(now())
    return [marks[1] - marks[0], marks[3] - marks[1], marks[2] - marks[1], marks[4] - marks[3]]


if __name__ == "__main__":
    bench_checkpoint()
