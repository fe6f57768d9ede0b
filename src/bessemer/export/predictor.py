"""An exported folder put to use: raw files in, what the model says of them out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bessemer.artifact import MANIFEST, open_artifact
from bessemer.data.readers import PREPROCESS, kind_of
from bessemer.data.record import Rejected
from bessemer.data.rows import Rows
from bessemer.errors import ArtifactError, DataError
from bessemer.export.session import OnnxModel
from bessemer.task import find_task

MODEL = "model.onnx"
ROWS = 1024  # of a file that are answered at once


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
                if self.kind.whole_rows:
                    yield from self._rows(path, top)
                    continue
                inputs = self._task.read(path)
            except Rejected as fate:
                yield {"path": str(path), "error": fate.reason}
                continue
            except OSError as error:
                yield {"path": str(path), "error": error.strerror or "cannot be read"}
                continue
            yield {"path": str(path), **self._task.answer(self.model, inputs, top)}

    def _rows(self, path: Path, top: int) -> Iterator[dict[str, Any]]:
        """What the model says of each row of a file, and which cells could not be read."""
        rows = self.kind.rows(self.about)(path)
        while some := list(islice(rows, ROWS)):
            inputs = [row.inputs for row in some if row.inputs is not None]
            outputs = list(self.model.logits(np.array(inputs))) if inputs else []
            for row in some:
                told: dict[str, Any] = {"path": str(path), "row": row.number}
                if row.inputs is None:
                    yield {**told, "error": row.error}
                    continue
                answer = self._task.answer(Known(outputs.pop(0)[None]), row.inputs[None], top)
                yield {**told, **answer, **({"odd": list(row.odd)} if row.odd else {})}

    def told(self, result: Mapping[str, Any]) -> str:
        """One result in words, with the name of its file."""
        where = result["path"] + (f", row {result['row']}" if "row" in result else "")
        if "error" in result:
            return f"{where}: cannot be read: {result['error']}"
        odd = f"  ({'; '.join(result['odd'])})" if result.get("odd") else ""
        return f"{where}: {self._task.told(result)}{odd}"
