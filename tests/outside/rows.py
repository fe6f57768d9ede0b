"""A stranger's kind of data: rows of numbers, from small files or from the cells of a table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from bessemer.config import Config
from bessemer.data.kind import Kind, Simple
from bessemer.data.record import Clean, Cleaner, Rejected
from bessemer.data.rows import one_pass, write_fixed


class RowCleaner(Cleaner):
    """Text to as many numbers as the settings say."""

    def __init__(self, length: int) -> None:
        self.settled = {"length": length}

    def clean(self, raw: Any) -> Any:
        text = raw.value.read_text() if isinstance(raw.value, Path) else raw.value
        yield Clean(numbers(text, self.settled["length"]).tobytes(), self.settled["length"])


def numbers(text: str, length: int) -> np.ndarray:
    """Numbers float32 (length,), with spaces or line ends between them."""
    try:
        found = np.array(text.split(), np.float32)
    except ValueError as error:
        raise Rejected("not a number", str(error)) from error
    if len(found) != length:
        raise Rejected("wrong length", f"{len(found)} numbers")
    return found


class Rows(Kind):
    """Inputs are float32 (N, length)."""

    class Settings(Config):
        length: int = Field(8, ge=1, description="numbers of a row")

    noun = "rows of numbers"
    unit = "numbers"
    example = "one.row"
    suffixes = frozenset({".row"})
    simple = Simple("logistic regression on the numbers")

    def cleaner(self, config: Any) -> Cleaner:
        return RowCleaner(config.settings["length"])

    def finish(self, config: Any, settled: Any, kept: Any, out: Path) -> dict[str, Any]:
        blocks = (row.view("<f4")[None] for row in kept.payloads())
        inputs = write_fixed(out, "inputs", blocks, (settled["length"],), "<f4", config.shard_mib)
        train = one_pass(out, inputs)[kept.train]
        arguments = {"mean": train.mean(0).tolist(), "std": (train.std(0) + 1e-6).tolist()}
        return {"inputs": inputs, "arguments": arguments, "preprocess": {"length": settled["length"]}}

    def columns(self, values: Any, arguments: Any) -> Any:
        found = np.asarray(values[:])
        return found, np.zeros(found.shape[1], bool)  # no column holds codes

    def reader(self, about: Any, folder: Path) -> Any:
        return lambda path: numbers(path.read_text(), about["length"])[None]

    def told(self, about: Any) -> str:
        return f"rows of {about['preprocess']['length']} numbers"
