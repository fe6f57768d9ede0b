"""The shipped file, proven on the test split: parity, quality, size, speed, and the contract."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bessemer import __version__
from bessemer.artifact import Artifact
from bessemer.compress.contract import LEAD, Figures, Verdict, judge
from bessemer.compress.search import Candidate
from bessemer.compress.steps import FLOATS, INTEGERS
from bessemer.config import keyed
from bessemer.data.readers import PREPROCESS
from bessemer.export.measured import Timing, sizes, time_files
from bessemer.recipe import Recipe
from bessemer.stages import compress, evaluate, prepare, train
from bessemer.stages.compress import Link, choice_of
from bessemer.stages.context import Context
from bessemer.stages.evaluate import Baseline, Evaluated
from bessemer.stages.stage import Inputs, Stage
from bessemer.stages.train import parent_of
from bessemer.task.task import Records, Shown

if TYPE_CHECKING:
    from bessemer.data.dataset import Dataset, Samples
    from bessemer.export.session import OnnxModel


MODEL, ONNX, FILE = "model", "onnx", "model.onnx"


class Exported:
    """What ships: a folder for torch, and one for ONNX Runtime."""

    def __init__(self, inputs: Mapping[str, Artifact]) -> None:
        self.model = inputs["export"].path / MODEL
        self.onnx = inputs["export"].path / ONNX


@dataclass(frozen=True)
class Shipped:
    """Where the chosen model stands: its ONNX file, its folder, its format, and the steps that led to it."""

    file: Path
    model: Path
    format: str
    chosen: Candidate | None = None
    chain: tuple[Link, ...] = ()


def settings(recipe: Recipe) -> dict[str, Any]:
    """How the file is checked, and the contract that judges it."""
    contract = keyed(recipe.compress.contract) if recipe.compress else None
    return {
        "names": recipe.names(),
        "seed": recipe.seed,
        "export": keyed(recipe.export),
        "contract": contract,
    }


def body(context: Context) -> None:
    """Prove the chosen file and write it with all that is needed to use it."""
    from bessemer.export.session import OnnxModel
    from bessemer.model.state import load_model

    dataset, task, seed = context.dataset(), context.task, context.recipe.seed
    shipped = find_shipped(context)
    write_model(context, shipped, dataset)
    network = load_model(context.out / MODEL)
    test = task.samples(dataset, "test", load_model(parent_of(context.inputs).model))
    session = OnnxModel(context.out / ONNX / FILE, context.runtime.threads)
    parity = prove(context, shipped, session, network, test)
    records = task.records(session, test, dataset)
    before = Evaluated(context.inputs).records("test")
    timing = context.own_decisions().take("timing", lambda: time_shipped(context, shipped, test))
    facts: dict[str, Any] = {
        "metrics": {"shipped": task.measured(records, seed)},
        "parity": parity,
        "latency": timing["latency"],
        "sizes": {"shipped": shipped_sizes(shipped, test)},
        **task.told(Shown("shipped", dataset, network, records, seed, before)),
    }
    if shipped.chosen is not None:
        facts["contract"] = verdict(context, shipped, records, timing)
        facts["ledger"] = ledger(context, shipped, test, timing)
    context.write_facts(facts)


def something_ships(inputs: Inputs) -> bool:
    """Whether there is a file to prove: the parent's, or one that met the contract."""
    choice = choice_of(inputs)
    return choice is None or choice.chosen is not None


STAGE = Stage(
    "export",
    (prepare.STAGE, train.STAGE, evaluate.STAGE, compress.STAGE),
    settings,
    body,
    possible=something_ships,
)


def find_shipped(context: Context) -> Shipped:
    """The candidate that compression chose, or the parent where nothing was compressed."""
    choice = choice_of(context.inputs)
    if choice is None:
        return Shipped(Evaluated(context.inputs).file, parent_of(context.inputs).model, FLOATS)
    assert choice.chosen is not None
    last = choice.chain[-1].tried
    return Shipped(last.file, last.model, choice.chosen.format, choice.chosen, tuple(choice.chain))


def write_model(context: Context, shipped: Shipped, dataset: Dataset) -> None:
    """Write `onnx/` (the file) and `model/` (to load in torch), each with what turns raw files into inputs."""
    shared = [dataset.folder / name for name in dataset.about.get("files", [])]
    about = json.dumps(preprocessing(context, shipped, dataset), indent=1)
    for folder, own in (
        (context.out / ONNX, [shipped.file]),
        (context.out / MODEL, [shipped.model / "architecture.json", shipped.model / "weights.safetensors"]),
    ):
        folder.mkdir()
        for source in (*own, *shared):
            shutil.copyfile(source, folder / source.name)
        (folder / PREPROCESS).write_text(about, encoding="utf-8")
    dataset.kind.ship(context.out / ONNX, dataset.about["preprocess"], dataset.split("test").inputs)


def preprocessing(context: Context, shipped: Shipped, dataset: Dataset) -> dict[str, Any]:
    """How a raw file becomes the model's input, and what its outputs mean."""
    from bessemer.export.onnx import INPUT, OUTPUT
    from bessemer.export.session import OnnxModel
    from bessemer.model.state import load_model

    session, parent = OnnxModel(shipped.file), load_model(parent_of(context.inputs).model)
    return {
        "task": context.recipe.task,
        "version": __version__,
        "columns": columns_of(context.recipe),
        **from_raw_files(dataset),
        "input": {"name": INPUT, "dtype": session.dtype, "shape": session.shape()},
        "output": {"name": OUTPUT, "dtype": "float32", "shape": context.task.outputs(dataset)},
        **context.task.describe(dataset, parent),
    }


def columns_of(recipe: Recipe) -> dict[str, Any] | None:
    """The columns of tables that the first of the sources with such names reads."""
    named = (one.columns for one in recipe.data.sources if one.columns is not None)
    first = next(named, None)
    return first.model_dump(mode="json") if first is not None else None


def from_raw_files(dataset: Dataset) -> dict[str, Any]:
    """What `bessemer.data.readers` must know to read a file as training did."""
    about = dataset.about
    return {
        "modality": about["modality"],
        **about["preprocess"],
        "steps": dataset.kind.steps(about["preprocess"]),
        "inside_the_model": about["arguments"],
    }


def prove(
    context: Context, shipped: Shipped, session: OnnxModel, network: Any, test: Samples
) -> dict[str, dict[str, Any]]:
    """The file held against its network, and integer kernels against the nodes that they stand for."""
    from bessemer.export.session import OnnxModel
    from bessemer.measure.parity import gate
    from bessemer.model.answers import TorchModel

    task = context.task
    inputs = task.compared(test).inputs
    outputs = session.logits(inputs)
    parity = task.parity(TorchModel(network).logits(inputs), outputs)
    gate(
        f"shipped {shipped.format}",
        parity,
        1.0 if shipped.format == FLOATS else context.recipe.export.min_agreement,
    )
    found = {f"shipped {shipped.format}": parity.as_dict()}
    if shipped.format == INTEGERS:
        plain = OnnxModel(context.out / ONNX / FILE, context.runtime.threads, optimize=False).logits(inputs)
        found["int8 kernels against QDQ nodes"] = task.parity(plain, outputs).as_dict()
    return found


def shipped_sizes(shipped: Shipped, test: Samples) -> dict[str, int]:
    """Bytes, parameters and operations of what ships."""
    from bessemer.model.state import load_model

    if shipped.chosen is not None:
        return {name: getattr(shipped.chosen, name) for name in ("bytes", "parameters", "flops")}
    return sizes(load_model(shipped.model), shipped.file, test.inputs)


def time_shipped(context: Context, shipped: Shipped, test: Samples) -> dict[str, Any]:
    """Parent, shipped file and, for the ledger, all between them: timed in turns in one run."""
    from bessemer.measure.benchmark import speedup, summarize

    compress = context.recipe.compress
    batch = compress.contract.batch if compress else context.task.batch
    files = {"parent": Evaluated(context.inputs).file, "shipped": shipped.file}
    files |= {str(number): link.tried.file for number, link in enumerate(shipped.chain[:-1])}
    seconds, threads = context.recipe.export.benchmark_seconds, context.runtime.threads
    times = time_files(files, test.inputs, Timing(batch, seconds, threads))
    every = {name: {str(size): summarize(taken[name]) for size, taken in times.items()} for name in files}
    ratio = speedup(times[batch]["parent"], times[batch]["shipped"])
    between = [every[str(number)] for number in range(len(shipped.chain) - 1)]
    latency = {name: every[name] for name in ("parent", "shipped")}
    return {"latency": latency, "between": between, "speedup": ratio, "batch": batch, "threads": threads}


def verdict(context: Context, shipped: Shipped, records: Records, timing: dict[str, Any]) -> dict[str, Any]:
    """The contract, judged on the test split and the final timing."""
    config, task, parent = context.recipe.compress, context.task, Evaluated(context.inputs)
    assert config is not None
    before, after = task.value(parent.records("test")), task.value(records)
    size = shipped.file.stat().st_size
    figures = Figures(
        parent=before,
        drop=-task.headline.gain(before, after),
        speedup=timing["speedup"]["value"],
        shrink=parent.file.stat().st_size / size,
        bytes=size,
        latency_ms=timing["latency"]["shipped"]["1"]["median_ms"],
    )
    verdicts = judge(config.contract, figures, shipped.format == INTEGERS)
    if config.contract.beat_baseline:
        verdicts += lead_of_baseline(context, records)
    return {
        "measured": {**vars(figures), "speedup_interval": timing["speedup"]},
        "verdict": [one.as_dict() for one in verdicts],
        "met": all(one.met for one in verdicts),
    }


def lead_of_baseline(context: Context, records: Records) -> list[Verdict]:
    """What the simple model is better by for sure: the low end of the interval, on the same test samples."""
    simple = Baseline(context).records
    if simple is None:
        return []
    _, low, _ = context.task.difference(records, simple, context.recipe.seed)
    return [] if low is None else [Verdict(LEAD, 0.0, low, low <= 0)]


def ledger(context: Context, shipped: Shipped, test: Samples, timing: dict[str, Any]) -> list[dict[str, Any]]:
    """What the steps that led to the shipped file bought and cost, on the same test samples."""
    from bessemer.export.session import OnnxModel

    task, dataset, parent = context.task, context.dataset(), Evaluated(context.inputs)
    latencies = [timing["latency"]["parent"], *timing["between"], timing["latency"]["shipped"]]
    batch = str(timing["batch"])
    file, known, rows = parent.file, parent.records("test"), []
    for number, link in enumerate(shipped.chain):
        after = task.records(OnnxModel(link.tried.file, context.runtime.threads), test, dataset)
        if link.techniques:
            quality, low, high = task.difference(known, after, context.recipe.seed)
            before_ms, after_ms = (latencies[place][batch]["median_ms"] for place in (number, number + 1))
            row = {"technique": link.techniques, "stage": "compress", "quality": quality, "low": low, "high": high}
            row["seconds"] = link.seconds if link.tried.history else None
            row["bytes"] = link.tried.file.stat().st_size - file.stat().st_size
            rows.append({**row, "latency_ms": after_ms - before_ms})
        file, known = link.tried.file, after
    return rows
