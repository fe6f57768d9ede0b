"""The parent as a fp32 ONNX file: its parity, its quality on the test split, and a simple model beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from bessemer.artifact import Artifact
from bessemer.export.measured import sizes
from bessemer.recipe import Recipe
from bessemer.stages import prepare, train
from bessemer.stages.context import Context, read_records, save_records
from bessemer.stages.stage import Stage
from bessemer.stages.train import parent_of
from bessemer.task.task import Records, Shown

FILE, BASELINE, SIMPLE = "model.onnx", "baseline.json", "simple"
SPLITS = ("test", "validation")


class Evaluated:
    """The parent's fp32 file, and what is known of each sample of a split."""

    def __init__(self, inputs: Mapping[str, Artifact]) -> None:
        self._artifact = inputs["evaluate"]

    @property
    def file(self) -> Path:
        """The ONNX file."""
        return self._artifact.path / FILE

    @property
    def file_digest(self) -> str:
        """SHA-256 of the file."""
        return str(self._artifact.manifest["files"][FILE]["sha256"])

    def records(self, split: str) -> Records:
        """Of `test` or `validation`."""
        return read_records(self._artifact.path / f"{split}.npz")


def settings(recipe: Recipe) -> dict[str, Any]:
    """Intervals and prompts are drawn by the seed."""
    return {"names": recipe.names(), "seed": recipe.seed}


def body(context: Context) -> None:
    """Export the parent, hold its file against the model, and measure it."""
    import torch

    from bessemer.export.onnx import export_onnx
    from bessemer.export.session import OnnxModel
    from bessemer.measure.parity import gate
    from bessemer.model.answers import TorchModel
    from bessemer.model.state import load_model

    dataset, task, seed = context.dataset(), context.task, context.recipe.seed
    network = load_model(parent_of(context.inputs).model)
    test = task.samples(dataset, "test", network)
    path = context.out / FILE
    export_onnx(network, torch.from_numpy(test.inputs[:2]), path, context.metadata(network))
    session = OnnxModel(path, context.runtime.threads)
    some = task.compared(test)
    parity = task.parity(TorchModel(network).logits(some.inputs), session.logits(some.inputs))
    gate("parent fp32", parity, 1.0)
    measured = {}
    for split in SPLITS:
        measured[split] = task.records(session, task.samples(dataset, split, network), dataset)
        save_records(measured[split], context.out / f"{split}.npz")
    context.write_facts(
        {
            "metrics": {"parent": task.measured(measured["test"], seed)},
            "sizes": {"parent": sizes(network, path, test.inputs)},
            "parity": {"parent fp32": parity.as_dict()},
            "baseline": Baseline(context).told,
            **task.told(Shown("parent", dataset, network, measured["test"], seed)),
        }
    )


STAGE = Stage("evaluate", (prepare.STAGE, train.STAGE), settings, body)


class Baseline:
    """What simple means reach on the same splits; it depends on the data alone, so it is found once."""

    def __init__(self, context: Context) -> None:
        recipe, inputs = context.recipe, {"prepare": context.inputs["prepare"]}
        of_data = {"task": recipe.task, "kind": recipe.data.modality, "seed": recipe.seed}
        artifact, _ = context.cache.obtain("baseline", of_data, partial(_find, context), inputs)
        self._folder = artifact.path
        self.told: dict[str, Any] = artifact.json(BASELINE)

    @property
    def network(self) -> Path | None:
        """The model folder of the one that can ship, where there is one."""
        folder = self._folder / SIMPLE
        return folder if folder.exists() else None

    @property
    def records(self) -> Records | None:
        """What the best of them said of each test sample, where the task keeps that."""
        name = self.told.get("recorded", {}).get(self.told["name"])
        return read_records(self._folder / name) if name else None


def _find(context: Context, out: Path, work: Path) -> None:
    from bessemer.model.state import save_model

    context.progress.note("  a simple model on the same data, for comparison")
    found = context.task.baseline(context.dataset(), context.recipe.seed)
    for place, (name, records) in enumerate(found.pop("records", {}).items()):
        save_records(records, out / f"{place}.npz")
        found.setdefault("recorded", {})[name] = f"{place}.npz"
    network = found.pop("network", None)
    if network is not None:
        found["network"] = network["name"]
        save_model(out / SIMPLE, network["architecture"], network["module"])
    (out / BASELINE).write_text(json.dumps(found), encoding="utf-8")
