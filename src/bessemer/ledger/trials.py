"""Trials as artifacts: a training with its own clock, and its file measured on the validation split.

Trials of one round share their seed: initial weights, order, augmentation. All share the data and, in compression,
the parent. A trial that was cut short begins again, so that its clock is whole.
"""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import nn

from bessemer import __version__
from bessemer.artifact import Artifact
from bessemer.compress.quantize import quantize
from bessemer.data.order import key
from bessemer.data.split import take_count
from bessemer.data.tokenize import load_tokenizer
from bessemer.export.inputs import TOKENIZER
from bessemer.export.onnx import export_onnx
from bessemer.export.session import OnnxModel
from bessemer.ledger.order import Trial
from bessemer.ledger.rows import PRUNING, Measured
from bessemer.ledger.techniques import without
from bessemer.model.gpt import GPT
from bessemer.model.state import load_model
from bessemer.recipe import Recipe
from bessemer.runtime import use
from bessemer.stages.compress import candidate_dependencies, pruned_and_distilled
from bessemer.stages.context import Context
from bessemer.stages.language import score_file
from bessemer.stages.train import train_parent

RESULT = "trial.json"


@dataclass(frozen=True)
class Chosen:
    """The candidate that ships: the share of channels it keeps, and its format."""

    keep: float
    format: str


def seed_of(recipe: Recipe, number: int) -> int:
    """The seed of a round; the first one is the recipe's own."""
    return recipe.seed if number == 0 else int(key(recipe.seed, 0x1ED6 + number)) % 2**32


def obtain(context: Context, trial: Trial, chosen: Chosen | None) -> tuple[Artifact, bool]:
    """The trial's artifact, and whether it was there before; the context has the recipe with all techniques."""
    recipe, technique, keep = context.recipe, trial.technique, chosen.keep if chosen else 1.0
    if technique == PRUNING:
        keep = 1.0
    elif technique is not None:
        other = without(recipe, technique)
        assert other is not None
        recipe = other
    recipe = recipe.model_copy(update={"seed": seed_of(recipe, trial.round)})
    context = replace(context, recipe=recipe)

    def make(out: Path, work: Path) -> None:
        shutil.rmtree(work)
        work.mkdir()
        use(context.runtime)
        import_module("torch._dynamo")  # the first optimizer imports it, which no technique shall pay for
        here, label = replace(context, out=out, work=work), name_of(trial)
        measured = train(here, label) if trial.stage == "train" else compress(here, keep, label)
        (out / RESULT).write_text(json.dumps(measured, indent=1), encoding="utf-8")

    depends = _training(context) if trial.stage == "train" else _rung(context, keep)
    depends = {"version": __version__, "of": trial.stage, "processes": context.processes, **depends}
    return context.cache.obtain("trial", depends, make)


def name_of(trial: Trial) -> str:
    """A trial in words."""
    what = f"without {trial.technique}" if trial.technique else "as it is"
    return f"{trial.stage} {what}, seed {trial.round + 1}"


def _training(context: Context) -> dict[str, Any]:
    """All that a training depends on."""
    recipe = context.recipe
    return {
        "versions": context.versions,
        "inputs": {"prepare": context.inputs["prepare"].digest},
        "task": recipe.task,
        "model": recipe.model.model_dump(),
        "train": recipe.train.model_dump(exclude={"checkpoint_seconds"}),
        "augment": recipe.augment.model_dump(),
        "seed": recipe.seed,
    }


def _rung(context: Context, keep: float) -> dict[str, Any]:
    """All that a rung depends on."""
    config = context.recipe.compress
    assert config is not None
    return candidate_dependencies(context, config, keep)


def train(context: Context, label: str) -> dict[str, Measured]:
    """A parent, as the recipe of this context says."""
    began = time.perf_counter()
    result = train_parent(context, label)
    seconds = time.perf_counter() - began
    return {"fp32": {**measure(context, load_model(result / "model"), "fp32"), "seconds": seconds}}


def compress(context: Context, keep: float, label: str) -> dict[str, Measured]:
    """A rung: pruned, trained under the parent, and the same in integers where the recipe asks for them."""
    config, samples = context.recipe.compress, context.dataset().split("train")
    assert config is not None
    began = time.perf_counter()
    _, network = pruned_and_distilled(context, config, keep, samples, label)
    seconds = time.perf_counter() - began
    found = {"fp32": {**measure(context, network, "fp32"), "seconds": seconds}}
    if "int8" in config.formats:
        began = time.perf_counter()
        some = take_count(samples.labels, samples.ids, config.calibration, context.recipe.seed)
        integer, _ = quantize(network, torch.from_numpy(samples.inputs[some]))
        seconds += time.perf_counter() - began
        found["int8"] = {**measure(context, integer, "int8"), "seconds": seconds}
    return found


def measure(context: Context, network: nn.Module, form: str) -> Measured:
    """Quality on the validation split (higher is better) and bytes of the exported file.

    Quality is accuracy, of a language model bits per byte with a minus.
    """
    dataset = context.dataset()
    path = context.work / f"{form}.onnx"
    if isinstance(network, GPT):
        held_out = dataset.windows("validation", network.context)
    else:
        held_out = dataset.split("validation")
    export_onnx(network, torch.from_numpy(held_out.inputs[:2]), path)
    session = OnnxModel(path, context.runtime.threads)
    if isinstance(network, GPT):
        tokenizer = load_tokenizer(context.inputs["prepare"].path / TOKENIZER)
        quality = -score_file(session, held_out, tokenizer, dataset.about["end"]).bits_per_byte
    else:
        quality = float((session.logits(held_out.inputs).argmax(1) == held_out.labels).mean())
    return {"quality": quality, "bytes": path.stat().st_size}
