"""An exported folder put to use: raw files in, classes and probabilities out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bessemer.artifact import MANIFEST, open_artifact
from bessemer.data.record import Rejected
from bessemer.errors import ArtifactError, DataError
from bessemer.export.inputs import PREPROCESS, read_one, reader
from bessemer.export.language import LanguagePredictor
from bessemer.export.session import OnnxModel

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


def open_predictor(path: Path, threads: int = 1) -> Predictor | LanguagePredictor:
    """What puts an exported folder to use, by the task that its model was trained for."""
    folder = find_export(path)
    try:
        about = json.loads((folder / PREPROCESS).read_text(encoding="utf-8"))
    except ValueError:
        about = None  # the predictor says what is damaged
    if isinstance(about, dict) and about.get("task") == "language":
        return LanguagePredictor(folder, about, threads)
    return Predictor(path, threads)


class Predictor:
    """Classify raw files with an exported folder, checked against its manifest."""

    def __init__(self, path: Path, threads: int = 1) -> None:
        folder = find_export(path)
        try:
            self.about: dict[str, Any] = json.loads((folder / PREPROCESS).read_text(encoding="utf-8"))
            self.modality = str(self.about.get("modality", "image"))
            self.classes: list[str] = self.about["classes"]
            self.read = reader(self.about, folder)
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            raise ArtifactError(f"{folder / PREPROCESS}: damaged ({error})", "export the model again") from error
        except DataError as error:  # of the tokenizer
            raise ArtifactError(error.problem, "export the model again") from error
        self.model = OnnxModel(folder / MODEL, threads)

    def probabilities(self, inputs: NDArray[Any]) -> NDArray[np.float64]:
        """Probabilities (N, K) of inputs (N, ...) as the model takes them."""
        logits = self.model.logits(inputs).astype(np.float64)
        powers = np.exp(logits - logits.max(1, keepdims=True))
        result: NDArray[np.float64] = powers / powers.sum(1, keepdims=True)
        return result

    def predict(self, paths: list[Path], top: int = 3) -> Iterator[dict[str, Any]]:
        """For each file its most probable classes, or the reason why it cannot be read.

        Of a recording that is cut into clips, the probabilities are the mean over its clips.
        """
        for path in paths:
            try:
                inputs = read_one(self.read, path)
            except Rejected as fate:
                yield {"path": str(path), "error": fate.reason}
                continue
            shares = self.probabilities(inputs).mean(0)
            best = np.argsort(-shares, kind="stable")[:top]
            ranked = [{"class": self.classes[i], "probability": float(shares[i])} for i in best]
            yield {"path": str(path), "class": ranked[0]["class"], "top": ranked}
