"""An exported folder put to use: image files in, classes and probabilities out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bessemer.artifact import MANIFEST, open_artifact
from bessemer.data.image import SUFFIXES, BadImageError, read_image
from bessemer.errors import ArtifactError, DataError
from bessemer.export.session import OnnxModel

MODEL, PREPROCESS = "model.onnx", "preprocess.json"


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
    """Classify image files with an exported folder, checked against its manifest."""

    def __init__(self, path: Path, threads: int = 1) -> None:
        folder = find_export(path)
        try:
            about: dict[str, Any] = json.loads((folder / PREPROCESS).read_text(encoding="utf-8"))
            self.size = (int(about["size"][0]), int(about["size"][1]))
            self.gray = about["color"] == "gray"
            self.classes: list[str] = about["classes"]
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise ArtifactError(f"{folder / PREPROCESS}: damaged ({error})", "export the model again") from error
        self.model = OnnxModel(folder / MODEL, threads)

    def probabilities(self, images: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Probabilities (N, K) of images (N, H, W, C)."""
        logits = self.model.logits(images).astype(np.float64)
        powers = np.exp(logits - logits.max(1, keepdims=True))
        result: NDArray[np.float64] = powers / powers.sum(1, keepdims=True)
        return result

    def predict(self, paths: list[Path], top: int = 3) -> Iterator[dict[str, Any]]:
        """For each file its most probable classes, or the reason why it cannot be read."""
        for path in paths:
            try:
                image = read_image(path, self.size, self.gray)
            except BadImageError as error:
                yield {"path": str(path), "error": str(error)}
                continue
            shares = self.probabilities(image[None])[0]
            best = np.argsort(-shares, kind="stable")[:top]
            ranked = [{"class": self.classes[i], "probability": float(shares[i])} for i in best]
            yield {"path": str(path), "class": ranked[0]["class"], "top": ranked}


def image_files(inputs: list[Path]) -> list[Path]:
    """The files that inputs name: files as given, folders with every image below them."""
    files: list[Path] = []
    for path in inputs:
        if path.is_dir():
            files += sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES)
        elif path.exists():
            files.append(path)
        else:
            raise DataError(f"{path}: no such file", "give image files, or folders of them")
    if not files:
        raise DataError(f"{inputs[0]}: no images in it", f"known: {', '.join(sorted(SUFFIXES))}")
    return files
