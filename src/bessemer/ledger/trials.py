"""Trials as artifacts: a training with its own clock, and its file measured on the validation split.

Trials of one round share their seed: initial weights, order, augmentation. All share the data and, in compression,
the parent. A trial that was cut short begins again, so that its clock is whole.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path

import torch
from torch import nn

from bessemer.artifact import Artifact
from bessemer.compress.steps import FLOATS, Plan, Step, carry_out
from bessemer.compress.steps import without as steps_without
from bessemer.draws import Stream, seed_for
from bessemer.export.onnx import export_onnx
from bessemer.export.session import OnnxModel
from bessemer.ledger.order import Trial
from bessemer.ledger.rows import Result
from bessemer.ledger.techniques import without
from bessemer.model.state import load_model
from bessemer.recipe import Recipe
from bessemer.runtime import use
from bessemer.stages.candidate import RunLab, begun
from bessemer.stages.context import Context
from bessemer.stages.evaluate import Evaluated
from bessemer.stages.train import Trained, parent_of, train_parent
from bessemer.stages.train import settings as settings_of

RESULT = "trial.json"


@dataclass(frozen=True)
class Chosen:
    """The steps of the candidate that ships."""

    steps: tuple[Step, ...]

    @property
    def before(self) -> tuple[Step, ...]:
        """The steps in front of the one that gives the format."""
        return self.steps[:-1] if self.steps and self.steps[-1].form else self.steps

    @property
    def last(self) -> str | None:
        """The technique of the step that gives the format; None where floats ship."""
        return self.steps[-1].technique if self.steps and self.steps[-1].form else None

    @property
    def form(self) -> str:
        """The format that ships."""
        return (self.steps[-1].form if self.steps else None) or FLOATS


def seed_of(recipe: Recipe, number: int) -> int:
    """The seed of a round; the first one is the recipe's own."""
    return recipe.seed if number == 0 else seed_for(Stream.LEDGER, recipe.seed, number) % 2**32


def obtain(context: Context, trial: Trial, chosen: Chosen | None) -> tuple[Artifact, bool]:
    """The trial's artifact, and whether it was there before; the context has the recipe with all techniques."""
    recipe, technique, steps = context.recipe, trial.technique, chosen.steps if chosen else ()
    if technique is not None and trial.stage == "train":
        other = without(recipe, technique)
        assert other is not None
        recipe = other
    elif technique is not None:
        steps = steps_without(steps, technique)
    recipe = recipe.model_copy(update={"seed": seed_of(recipe, trial.round)})
    context = replace(context, recipe=recipe)

    def make(out: Path, work: Path) -> None:
        shutil.rmtree(work)
        work.mkdir()
        use(context.runtime)
        import_module("torch._dynamo")  # the first optimizer imports it, which no technique shall pay for
        here, label = replace(context, out=out, work=work), name_of(trial)
        measured = try_training(here, label) if trial.stage == "train" else try_steps(here, steps, label)
        (out / RESULT).write_text(json.dumps(measured, indent=1), encoding="utf-8")

    settings = {"of": trial.stage, "processes": context.processes, **settings_of(recipe)}
    inputs = {"prepare": context.inputs["prepare"]}
    if trial.stage == "compress":
        settings |= {"steps": Plan(steps).settings(), "parent_file": Evaluated(context.inputs).file_digest}
        inputs["train"] = context.inputs["train"]
    return context.cache.obtain("trial", settings, make, inputs)


def name_of(trial: Trial) -> str:
    """A trial in words."""
    what = f"without {trial.technique}" if trial.technique else "as it is"
    return f"{trial.stage} {what}, seed {trial.round + 1}"


def try_training(context: Context, label: str) -> dict[str, Result]:
    """A parent, as the recipe of this context says."""
    began = time.perf_counter()
    result = Trained(train_parent(context, label, None))
    seconds = time.perf_counter() - began
    return {FLOATS: {**measure(context, load_model(result.model), FLOATS), "seconds": seconds}}


def try_steps(context: Context, steps: Sequence[Step], label: str) -> dict[str, Result]:
    """A candidate: measured in floats and, where its last step gives another format, in that too."""
    lab = RunLab(context, label, None, context.work)
    made, found, seconds = begun(context, None), {}, 0.0
    chosen = Chosen(tuple(steps))
    for part, form in ((chosen.before, FLOATS), (chosen.steps[len(chosen.before) :], chosen.form)):
        if not part and form in found:
            continue
        began = time.perf_counter()
        made = carry_out(part, made, lab)
        seconds += time.perf_counter() - began
        found[form] = {**measure(context, made.network, form), "seconds": seconds}
    return found


def measure(context: Context, network: nn.Module, form: str) -> Result:
    """The headline measure on the validation split, and bytes of the exported file."""
    task, dataset = context.task, context.dataset()
    path = context.work / f"{form}.onnx"
    parent = load_model(parent_of(context.inputs).model)
    held_out = task.samples(dataset, "validation", parent)
    export_onnx(network, torch.from_numpy(held_out.inputs[:2]), path)
    records = task.records(OnnxModel(path, context.runtime.threads), held_out, dataset)
    return {"quality": task.value(records), "bytes": path.stat().st_size}
