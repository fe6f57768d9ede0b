"""A parent model from the training split; the same training also serves the candidates of compression."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bessemer.artifact import Artifact, Decisions, commit, copy_into
from bessemer.compress.config import DistillConfig
from bessemer.config import keyed
from bessemer.draws import Stream, seed_for
from bessemer.recipe import Recipe
from bessemer.report.training import waited_much
from bessemer.runtime import Progress
from bessemer.stages import prepare
from bessemer.stages.context import Context
from bessemer.stages.stage import Stage
from bessemer.train.config import TrainConfig

if TYPE_CHECKING:
    from torch import nn

    from bessemer.model.state import Architecture


PARENT = "parent"  # the name of its curve
MODEL, HISTORY = "model", "history.json"


class Trained:
    """What a training leaves: a model's folder, and its learning curve."""

    def __init__(self, folder: Path) -> None:
        self.model = folder / MODEL
        self._history = folder / HISTORY

    @property
    def history(self) -> list[dict[str, Any]]:
        """Points of the learning curve."""
        found: list[dict[str, Any]] = json.loads(self._history.read_text(encoding="utf-8"))
        return found


def parent_of(inputs: Mapping[str, Artifact]) -> Trained:
    """The parent, from the artifacts of a run."""
    return Trained(inputs["train"].path)


def settings(recipe: Recipe) -> dict[str, Any]:
    """All that a training of the parent depends on, but its data."""
    parts = {"model": keyed(recipe.model), "train": keyed(recipe.train), "augment": keyed(recipe.augment)}
    return {"names": recipe.names(), "seed": recipe.seed, **parts}


def body(context: Context) -> None:
    """Build a network from the recipe, train it, keep its weights and learning curve."""
    from bessemer.jobs import CHECKPOINTS
    from bessemer.train.execution import FILE as EXECUTION

    result = train_parent(context, "train", PARENT)
    copy_into(result, context.out)
    execution = Decisions(context.work / CHECKPOINTS / EXECUTION).values
    decisions = {**context.decisions.values, **execution}
    context.write_facts({"curves": {PARENT: Trained(result).history}, "decisions": decisions})


STAGE = Stage("train", (prepare.STAGE,), settings, body)


def train_parent(context: Context, label: str, curve: str | None) -> Path:
    """Train a network as the recipe says; returns the folder of the result."""
    import torch

    from bessemer.model.state import Architecture

    recipe, about = context.recipe, context.dataset().about
    arguments = {**context.task.head_arguments(about), **about["arguments"]}
    architecture = Architecture(recipe.model.name, {**arguments, **recipe.model.model_dump(exclude={"name"})})
    torch.manual_seed(seed_for(Stream.WEIGHTS, recipe.seed))
    return train_model(context, architecture, architecture.build(), recipe.train, label, curve, recipe.seed)


def train_model(
    context: Context,
    architecture: Architecture,
    network: nn.Module,
    config: TrainConfig,
    label: str,
    curve: str | None,
    seed: int,
    teacher: Path | None = None,
    distill: DistillConfig | None = None,
    work: Path | None = None,
) -> Path:
    """Train `network`, or go on from where `work` says; returns the folder of the result.

    `label` is for people, `curve` the name of its learning curve in the report; None has none.
    """
    from bessemer.jobs import START, TRAINING, FitJob, run_job
    from bessemer.model.state import save_model

    work = work or context.work
    if not (work / START).exists():
        commit(work / START, lambda folder: save_model(folder, architecture, network))
    job = FitJob(
        label=label,
        task=context.recipe.task,
        data=str(context.inputs["prepare"].path),
        work=str(work),
        augment=context.recipe.augment.model_dump(),
        train=config.model_dump(),
        seed=seed,
        precision=precision_for(context, config),
        teacher=str(teacher) if teacher else None,
        distill=distill.model_dump() if distill else None,
    )
    result = run_job(job, context.runtime, context.processes, OnCurve(context.progress, curve))
    told = json.loads((work / TRAINING).read_text(encoding="utf-8"))
    context.tell_training({curve or label: told})
    if waited_much(told):
        context.progress.note(f"  {label}: waited {told['stall']:.1%} of the time for its data")
    return result


def precision_for(context: Context, config: TrainConfig) -> str:
    """As the recipe says; `auto` is decided once for the whole run."""
    from bessemer.train.precision import choose_precision

    if config.precision != "auto":
        return config.precision
    return context.decisions.take("precision", lambda: choose_precision("auto", context.runtime.device))


class OnCurve(Progress):
    """Gives the points of a training the name of its curve; one without a curve tells none."""

    def __init__(self, progress: Progress, curve: str | None) -> None:
        self.progress, self.curve = progress, curve

    def note(self, text: str) -> None:
        self.progress.note(text)

    def step(self, label: str, done: int, total: int, facts: str = "") -> None:
        self.progress.step(label, done, total, facts)

    def begin(self, label: str, step: int) -> None:
        if self.curve is not None:
            self.progress.begin(self.curve, step)

    def point(self, label: str, step: int, values: Mapping[str, float | None]) -> None:
        if self.curve is not None:
            self.progress.point(self.curve, step, values)
