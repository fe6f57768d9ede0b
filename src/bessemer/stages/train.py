"""A parent model from the training split; the same training also serves the candidates of compression."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from torch import nn

from bessemer.artifact import Decisions, commit, copy_into
from bessemer.data.order import key
from bessemer.jobs import CHECKPOINTS, START, TRAINING, FitJob, run_job
from bessemer.model.state import Architecture, save_model
from bessemer.report.tracking import curve_name
from bessemer.report.training import waited_much
from bessemer.stages.context import Context
from bessemer.train.config import TrainConfig
from bessemer.train.execution import FILE as EXECUTION
from bessemer.train.precision import choose_precision


def train(context: Context) -> None:
    """Build a network from the recipe, train it, keep its weights and learning curve."""
    result = train_parent(context, "train")
    copy_into(result, context.out)
    history = json.loads((result / "history.json").read_text(encoding="utf-8"))
    execution = Decisions(context.work / CHECKPOINTS / EXECUTION).values
    context.write_facts({"curves": {"parent": history}, "decisions": {**context.decisions.values, **execution}})


def train_parent(context: Context, label: str) -> Path:
    """Train a network as the recipe says; returns the folder of the result."""
    recipe, about = context.recipe, context.dataset().about
    labels = {"classes": len(about["classes"])} if recipe.task == "classify" else {}
    arguments = {**labels, **about["arguments"]}
    architecture = Architecture(recipe.model.name, {**arguments, **recipe.model.model_dump(exclude={"name"})})
    torch.manual_seed(int(key(recipe.seed, 1)) >> 1)
    return train_model(context, architecture, architecture.build(), recipe.train, label, recipe.seed)


def train_model(
    context: Context,
    architecture: Architecture,
    network: nn.Module,
    config: TrainConfig,
    label: str,
    seed: int,
    teacher: Path | None = None,
) -> Path:
    """Train `network`, or go on from where `context.work` says; returns the folder of the result."""
    work = context.work
    if not (work / START).exists():
        commit(work / START, lambda folder: save_model(folder, architecture, network))
    compress = context.recipe.compress
    job = FitJob(
        label=label,
        data=str(context.inputs["prepare"].path),
        work=str(work),
        augment=context.recipe.augment.model_dump(),
        train=config.model_dump(),
        seed=seed,
        precision=precision_for(context, config),
        teacher=str(teacher) if teacher else None,
        distill=compress.distill.model_dump() if teacher and compress else None,
    )
    result = run_job(job, context.runtime, context.processes, context.progress)
    told = json.loads((work / TRAINING).read_text(encoding="utf-8"))
    context.tell_training({curve_name(label) or label: told})
    if waited_much(told):
        context.progress.note(f"  {label}: waited {told['stall']:.1%} of the time for its data")
    return result


def precision_for(context: Context, config: TrainConfig) -> str:
    """As the recipe says; `auto` is decided once for the whole run."""
    if config.precision != "auto":
        return config.precision
    return context.decisions.take("precision", lambda: choose_precision("auto", context.runtime.device))
