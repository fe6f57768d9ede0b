"""What people see of a training's pace, and what it cost in the end: time, waiting for data, memory.

None of this is training state: it goes to a file of its own beside the checkpoints, so that a run that was
killed counts all its attempts, and its weights and learning curve stay the bits of a run that nothing disturbed.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch

from bessemer.data.dataset import Batch
from bessemer.data.order import Order
from bessemer.runtime import Runtime

FILE = "cost.json"
RECENT = 30.0  # seconds after which a step counts a third in the rate
LOOK, KEEP = 0.5, 10.0  # seconds between looks at memory, and between writes of the file


class Clock:
    """Pace and cost of a training. With `work`, the main rank adds up all attempts in a file there.

    As a context manager it writes the file in the end, however the block ends.
    """

    def __init__(self, order: Order, runtime: Runtime, work: Path | None = None) -> None:
        self.order, self.runtime = order, runtime
        self.path = work / FILE if work is not None and runtime.is_main else None
        self.before = _read(self.path)
        self.began = self.first = self.asked = self.kept = time.monotonic()
        self.looked = -math.inf
        self.resumed: list[int] = []
        self.steps = 0  # of this attempt
        self.tokens = 0  # of a sample, where samples are windows of text
        self.waited = self.stepped = 0.0  # seconds for batches but the first, and for steps
        self.recent_samples = self.recent_seconds = 0.0
        self.peak = 0
        self.peak_at_start = _peak_resident()
        if runtime.kind == "cuda":
            torch.cuda.reset_peak_memory_stats(runtime.device)

    def __enter__(self) -> Clock:
        return self

    def __exit__(self, *_: object) -> None:
        self._keep()

    def watch(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """The same batches, the time until each comes being counted."""
        source, is_first = iter(batches), True
        if not self.steps:
            self.first = time.monotonic()
        while True:
            self.asked = time.monotonic()
            batch = next(source, None)
            if batch is None:
                return
            if not is_first:  # nobody could have made the first one beforehand
                self.waited += time.monotonic() - self.asked
            elif batch.step:
                self.resumed = [batch.step]
            is_first = False
            self.tokens = batch.targets.shape[1] if _is_text(batch) else 0
            yield batch

    def took(self, step: int) -> None:
        """A step was taken: number `step`, counted from 0."""
        now = time.monotonic()
        seconds = max(1e-9, now - self.asked)
        if self.steps == 1:  # the first one, which allocates and may compile, is not typical
            self.recent_samples = self.recent_seconds = 0.0
        fade = math.exp(-seconds / RECENT)
        self.recent_samples = fade * self.recent_samples + self.order.size(step)
        self.recent_seconds = fade * self.recent_seconds + seconds
        self.stepped += seconds
        self.steps += 1
        if now - self.looked > LOOK:
            self.looked = now
            self.peak = max(self.peak, self._memory())
        if now - self.kept > KEEP:
            self.kept = now
            self._keep()

    def line(self, step: int, steps: int, loss: float | None, floor: float = 0.0) -> str:
        """`loss 0.512 · 1,240 samples/s · 3 min left · 512 MB`, after `step` of `steps` steps.

        A loss that cannot fall to nothing stands beside its `floor`: `loss 0.512 (at least 0.500)`.
        """
        told = [f"loss {math.nan if loss is None else loss:.3f}{f' (at least {floor:.3f})' if floor else ''}"]
        if self.recent_seconds:
            rate = self.recent_samples / self.recent_seconds
            told.append(f"{rate * self.tokens:,.0f} tokens/s" if self.tokens else f"{rate:,.0f} samples/s")
            # Validations and checkpoints take their share of the time that is left, too.
            share = max(1.0, (time.monotonic() - self.first) / self.stepped) if self.steps > 1 else 1.0
            samples = self.order.offset(steps) - self.order.offset(step)
            told.append(f"{duration(share * samples / rate)} left")
        return " · ".join([*told, memory_size(self.peak)] if self.peak else told)

    def cost(self) -> dict[str, Any]:
        """What all attempts together took.

        `seconds`, the number of `attempts`, the steps at which they `resumed`, the `stall` (share of the time that
        training waited for data), and the peak `memory` in bytes: of the GPU, or of the (main) process.
        """
        sums = self._sums()
        stall = sums["waited"] / max(1e-9, sums["seconds"])
        return {**{key: sums[key] for key in ("seconds", "attempts", "resumed", "memory")}, "stall": stall}

    def _sums(self) -> dict[str, Any]:
        if not self.steps:
            return self.before
        if self.runtime.kind != "cuda" and (peak := _peak_resident()) > self.peak_at_start:
            self.peak = max(self.peak, peak)  # it came from this training, and is exact
        return {
            "seconds": self.before["seconds"] + time.monotonic() - self.began,
            "waited": self.before["waited"] + self.waited,
            "attempts": self.before["attempts"] + 1,
            "resumed": self.before["resumed"] + self.resumed,
            "memory": max(self.before["memory"], self.peak),
        }

    def _keep(self) -> None:
        if self.path is None or not self.steps:
            return
        temporary = self.path.with_suffix(".tmp")
        try:
            temporary.write_text(json.dumps(self._sums()), encoding="utf-8")
            temporary.replace(self.path)
        except OSError:
            return  # a full disk stops training where it costs training, not here

    def _memory(self) -> int:
        if self.runtime.kind == "cuda":
            return int(torch.cuda.max_memory_allocated(self.runtime.device))
        return resident()


def resident() -> int:
    """Bytes of memory that this process holds now; 0 where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


def duration(seconds: float) -> str:
    """`42 s`, `3 min` or `2 h 05 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


def memory_size(count: float) -> str:
    """`512 MB` or `3.25 GB`."""
    return f"{count / 1e6:,.0f} MB" if count < 999.5e6 else f"{count / 1e9:.2f} GB"


def _peak_resident() -> int:
    """The most bytes of memory that this process ever held; 0 where the system does not say."""
    try:
        import resource
    except ImportError:
        return 0
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _is_text(batch: Batch) -> bool:
    """Whether targets are tokens (B, T), not labels (B,) or shares of classes (B, K)."""
    return batch.targets.ndim == 2 and not batch.targets.is_floating_point()


def _read(path: Path | None) -> dict[str, Any]:
    """What earlier attempts took; where that cannot be read, they are not counted."""
    nothing: dict[str, Any] = {"seconds": 0.0, "waited": 0.0, "attempts": 0, "resumed": [], "memory": 0}
    try:
        found = json.loads(path.read_text(encoding="utf-8")) if path else {}
        return {key: type(value)(found[key]) for key, value in nothing.items()} if found else nothing
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return nothing
