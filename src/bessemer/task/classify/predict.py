"""A classifier put to use: raw files in, classes and probabilities out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bessemer.data.readers import reader
from bessemer.task.classify.task import softmax

if TYPE_CHECKING:
    from bessemer.model.answers import Answers


class ClassPredictor:
    """The most probable classes of raw files."""

    def __init__(self, about: Mapping[str, Any], folder: Path) -> None:
        self.classes: list[str] = list(about["classes"])
        self._read = reader(dict(about), folder)

    def read(self, source: Any) -> NDArray[Any]:
        """Inputs (n, ...) of a file or a cell: one, or the clips or pieces of a long file."""
        return self._read(source)

    def answer(self, model: Answers, inputs: NDArray[Any], top: int) -> dict[str, Any]:
        """The `top` most probable classes; of a file in several parts the mean over them."""
        shares = softmax(model.logits(inputs)).mean(0)
        best = np.argsort(-shares, kind="stable")[:top]
        ranked = [{"class": self.classes[i], "probability": float(shares[i])} for i in best]
        return {"class": ranked[0]["class"], "top": ranked}

    def told(self, answer: Mapping[str, Any]) -> str:
        """Classes and probabilities on one line."""
        return "  ".join(f"{one['class']} {one['probability']:.1%}" for one in answer["top"])

    def flat(self, answer: Mapping[str, Any]) -> dict[str, Any]:
        """The class, its probability and, where all are listed, that of each class in the order of the file."""
        first, listed = answer["top"][0], {one["class"]: one["probability"] for one in answer["top"]}
        row = {"predicted": first["class"], "probability": first["probability"]}
        if len(listed) == len(self.classes):
            row |= {f"probability of {name}": listed[name] for name in self.classes}
        return row
