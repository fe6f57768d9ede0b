"""A regression put to use: raw files in, numbers out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bessemer.data.readers import reader
from bessemer.report.units import unit_for

if TYPE_CHECKING:
    from bessemer.model.answers import Answers


class NumberPredictor:
    """The numbers of raw files, in the unit of the targets."""

    def __init__(self, about: Mapping[str, Any], folder: Path) -> None:
        self.names = [str(one["name"]) for one in about["targets"]]
        self.units = [unit_for(float(one["std"])) for one in about["targets"]]
        self._read = reader(dict(about), folder)

    def read(self, source: Any) -> NDArray[Any]:
        """Inputs (n, ...) of a file or a cell: one, or the clips or pieces of a long file."""
        return self._read(source)

    def answer(self, model: Answers, inputs: NDArray[Any], top: int) -> dict[str, Any]:
        """`number`, or `numbers` by name where there are several; of a file in parts the mean over them."""
        found = [float(one) for one in model.logits(inputs).astype(np.float64).mean(0)]
        return {"number": found[0]} if len(found) == 1 else {"numbers": dict(zip(self.names, found, strict=True))}

    def told(self, answer: Mapping[str, Any]) -> str:
        """Numbers on one line, with three digits of what targets differ by."""
        if "number" in answer:
            return self.units[0].value(answer["number"])
        named = zip(answer["numbers"].items(), self.units, strict=True)
        return "  ".join(f"{name} {unit.value(number)}" for (name, number), unit in named)

    def flat(self, answer: Mapping[str, Any]) -> dict[str, Any]:
        """The number, or each of several by its name."""
        if "number" in answer:
            return {"predicted": answer["number"]}
        return {f"predicted {name}": number for name, number in answer["numbers"].items()}
