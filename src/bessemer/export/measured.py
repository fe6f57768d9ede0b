"""What is measured on an exported file, in turns with its parent's: size, speed, and what became of quality."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bessemer.compress.search import Candidate
from bessemer.compress.simple import Simple
from bessemer.compress.steps import Plan
from bessemer.data.rows import Rows
from bessemer.measure.benchmark import interleave, speedup, summarize
from bessemer.report.units import Measure

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Timing:
    """How files are timed: at batch 1 and at `batch`, for so many seconds in all, with so many threads."""

    batch: int
    seconds: float
    threads: int


@dataclass(frozen=True)
class Quality:
    """The headline measure of the parent's file and of another, on the same samples."""

    measure: Measure
    before: float
    after: float
    lost: bool = False  # for sure: the interval of the difference says so


def measured(
    plan: Plan, network: nn.Module, file: Path, parent: Path, inputs: Rows, quality: Quality, timing: Timing
) -> Candidate:
    """A candidate's figures: `file` was made from `network`, and is timed on real `inputs`."""
    times = time_files({"parent": parent, "own": file}, inputs, timing)
    ratio = speedup(times[timing.batch]["parent"], times[timing.batch]["own"])
    return Candidate(
        **sizes(network, file, inputs),
        name=plan.name,
        curve=plan.curve,
        format=plan.form,
        steps=plan.settings(),
        quality=quality.after,
        parent_quality=quality.before,
        drop=-quality.measure.gain(quality.before, quality.after),
        shrink=parent.stat().st_size / file.stat().st_size,
        latency_ms={str(size): summarize(taken["own"])["median_ms"] for size, taken in times.items()},
        speedup=ratio["value"],
        speedup_low=ratio["low"],
        speedup_high=ratio["high"],
        beaten=quality.lost and any(step.technique == Simple.technique for step in plan.every),
    )


def sizes(network: nn.Module, file: Path, inputs: Rows) -> dict[str, int]:
    """Bytes of the exported file, parameters, and operations for one sample."""
    import torch

    from bessemer.model.measure import flops, parameters

    example = torch.from_numpy(inputs[:2])
    return {"bytes": file.stat().st_size, "parameters": parameters(network), "flops": flops(network, example)}


def time_files(files: Mapping[str, Path], inputs: Rows, timing: Timing) -> dict[int, dict[str, list[float]]]:
    """Seconds of all ONNX files in turns, on real samples, by batch size."""
    from bessemer.export.session import OnnxModel

    sessions: dict[str, Any] = {name: OnnxModel(path, timing.threads) for name, path in files.items()}
    result = {}
    for size in sorted({1, timing.batch}):
        some = inputs[np.arange(size) % len(inputs)]
        runners = {name: partial(session, some) for name, session in sessions.items()}
        result[size] = interleave(runners, timing.seconds / 2)
    return result
