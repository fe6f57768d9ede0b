"""One candidate of compression: its steps carried out, its file written and measured against the parent's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bessemer.artifact import Artifact
from bessemer.compress.config import ContractConfig, DistillConfig
from bessemer.compress.search import Candidate
from bessemer.compress.steps import Made, Plan, carry_out
from bessemer.config import keyed
from bessemer.draws import Stream, seed_for
from bessemer.errors import UsageError
from bessemer.export.measured import Quality, Timing, measured
from bessemer.runtime import has_dot_products
from bessemer.stages.context import Context, save_records
from bessemer.stages.evaluate import Baseline, Evaluated
from bessemer.stages.train import HISTORY, MODEL, Trained, parent_of, train_model
from bessemer.train.config import TrainConfig

if TYPE_CHECKING:
    from torch import Tensor


TIMING_SECONDS = 1.0
FILE, MEASURED, RECORDS = "model.onnx", "measured.json", "validation.npz"


class Tried:
    """What a candidate leaves: its model, its file, and what was measured on it."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / FILE
        self.model = folder / MODEL
        self._folder = folder

    @property
    def candidate(self) -> Candidate:
        """Its figures."""
        return Candidate(**json.loads((self._folder / MEASURED).read_text(encoding="utf-8")))

    @property
    def history(self) -> list[dict[str, Any]]:
        """The learning curve of its own training; empty where it has none."""
        return Trained(self._folder).history


@dataclass
class RunLab:
    """What steps may ask of a run. Each training has a work folder of its own, so that it goes on after a kill."""

    context: Context
    label: str
    curve: str | None
    work: Path
    history: list[dict[str, Any]] = field(default_factory=list)
    trainings: int = 0

    def example(self) -> Tensor:
        """Two training inputs."""
        import torch

        return torch.from_numpy(self._samples().inputs[:2])

    def calibration(self, count: int) -> Tensor:
        """Training inputs that stand for all."""
        import torch

        samples = self._samples()
        some = self.context.task.some(samples, count, self.context.recipe.seed)
        return torch.from_numpy(samples.inputs[some])

    def has_dot_products(self) -> bool:
        """Whether this processor multiplies 8-bit integers exactly; decided once for the whole run."""
        return bool(self.context.decisions.take("int8 dot products", has_dot_products))

    def simple(self) -> Made:
        """The simple model that stands beside the networks, where there is one that can ship."""
        from bessemer.model.state import load_model, read_architecture

        folder = Baseline(self.context).network
        if folder is None:
            raise UsageError("there is no simple model that can ship", "leave out the step `simple`")
        return Made(read_architecture(folder), load_model(folder))

    def train(self, made: Made, config: TrainConfig, distill: DistillConfig | None) -> Made:
        """The network after a training, under the parent where `distill` says how."""
        from bessemer.model.state import load_model, read_architecture

        work = self.work / f"training-{self.trainings}"
        self.trainings += 1
        result = train_model(
            self.context,
            made.architecture,
            made.network,
            config,
            f"{'distill' if distill else 'fine-tune'} {self.label}",
            self.curve,
            seed_for(Stream.CANDIDATE, self.context.recipe.seed) % 2**31,
            parent_of(self.context.inputs).model if distill else None,
            distill,
            work,
        )
        self.history += Trained(result).history
        return Made(read_architecture(result / MODEL), load_model(result / MODEL))

    def _samples(self) -> Any:
        from bessemer.model.state import load_model

        network = load_model(parent_of(self.context.inputs).model)
        return self.context.task.samples(self.context.dataset(), "train", network)


def obtain(context: Context, plan: Plan, contract: ContractConfig) -> tuple[Artifact, bool]:
    """A candidate's artifact, and whether it was there before; those it begins with are made first.

    It does not depend on the contract's terms, so changing these trains nothing again.
    """
    base = obtain(context, plan.base, contract)[0] if plan.base else None

    def make(out: Path, work: Path) -> None:
        make_candidate(replace(context, out=out, work=work), plan, base, contract.batch)

    settings = {
        "names": context.recipe.names(),
        "steps": plan.settings(),
        "batch": contract.batch,
        "parent_file": Evaluated(context.inputs).file_digest,
        "augment": keyed(context.recipe.augment),
        "seed": context.recipe.seed,
    }
    inputs = {name: context.inputs[name] for name in ("prepare", "train")}
    return context.cache.obtain("candidate", settings, make, inputs | ({"base": base} if base else {}))


def make_candidate(context: Context, plan: Plan, base: Artifact | None, batch: int) -> None:
    """Carry out the steps, then export and measure."""
    from bessemer.export.onnx import export_onnx
    from bessemer.model.state import load_model, save_model

    lab = RunLab(context, plan.curve, plan.curve, context.work)
    made = carry_out(plan.steps, begun(context, base), lab)
    (context.out / HISTORY).write_text(json.dumps(lab.history), encoding="utf-8")
    tried = Tried(context.out)
    save_model(tried.model, made.architecture, made.network)
    parent = load_model(parent_of(context.inputs).model)
    export_onnx(made.network, lab.example(), tried.file, context.metadata(parent))
    row = context.own_decisions().take("measured", lambda: measure(context, plan, made, tried, batch))
    (context.out / MEASURED).write_text(json.dumps(row, indent=1), encoding="utf-8")


def begun(context: Context, base: Artifact | None) -> Made:
    """What the steps begin with: another candidate's network, or the parent's."""
    from bessemer.model.state import load_model, read_architecture

    folder = Tried(base.path).model if base else parent_of(context.inputs).model
    return Made(read_architecture(folder), load_model(folder))


def measure(context: Context, plan: Plan, made: Made, tried: Tried, batch: int) -> dict[str, Any]:
    """Quality on the validation split, size and speed of the file, in turns with the parent's."""
    from bessemer.export.session import OnnxModel
    from bessemer.model.state import load_model

    task, dataset, parent = context.task, context.dataset(), Evaluated(context.inputs)
    samples = task.samples(dataset, "validation", load_model(parent_of(context.inputs).model))
    threads = context.runtime.threads
    records = task.records(OnnxModel(tried.file, threads), samples, dataset)
    save_records(records, context.out / RECORDS)
    before = parent.records("validation")
    _, _, high = task.difference(before, records, context.recipe.seed)
    lost = high is not None and high < 0
    quality = Quality(task.headline, task.value(before), task.value(records), lost)
    timing = Timing(batch, TIMING_SECONDS, threads)
    return measured(plan, made.network, tried.file, parent.file, samples.inputs, quality, timing).as_dict()


def told_trainings(artifact: Artifact) -> Mapping[str, Any]:
    """What the trainings of a candidate took, by the names of their curves."""
    told: Mapping[str, Any] = artifact.manifest.get("training", {})
    return told
