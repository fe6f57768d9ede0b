"""An exported folder put to use: raw files in, what the model says of them out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bessemer.artifact import MANIFEST, open_artifact
from bessemer.data.readers import PREPROCESS, kind_of, read_one
from bessemer.data.record import Rejected
from bessemer.data.rows import Rows
from bessemer.errors import ArtifactError, DataError
from bessemer.export.session import OnnxModel
from bessemer.task import find_task

MODEL = "model.onnx"


class Known:
    """Outputs (B, ...) that were computed before, as a task asks a model for them."""

    def __init__(self, outputs: NDArray[np.float32]) -> None:
        self.outputs = outputs

    def __call__(self, inputs: NDArray[Any]) -> NDArray[np.float32]:
        return self.outputs

    def logits(self, inputs: Rows) -> NDArray[np.float32]:
        return self.outputs


def find_export(path: Path) -> Path:
    """The exported folder that `path` names: itself, or `export/onnx` of a run; checked against its manifest."""
    for folder in (path, path / "export" / "onnx"):
        if (folder / MODEL).exists() and (folder / PREPROCESS).exists():
            if (folder / MANIFEST).exists():
                open_artifact(folder)
            return folder
    if not path.exists():
        raise ArtifactError(f"{path}: no such folder", "give a run folder or an exported folder")
    raise ArtifactError(
        f"{path}: no exported model in it",
        "finish the run: `bessemer run RECIPE` says what is missing, or why nothing shipped",
    )


class Predictor:
    """Raw files in, what a model says of them out, with an exported folder that is checked against its manifest.

    The task that the model was trained for says how (bessemer.task.task.Predictor).
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        folder = find_export(path)
        try:
            self.about: dict[str, Any] = json.loads((folder / PREPROCESS).read_text(encoding="utf-8"))
            self.kind = kind_of(self.about)
            self._task = find_task(str(self.about.get("task", "classify"))).predictor(self.about, folder)
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            raise ArtifactError(f"{folder / PREPROCESS}: damaged ({error})", "export the model again") from error
        except DataError as error:  # of the tokenizer
            raise ArtifactError(error.problem, "export the model again") from error
        self.model = OnnxModel(folder / MODEL, threads)

    def predict(self, paths: list[Path], top: int = 3) -> Iterator[dict[str, Any]]:
        """For each file what the model says, or the reason why it cannot be read."""
        for path in paths:
            try:
                inputs = read_one(self._task.read, path)
            except Rejected as fate:
                yield {"path": str(path), "error": fate.reason}
                continue
            if not self.kind.whole_rows:
                yield {"path": str(path), **self._task.answer(self.model, inputs, top)}
                continue
            for row, outputs in enumerate(self.model.logits(inputs)):
                one = inputs[row : row + 1]
                yield {"path": str(path), "row": row + 1, **self._task.answer(Known(outputs[None]), one, top)}

    def told(self, result: Mapping[str, Any]) -> str:
        """One result in words, with the name of its file."""
        where = result["path"] + (f", row {result['row']}" if "row" in result else "")
        if "error" in result:
            return f"{where}: cannot be read: {result['error']}"
        return f"{where}: {self._task.told(result)}"
