"""Compression of a module that a caller hands over: what its steps may ask, and what comes of each candidate."""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from bessemer.compress.config import DistillConfig
from bessemer.compress.distill import Distillation
from bessemer.compress.search import Candidate
from bessemer.compress.steps import Made, Plan, carry_out
from bessemer.data.dataset import Batches, Samples
from bessemer.data.given import inputs_of
from bessemer.draws import Stream, seed_for
from bessemer.export.measured import Quality, Timing, measured
from bessemer.export.onnx import export_onnx
from bessemer.export.session import OnnxModel
from bessemer.model.contract import set_packing, taps
from bessemer.model.state import Architecture
from bessemer.runtime import Progress, Runtime, available_threads, has_dot_products
from bessemer.task.given import first_outputs, given, objective_of
from bessemer.task.task import Task
from bessemer.train.config import TrainConfig
from bessemer.train.loop import fit

TIMING_SECONDS = 1.0


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

    @property
    def parent_file(self) -> Path:
        """The parent as fp32 ONNX, written when it is first asked for."""
        path = self.folder / "parent.onnx"
        if "parent" not in self.made:
            export_onnx(self.parent, self.example, path)
            self.made["parent"] = Made(Architecture(_named(self.parent), {}), self.parent)
        return path

    def quality(self, file: Path, samples: Samples) -> float:
        """The headline measure of a file."""
        dataset = given(samples, first_outputs(self.parent, samples))
        return self.task.value(self.task.records(OnnxModel(file, available_threads()), samples, dataset))

    def obtain(self, plan: Plan) -> Made:
        """The network of a plan; those that others begin with are made once."""
        key = repr(plan.settings())
        if key not in self.made:
            base = self.obtain(plan.base) if plan.base else self.made["parent"]
            lab = ModuleLab(self, plan.curve, self.folder / _plain(plan.curve))
            self.made[key] = carry_out(plan.steps, base, lab)
        return self.made[key]

    def file_of(self, plan: Plan) -> Path:
        """Where a candidate's file stands."""
        return self.folder / _plain(plan.name) / "model.onnx"

    def measure(self, plan: Plan, network: nn.Module, samples: Samples, before: float) -> Candidate:
        """The figures of a candidate's file on these samples, of which the parent's has the measure `before`."""
        file = self.file_of(plan)
        quality = Quality(self.task.headline, before, self.quality(file, samples))
        timing = Timing(self.batch, TIMING_SECONDS, available_threads())
        return measured(plan, network, file, self.parent_file, samples.inputs, quality, timing)

    def option(self, plan: Plan, samples: Samples, before: float) -> Option:
        """A candidate, exported and measured."""
        made = self.obtain(plan)
        export_onnx(made.network, self.example, self.file_of(plan))
        return Option(self.measure(plan, made.network, samples, before), made.network, made.architecture.edits)


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

    def train(self, made: Made, config: TrainConfig, distill: DistillConfig | None) -> Made:
        """A copy of the network after a training, under the parent where `distill` says how."""
        bench, student = self.bench, copy.deepcopy(made.network)
        set_packing(student, True)
        teaching = Distillation(copy.deepcopy(bench.parent), distill, taps(student)) if distill else None
        work = self.work / f"training-{self.trainings}" if bench.keep else None
        self.trainings += 1
        seed = seed_for(Stream.CANDIDATE, bench.seed) % 2**31
        fit(
            student,
            objective_of(bench.task, bench.train, student),
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


def _named(model: nn.Module) -> str:
    return f"{type(model).__module__}.{type(model).__qualname__}"


def _plain(name: str) -> str:
    """A candidate's name as that of a folder."""
    return re.sub(r"[^\w.]+", "-", name)
