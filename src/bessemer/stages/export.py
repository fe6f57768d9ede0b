"""The shipped file, proven on the test split: parity, quality, size, speed, and the contract."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bessemer.artifact import Decisions
from bessemer.compress.contract import Measured, judge
from bessemer.data.dataset import Dataset, Samples
from bessemer.evaluate.benchmark import speedup, summarize
from bessemer.evaluate.metrics import paired_difference
from bessemer.export.inputs import PREPROCESS, TOKENIZER
from bessemer.export.onnx import INPUT, OUTPUT
from bessemer.export.parity import compare, gate, torch_logits
from bessemer.export.session import OnnxModel
from bessemer.model.state import load_model
from bessemer.stages.context import Context, quality, sizes, time_files

SHOWN_MISTAKES = 24
DEFAULT_BATCH = 64


@dataclass(frozen=True)
class Shipped:
    """Where the chosen model stands: its ONNX file, its architecture and weights, its format."""

    file: Path
    model: Path
    format: str
    before_quantization: Path | None = None  # the same rung in fp32
    choice: dict[str, Any] | None = None


def export(context: Context) -> None:
    """Prove the chosen file and write it with all that is needed to use it."""
    dataset = context.dataset()
    test = dataset.split("test")
    shipped = find_shipped(context)
    write_model(context, shipped, dataset)
    network = load_model(context.out / "model")
    path = context.out / "onnx" / "model.onnx"
    logits = OnnxModel(path, context.runtime.threads).logits(test.inputs)
    parity = compare(torch_logits(network, test.inputs), logits)
    least = 1.0 if shipped.format == "fp32" else context.recipe.export.min_agreement
    gate(f"shipped {shipped.format}", parity, least)
    facts = quality(test, logits, dataset.about["classes"], "shipped", context.recipe.seed)
    facts["parity"] = {f"shipped {shipped.format}": parity.as_dict()}
    if shipped.format == "int8":
        plain = OnnxModel(path, context.runtime.threads, optimize=False).logits(test.inputs)
        facts["parity"]["int8 kernels against QDQ nodes"] = compare(plain, logits).as_dict()
    facts["mistakes"] = mistakes(dataset, test.labels, logits)
    timing = Decisions(context.work / "decisions.json").take(
        "timing", lambda: time_shipped(context, shipped, test)
    )
    facts["latency"] = timing["latency"]
    facts["sizes"] = {"shipped": shipped_sizes(context, shipped, test)}
    if shipped.choice is not None:
        decided = logits.argmax(1)
        facts["contract"] = verdict(context, shipped, decided == test.labels, test, timing)
        facts["ledger"] = ledger(context, shipped, test, timing)
    context.write_facts(facts)


def find_shipped(context: Context) -> Shipped:
    """The candidate that compression chose, or the parent where nothing was compressed."""
    if "compress" not in context.inputs:
        return Shipped(context.parent_file, context.parent_model, "fp32")
    compress = context.inputs["compress"]
    choice = compress.json("choice.json")
    form = choice["chosen"]["format"]
    folder, fp32 = compress.path / "rung" / form, compress.path / "rung" / "fp32"
    return Shipped(folder / "model.onnx", folder, form, fp32 / "model.onnx", choice)


def write_model(context: Context, shipped: Shipped, dataset: Dataset) -> None:
    """Write `onnx/` (the file) and `model/` (to load in torch), each with what turns raw files into inputs."""
    tokenizer = context.inputs["prepare"].path / TOKENIZER
    shared = [tokenizer] if tokenizer.exists() else []
    for folder, own in (
        (context.out / "onnx", [shipped.file]),
        (context.out / "model", [shipped.model / "architecture.json", shipped.model / "weights.safetensors"]),
    ):
        folder.mkdir()
        for source in (*own, *shared):
            shutil.copyfile(source, folder / source.name)
        (folder / PREPROCESS).write_text(json.dumps(preprocessing(dataset), indent=1), encoding="utf-8")


def preprocessing(dataset: Dataset) -> dict[str, Any]:
    """How a raw file becomes the model's input, and what its outputs mean."""
    about = dataset.about
    inputs, classes = about["inputs"], about["classes"]
    shape = inputs.get("shape", ["length"])
    dtype = "int32" if about["modality"] == "text" else np.dtype(inputs["dtype"]).name
    return {
        "modality": about["modality"],
        **about["preprocess"],
        "inside_the_model": about["arguments"],
        "input": {"name": INPUT, "dtype": dtype, "shape": ["batch", *shape]},
        "output": {"name": OUTPUT, "dtype": "float32", "shape": ["batch", len(classes)]},
        "classes": classes,
    }


def mistakes(dataset: Dataset, labels: NDArray[np.int64], logits: NDArray[np.float32]) -> list[dict[str, Any]]:
    """The wrong decisions on the test split that the model was surest of."""
    classes, places = dataset.about["classes"], dataset.positions("test")
    shares = torch.from_numpy(logits).softmax(1).numpy()
    decided = logits.argmax(1)
    wrong = np.flatnonzero(decided != labels)
    worst = wrong[np.argsort(-shares[wrong, decided[wrong]], kind="stable")[:SHOWN_MISTAKES]]
    names = dataset.names(places[worst])
    return [
        {
            **dataset.show(int(places[i])),
            "path": name,
            "truth": classes[int(labels[i])],
            "predicted": classes[int(decided[i])],
            "confidence": float(shares[i, decided[i]]),
        }
        for i, name in zip(worst, names, strict=True)
    ]


def shipped_sizes(context: Context, shipped: Shipped, test: Samples) -> dict[str, int]:
    """Bytes, parameters and operations of what ships."""
    if shipped.choice is not None:
        return {name: shipped.choice["chosen"][name] for name in ("bytes", "parameters", "flops")}
    return sizes(load_model(shipped.model), shipped.file, test)


def time_shipped(context: Context, shipped: Shipped, test: Samples) -> dict[str, Any]:
    """Parent, shipped file and, for the ledger, the same rung in fp32: timed in turns in one run."""
    compress = context.recipe.compress
    batch = compress.contract.batch if compress else DEFAULT_BATCH
    files = {"parent": context.parent_file, "shipped": shipped.file}
    if shipped.before_quantization:
        files["fp32"] = shipped.before_quantization
    times = time_files(files, test.inputs, batch, context.recipe.export.benchmark_seconds, context.runtime.threads)
    latency = {name: {str(size): summarize(taken[name]) for size, taken in times.items()} for name in files}
    fp32 = latency.pop("fp32", None)
    ratio = speedup(times[batch]["parent"], times[batch]["shipped"])
    return {"latency": latency, "speedup": ratio, "fp32": fp32, "batch": batch, "threads": context.runtime.threads}


def verdict(
    context: Context, shipped: Shipped, right: NDArray[np.bool_], test: Samples, timing: dict[str, Any]
) -> dict[str, Any]:
    """The contract, judged on the test split and the final timing."""
    config = context.recipe.compress
    assert config is not None
    before = context.parent_predictions("test") == test.labels
    size = shipped.file.stat().st_size
    measured = Measured(
        drop=float(before.mean() - right.mean()),
        speedup=timing["speedup"]["value"],
        shrink=context.parent_file.stat().st_size / size,
        bytes=size,
        latency_ms=timing["latency"]["shipped"]["1"]["median_ms"],
    )
    verdicts = judge(config.contract, measured, shipped.format == "int8")
    return {
        "measured": {**vars(measured), "speedup_interval": timing["speedup"]},
        "verdict": [one.as_dict() for one in verdicts],
        "met": all(one.met for one in verdicts),
    }


def ledger(context: Context, shipped: Shipped, test: Samples, timing: dict[str, Any]) -> list[dict[str, Any]]:
    """What each technique of the shipped file bought and cost, on the same test samples."""
    assert shipped.choice is not None
    assert shipped.before_quantization is not None
    steps = [("channel pruning + distillation", context.parent_file, shipped.before_quantization)]
    if shipped.choice["chosen"]["keep"] == 1:
        steps = []
    if shipped.format == "int8":
        steps.append(("int8 quantization", shipped.before_quantization, shipped.file))
    batch = str(timing["batch"])
    latency = {
        context.parent_file: timing["latency"]["parent"],
        shipped.before_quantization: timing["fp32"],
        shipped.file: timing["latency"]["shipped"],
    }
    rows = []
    for technique, before, after in steps:
        right = [
            OnnxModel(path, context.runtime.threads).logits(test.inputs).argmax(1) for path in (before, after)
        ]
        quality, low, high = paired_difference(right[0] == test.labels, right[1] == test.labels)
        rows.append(
            {
                "technique": technique,
                "stage": "compress",
                "quality": quality,
                "low": low,
                "high": high,
                "seconds": shipped.choice["seconds"] if "distillation" in technique else None,
                "bytes": after.stat().st_size - before.stat().st_size,
                "latency_ms": latency[after][batch]["median_ms"] - latency[before][batch]["median_ms"],
            }
        )
    return rows
