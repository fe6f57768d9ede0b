"""As many micro-batches as it takes for a step to fit into memory, by the peak of two small trials.

A step's peak is a line: a fixed part, and one that grows with the samples of a micro-batch. Both come from
forward and backward passes of the real model on its own last batch, which is the largest where batches or images
grow. On a GPU the allocator tells the peak. On a processor the bytes of living tensors are counted, which is
exact and repeatable but for buffers inside kernels; the share of the memory that `auto` leaves free is for
those. The choice moves the last bits of results, so it is recorded and not taken again on resume.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import nn

from bessemer.artifact import Decisions
from bessemer.data.dataset import Batch, Batches
from bessemer.errors import UsageError
from bessemer.parallel.agree import from_main
from bessemer.runtime import Progress
from bessemer.train.config import TrainConfig
from bessemer.train.execution import FILE
from bessemer.train.memory.live import LiveBytes
from bessemer.train.step import Training, changed, forward, micro_batches

GIB = 2**30
SHARE = 0.8  # of the memory; the rest is for kernels' buffers and for what others may take
STATE = 3  # gradients and at most two numbers of an optimizer beside each trained weight


@dataclass(frozen=True)
class Need:
    """Bytes of a step: `fixed`, and for each sample of a micro-batch."""

    fixed: float
    per_sample: float

    def peak(self, samples: int) -> float:
        """Bytes at once with so many samples in a micro-batch."""
        return self.fixed + self.per_sample * samples


def choose_accumulate(need: Need, batch: int, parts: Iterable[int], limit: float) -> int:
    """The fewest micro-batches of those that are possible with which a step stays within `limit` bytes.

    `batch` is the number of samples that one process takes. Raises UsageError where even the most are too few.
    """
    every = sorted(parts)
    for count in every:
        if need.peak(batch // count) <= limit:
            return count
    least = batch // every[-1]
    problem = (
        f"a step takes {need.peak(least) / GIB:.2f} GiB with {least} samples at once, "
        f"and train.memory.limit_gib leaves {limit / GIB:.2f}"
    )
    remedy = (
        "set train.memory.checkpoint_every to 1, lower train.ghost_batch (samples come in such groups), or raise"
    )
    raise UsageError(problem, f"{remedy} the limit")


def possible_parts(config: TrainConfig, processes: int) -> list[int]:
    """Numbers of micro-batches, from `accumulate` on, of which each gets whole groups of samples."""
    first = config.batch_size // config.growth
    most = max(config.accumulate, first // (processes * config.block))
    whole = [n for n in range(config.accumulate, most + 1) if first % (n * processes * config.block) == 0]
    return [config.accumulate, *(n for n in whole if n > config.accumulate)]


def line_through(measured: dict[int, int]) -> Need:
    """The line through the peaks, in bytes, of one or two numbers of samples."""
    (few, low), *more = sorted(measured.items())
    if not more:
        return Need(0, low / few)
    many, high = more[0]
    slope = max(0.0, (high - low) / (many - few))
    return Need(max(0.0, low - slope * few), slope)


def peak_bytes(trial: Callable[[], object], device: str) -> int:
    """Bytes that `trial()` has at once beyond those that were there before it."""
    if device == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        trial()
        return int(torch.cuda.max_memory_allocated() - before)
    with LiveBytes() as live:
        trial()
    return int(live.peak)


def available_bytes(device: str, processes: int) -> int:
    """Memory that one of the processes of this machine may still take."""
    if device == "cuda":
        return int(torch.cuda.mem_get_info()[0])
    found = [_kibibytes(Path("/proc/meminfo"), "MemAvailable")]
    for now, most in (("memory.current", "memory.max"), ("memory.usage_in_bytes", "memory.limit_in_bytes")):
        for folder in (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/memory")):  # a container's own limit
            if (folder / most).exists() and (text := (folder / most).read_text().strip()).isdigit():
                found.append(int(text) - int((folder / now).read_text()))
    return min(one for one in found if one > 0) // processes


def used_bytes(device: str) -> int:
    """Memory that this process has now."""
    return torch.cuda.memory_allocated() if device == "cuda" else _kibibytes(Path("/proc/self/status"), "VmRSS")


def _kibibytes(file: Path, name: str) -> int:
    """A figure of the Linux kernel, in bytes; half of the machine's memory elsewhere."""
    if file.exists() and (found := re.search(rf"^{name}:\s+(\d+) kB", file.read_text(), re.MULTILINE)):
        return 1024 * int(found[1])
    return int(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2)


def limit_memory(training: Training, batches: Batches, work: Path | None, progress: Progress) -> None:
    """Set `accumulate` of a training so that a step fits; recorded in the work folder."""
    if training.config.memory.limit_gib is None:
        return
    runtime, chosen = training.runtime, 0
    if runtime.is_main:

        def choose() -> int:
            return _measured_choice(training, batches, progress)

        if work is not None:
            work.mkdir(parents=True, exist_ok=True)
        chosen = Decisions(work / FILE).take("accumulate", choose) if work is not None else choose()
    chosen = from_main(chosen, runtime)
    training.config = training.config.model_copy(update={"accumulate": chosen})


def _measured_choice(training: Training, batches: Batches, progress: Progress) -> int:
    config, runtime = training.config, training.runtime
    parts = possible_parts(config, runtime.world)
    last = changed(training, batches.batch(training.steps - 1, runtime.rank, runtime.world).to(runtime.device))
    need = measure_need(training, last, parts)
    limit = _limit(config.memory.limit_gib, runtime.kind, runtime.world)
    chosen = choose_accumulate(need, config.batch_size // runtime.world, parts, limit)
    if chosen > config.accumulate:
        progress.note(f"{chosen} micro-batches a step, so that it takes less than {limit / GIB:.1f} GiB more")
    return chosen


def _limit(limit_gib: float | str | None, device: str, processes: int) -> float:
    """Bytes that a step may take beyond what is there now."""
    if isinstance(limit_gib, float):
        return limit_gib * GIB - used_bytes(device)
    return SHARE * available_bytes(device, processes)


def measure_need(training: Training, batch: Batch, parts: list[int]) -> Need:
    """What steps on parts of a rank's batch need, by trials of the smallest two parts."""
    measured = {}
    for count in parts[-2:]:
        part = next(micro_batches(batch, count))[0]
        measured[len(part.inputs)] = peak_bytes(partial(_pass, training, part), training.runtime.kind)
    need = line_through(measured)
    return Need(need.fixed + STATE * _trained_bytes(training.model), need.per_sample)


def _pass(training: Training, part: Batch) -> None:
    """Forward and backward, without a trace: the gradients are dropped."""
    training.optimizer.zero_grad()
    forward(training, part).backward()  # type: ignore[no-untyped-call]
    training.optimizer.zero_grad()


def _trained_bytes(model: nn.Module) -> int:
    return sum(weight.nbytes for weight in model.parameters() if weight.requires_grad)
