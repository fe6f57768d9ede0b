"""Candidates from gentle to harsh, each an artifact of its own, until one meets the contract."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from bessemer.artifact import Artifact, Decisions, copy_into
from bessemer.compress.config import CompressConfig
from bessemer.compress.prune import prune
from bessemer.compress.quantize import quantize
from bessemer.compress.search import Candidate, choose, search
from bessemer.data.dataset import Samples
from bessemer.data.order import key
from bessemer.data.split import take_count
from bessemer.evaluate.benchmark import speedup, summarize
from bessemer.export.onnx import export_onnx
from bessemer.export.session import OnnxModel
from bessemer.model.state import Architecture, load_model, read_architecture, save_model
from bessemer.stages.context import Context, sizes, time_files
from bessemer.stages.train import train_model

TIMING_SECONDS = 2.0
NOT_OF_A_RUNG: dict[str, Any] = {
    **dict.fromkeys(("contract", "ladder", "search", "prefer"), True),
    "train": {"checkpoint_seconds"},
}


def compress(context: Context) -> None:
    """Walk the ladder, choose, and keep the chosen rung."""
    config = context.recipe.compress
    assert config is not None
    rungs: dict[int, Artifact] = {}
    warn_of_few_samples(context, config)

    def make(rung: int, keep: float) -> Iterable[Candidate]:
        rungs[rung], cached = context.cache.obtain(
            "candidate",
            candidate_dependencies(context, config, keep),
            lambda out, work: make_candidates(replace(context, out=out, work=work), config, keep),
        )
        found = [Candidate(rung=rung, **values) for values in rungs[rung].json("measured.json")]
        for one in found:
            context.progress.note(describe(one, config) + (", kept from before" if cached else ""))
        return found

    candidates = search(config, make)
    chosen = choose(config, candidates)
    choice: dict[str, Any] = {"chosen": None}
    if chosen is not None:
        artifact = rungs[chosen.rung]
        copy_into(artifact.path, context.out / "rung")
        choice = {"chosen": chosen.as_dict(), "seconds": artifact.manifest["seconds"]}
    (context.out / "choice.json").write_text(json.dumps(choice, indent=1), encoding="utf-8")
    rows = []
    for one in candidates:
        missed = one.missed(config.contract)
        rows.append({**one.as_dict(), "missed": missed, "met": not missed, "chosen": one is chosen})
    contract = {
        "terms": config.contract.model_dump(exclude_none=True, exclude={"batch"}),
        "batch": config.contract.batch,
        "candidates": rows,
        "chosen": chosen.name if chosen else None,
        "met": None if chosen else False,  # what is chosen is judged by export, on the test split
    }
    curves = {f"keep {config.ladder[rung]:g}": artifact.json("history.json") for rung, artifact in rungs.items()}
    for artifact in rungs.values():
        context.tell_training(artifact.manifest.get("training", {}))
    context.write_facts({"contract": contract, "curves": {"candidates": curves}})


def warn_of_few_samples(context: Context, config: CompressConfig) -> None:
    """Say so where one image weighs more than the accuracy that may be lost."""
    splits, limit = context.dataset().about["splits"], config.contract.max_drop
    for name in ("validation", "test"):
        if limit is not None and 1 / splits[name] > limit:
            context.progress.note(
                f"  mind: the {name} split has {splits[name]} samples; one of them is "
                f"{100 / splits[name]:.1f} points, and max_drop allows {100 * limit:g}: chance will decide"
            )


def candidate_dependencies(context: Context, config: CompressConfig, keep: float) -> dict[str, Any]:
    """All that a rung depends on: not the contract's terms, so that changing those trains nothing again."""
    return {
        "versions": context.versions,
        "inputs": {name: context.inputs[name].digest for name in ("prepare", "train")},
        "parent_file": context.inputs["evaluate"].manifest["files"]["model.onnx"]["sha256"],
        "keep": keep,
        "batch": config.contract.batch,
        "settings": config.model_dump(exclude=NOT_OF_A_RUNG),
        "augment": context.recipe.augment.model_dump(),
        "seed": context.recipe.seed,
    }


def describe(one: Candidate, config: CompressConfig) -> str:
    """One line on a candidate, for the terminal."""
    missed = one.missed(config.contract)
    state = f"misses {', '.join(missed)}" if missed else "meets the contract"
    return (
        f"  {one.name}: {100 * one.accuracy:.2f}% ({-100 * one.drop:+.2f} points), {one.shrink:.1f}x smaller, "
        f"{one.speedup:.2f}x faster: {state}"
    )


def make_candidates(context: Context, config: CompressConfig, keep: float) -> None:
    """One rung: prune, distill from the parent, quantize, export, and measure every format."""
    dataset = context.dataset()
    train_split, validation = dataset.split("train"), dataset.split("validation")
    architecture, network = pruned_and_distilled(context, config, keep, train_split)
    models = {"fp32": (architecture, network)}
    if "int8" in config.formats:
        some = take_count(train_split.labels, train_split.ids, config.calibration, context.recipe.seed)
        integer, edit = quantize(network, torch.from_numpy(train_split.inputs[some]))
        models["int8"] = (architecture.edited(edit), integer)
    files, about = {}, {}
    for form, (built, model) in models.items():
        save_model(context.out / form, built, model)
        files[form] = context.out / form / "model.onnx"
        export_onnx(model, torch.from_numpy(validation.inputs[:2]), files[form])
        about[form] = {**sizes(network, files[form], validation), "format": form, "keep": keep}
    decisions = Decisions(context.work / "decisions.json")
    rows = decisions.take("measured", lambda: measure(context, config, files, about, validation))
    asked = [row for row in rows if row["format"] in config.formats]
    (context.out / "measured.json").write_text(json.dumps(asked, indent=1), encoding="utf-8")


def pruned_and_distilled(
    context: Context, config: CompressConfig, keep: float, samples: Samples, label: str = ""
) -> tuple[Architecture, nn.Module]:
    """The parent with the share `keep` of its channels, trained under the parent; leaves `history.json`.

    Where `distill` weighs nothing, it is trained on the labels alone.
    """
    parent = context.parent_model
    architecture, network = read_architecture(parent), load_model(parent)
    if keep == 1:
        (context.out / "history.json").write_text("[]", encoding="utf-8")
        return architecture, network
    pruned, edit = prune(network, torch.from_numpy(samples.inputs[:2]), keep, config.round_to)
    edited = architecture.edited(edit)
    seed = int(key(context.recipe.seed, 2)) % 2**31
    taught = config.distill.weight > 0 or config.distill.features > 0
    label = label or f"{'distill' if taught else 'fine-tune'} keep {keep:g}"
    result = train_model(context, edited, pruned, config.train, label, seed, teacher=parent if taught else None)
    (context.out / "history.json").write_bytes((result / "history.json").read_bytes())
    return read_architecture(result / "model"), load_model(result / "model")


def measure(
    context: Context,
    config: CompressConfig,
    files: dict[str, Path],
    about: dict[str, dict[str, Any]],
    validation: Samples,
) -> list[dict[str, Any]]:
    """Quality on the validation split, size and speed of each file, interleaved with the parent's."""
    before = context.parent_predictions("validation") == validation.labels
    batch = config.contract.batch
    every = {"parent": context.parent_file, **files}
    times = time_files(every, validation.inputs, batch, TIMING_SECONDS, context.runtime.threads)
    rows = []
    for form, path in files.items():
        decided = OnnxModel(path, context.runtime.threads).logits(validation.inputs).argmax(1)
        after = decided == validation.labels
        ratio = speedup(times[batch]["parent"], times[batch][form])
        row = {
            **about[form],
            "name": f"keep {about[form]['keep']:g} {form}",
            "accuracy": float(after.mean()),
            "drop": float(before.mean() - after.mean()),
            "shrink": context.parent_file.stat().st_size / path.stat().st_size,
            "latency_ms": {str(size): summarize(taken[form])["median_ms"] for size, taken in times.items()},
            "speedup": ratio["value"],
            "speedup_low": ratio["low"],
            "speedup_high": ratio["high"],
        }
        rows.append(row)
    return rows
