"""Compression of a module that a caller hands over: what its steps may ask, and what comes of each candidate."""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from bessemer.api.evaluate import Judge
from bessemer.compress.config import DistillConfig
from bessemer.compress.distill import Distillation
from bessemer.compress.search import Candidate
from bessemer.compress.steps import Made, Plan, carry_out
from bessemer.data.dataset import Batches, Samples
from bessemer.data.given import inputs_of
from bessemer.draws import Stream, seed_for
from bessemer.errors import UsageError
from bessemer.export.measured import Quality, Timing, measured
from bessemer.export.onnx import export_onnx
from bessemer.export.session import OnnxModel
from bessemer.model.contract import set_packing, taps
from bessemer.model.state import Architecture
from bessemer.runtime import Progress, Runtime, available_threads, has_dot_products
from bessemer.task.given import objective_of
from bessemer.task.task import Task
from bessemer.train.config import TrainConfig
from bessemer.train.loop import fit

TIMING_SECONDS = 1.0
FILE = "model.onnx"


@dataclass(frozen=True)
class Option:
    """A candidate: its figures, its network on the processor, and the edits that make it of the parent."""

    figures: Candidate
    model: nn.Module
    edits: list[dict[str, Any]]


@dataclass
class Bench:
    """A parent and the samples that compression works with; files go to `folder`.

    `device` is where candidates are trained. All networks stand on the processor.
    """

    parent: nn.Module
    task: Task
    train: Samples
    example: Tensor
    device: str
    seed: int
    batch: int
    folder: Path
    keep: bool  # whether trainings leave what they need to go on
    progress: Progress
    made: dict[str, Made] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        export_onnx(self.parent, self.example, self.parent_file)

    @property
    def parent_file(self) -> Path:
        """The parent as fp32 ONNX."""
        return self.folder / "parent.onnx"

    def start(self) -> Made:
        """The parent, as steps take it; no builder makes it, but edits are counted from it."""
        kind = type(self.parent)
        return Made(Architecture(f"{kind.__module__}.{kind.__qualname__}", {}), self.parent)

    def obtain(self, plan: Plan) -> Made:
        """The network of a plan; those that others begin with are made once."""
        key = repr(plan.settings())
        if key not in self.made:
            base = self.obtain(plan.base) if plan.base else self.start()
            lab = ModuleLab(self, plan.curve, self.place(plan))
            self.made[key] = carry_out(plan.steps, base, lab)
        return self.made[key]

    def place(self, plan: Plan) -> Path:
        """The folder of a plan: numbered, since two candidates may have one name."""
        number = self.numbers.setdefault(repr(plan.settings()), len(self.numbers) + 1)
        return self.folder / f"{number}-{re.sub(r'[^a-z0-9.]+', '-', plan.name.lower())}"

    def measure(self, plan: Plan, network: nn.Module, judge: Judge, before: float) -> Candidate:
        """The figures of a candidate's file on samples of which the parent's file has the measure `before`."""
        threads, file = available_threads(), self.place(plan) / FILE
        quality = Quality(self.task.headline, before, judge.headline(OnnxModel(file, threads)))
        timing = Timing(self.batch, TIMING_SECONDS, threads)
        return measured(plan, network, file, self.parent_file, judge.samples.inputs, quality, timing)

    def option(self, plan: Plan, judge: Judge, before: float) -> Option:
        """A candidate, exported and measured."""
        made = self.obtain(plan)
        export_onnx(made.network, self.example, self.place(plan) / FILE)
        return Option(self.measure(plan, made.network, judge, before), made.network, made.architecture.edits)


@dataclass
class ModuleLab:
    """What steps may ask of a caller's module and samples (see bessemer.compress.steps.Lab)."""

    bench: Bench
    label: str
    work: Path
    trainings: int = 0

    def example(self) -> Tensor:
        """Two inputs, as the network takes them."""
        return self.bench.example

    def calibration(self, count: int) -> Tensor:
        """Training inputs that stand for all."""
        return inputs_of(self.bench.train, count)

    def has_dot_products(self) -> bool:
        """Whether this processor multiplies 8-bit integers exactly."""
        return has_dot_products()

    def simple(self) -> Made:
        raise UsageError("a module has no simple model beside it", "leave out the step `simple`")

    def train(self, made: Made, config: TrainConfig, distill: DistillConfig | None) -> Made:
        """A copy of the network after a training, under the parent where `distill` says how."""
        bench, student = self.bench, copy.deepcopy(made.network)
        set_packing(student, True)
        objective = objective_of(bench.task, bench.train, student)
        teacher = copy.deepcopy(bench.parent)
        teaching = Distillation(teacher, distill, taps(student), objective) if distill else None
        work = self.work / f"training-{self.trainings}" if bench.keep else None
        self.trainings += 1
        seed = seed_for(Stream.CANDIDATE, bench.seed) % 2**31
        fit(
            student,
            objective,
            Batches(bench.train, config.batch_size, seed),
            config,
            methods=[teaching] if teaching else [],
            seed=seed,
            runtime=Runtime(bench.device, torch.get_num_threads()),
            work=work,
            progress=bench.progress,
            label=f"{'distill' if distill else 'fine-tune'} {self.label}",
        )
        return Made(made.architecture, student.cpu())
