"""An exported folder put to use: raw files in, what the model says of them out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bessemer.artifact import MANIFEST, open_artifact
from bessemer.data.readers import PREPROCESS, kind_of, read_one
from bessemer.data.record import Rejected
from bessemer.errors import ArtifactError, DataError
from bessemer.export.session import OnnxModel
from bessemer.task import find_task

MODEL = "model.onnx"


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
            yield {"path": str(path), **self._task.answer(self.model, inputs, top)}

    def told(self, result: Mapping[str, Any]) -> str:
        """One result in words."""
        if "error" in result:
            return f"cannot be read: {result['error']}"
        return self._task.told(result)
