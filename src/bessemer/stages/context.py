"""What every stage is given, and small things that several of them do."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from bessemer.artifact import ABOUT, Artifact, Cache, Decisions, write_atomic
from bessemer.data.dataset import Dataset, Samples
from bessemer.data.rows import Rows
from bessemer.evaluate.benchmark import interleave
from bessemer.evaluate.metrics import confusion_matrix, per_class, summary
from bessemer.export.session import OnnxModel
from bessemer.model.measure import flops, parameters
from bessemer.recipe import Recipe
from bessemer.runtime import Progress, Runtime

FACTS, BASELINE = "facts.json", "baseline.json"


@dataclass(frozen=True)
class Context:
    """The recipe, upstream artifacts, the folders to write to, and how to work."""

    recipe: Recipe
    inputs: dict[str, Artifact]
    versions: dict[str, Any]
    out: Path
    work: Path
    cache: Cache
    runtime: Runtime
    processes: int
    decisions: Decisions  # of the whole run; a stage's own stand in its work folder
    progress: Progress

    def dataset(self) -> Dataset:
        """The prepared data."""
        return Dataset(self.inputs["prepare"].path)

    @property
    def parent_model(self) -> Path:
        """Folder of the parent's architecture and weights."""
        return self.inputs["train"].path / "model"

    @property
    def parent_file(self) -> Path:
        """The parent's fp32 ONNX file."""
        return self.inputs["evaluate"].path / "model.onnx"

    def parent_predictions(self, split: str) -> NDArray[np.int64]:
        """The classes that the parent's file decided for on a split."""
        path = self.inputs["evaluate"].path / f"{split}_predictions.npy"
        found: NDArray[np.int64] = np.load(path, allow_pickle=False)
        return found

    def tell_training(self, told: Mapping[str, Any]) -> None:
        """Leave what trainings took, by the names of their curves: part of the report, not of what was made."""
        path = self.work / ABOUT
        before = json.loads(path.read_text(encoding="utf-8"))["training"] if path.exists() else {}
        write_atomic(path, json.dumps({"training": {**before, **told}}))

    def baseline(self, note: str, find: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """What simple means reach on the same splits; it depends on the data alone, so it is found once."""
        depends = {
            "versions": self.versions,
            "inputs": {"prepare": self.inputs["prepare"].digest},
            "seed": self.recipe.seed,
        }

        def make(out: Path, work: Path) -> None:
            self.progress.note(note)
            (out / BASELINE).write_text(json.dumps(find()), encoding="utf-8")

        artifact, _ = self.cache.obtain("baseline", depends, make)
        found: dict[str, Any] = artifact.json(BASELINE)
        return found

    def write_facts(self, facts: dict[str, Any]) -> None:
        """Leave this stage's part of the report."""
        (self.out / FACTS).write_text(json.dumps(facts, indent=1), encoding="utf-8")


def quality(
    test: Samples, logits: NDArray[np.float32], classes: list[str], role: str, seed: int
) -> dict[str, Any]:
    """Metrics with intervals, per class, and the confusion matrix of one model on the test split."""
    matrix = confusion_matrix(test.labels, logits.argmax(1).astype(np.int64), len(classes))
    return {
        "metrics": {role: summary(matrix, seed)},
        "classes": {role: per_class(matrix, classes)},
        "confusion": {role: matrix.tolist()},
    }


def sizes(network: nn.Module, file: Path, samples: Samples) -> dict[str, int]:
    """Bytes of the exported file, parameters, and operations for one sample."""
    example = torch.from_numpy(samples.inputs[:2])
    return {"bytes": file.stat().st_size, "parameters": parameters(network), "flops": flops(network, example)}


def time_files(
    files: Mapping[str, Path], inputs: Rows, batch: int, seconds: float, threads: int
) -> dict[int, dict[str, list[float]]]:
    """Seconds of all ONNX files in turns, on real samples, at batch 1 and at `batch`."""
    sessions = {name: OnnxModel(path, threads) for name, path in files.items()}
    result = {}
    for size in sorted({1, batch}):
        some = inputs[np.arange(size) % len(inputs)]
        runners = {name: partial(session, some) for name, session in sessions.items()}
        result[size] = interleave(runners, seconds / 2)
    return result
