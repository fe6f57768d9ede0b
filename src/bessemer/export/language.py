"""An exported language model put to use: bits per byte of raw text files, and how it would go on.

Nothing here needs torch. The file has no memory of what it read before, so each new token reads the window again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bessemer.data.record import Rejected
from bessemer.data.tokenize import load_tokenizer
from bessemer.errors import ArtifactError, DataError
from bessemer.export.inputs import PREPROCESS, TOKENIZER, clean_reader, read_one
from bessemer.export.session import OnnxModel

Logits = Callable[[NDArray[np.int32]], NDArray[np.float32]]
TOKENS, TEMPERATURE, TOP_K = 64, 0.8, 50  # of a continuation


def logit_nats(logits: NDArray[np.float32], targets: NDArray[np.int64]) -> NDArray[np.float32]:
    """Cross-entropy (B, T) in nats from logits (B, T, V), 0 where a target is below 0."""
    highest = logits.max(2, keepdims=True)
    said = np.take_along_axis(logits, np.maximum(targets, 0)[..., None], 2)
    nats = np.log(np.exp(logits - highest).sum(2)) + (highest - said)[..., 0]
    result: NDArray[np.float32] = np.where(targets >= 0, nats, 0)
    return result


def document_nats(logits: Logits, tokens: NDArray[np.int32], context: int) -> float:
    """What tokens (T,) but the first cost in nats, read in windows of `context`."""
    total = 0.0
    for start in range(0, len(tokens) - 1, context):
        stop = min(start + context, len(tokens) - 1)
        targets = tokens[None, start + 1 : stop + 1].astype(np.int64)
        total += float(logit_nats(logits(tokens[None, start:stop]), targets).sum())
    return total


def continue_text(
    logits: Logits, tokens: NDArray[np.int32], count: int, context: int, seed: int = 0
) -> NDArray[Any]:
    """`count` token ids that follow tokens (T,), drawn from the likeliest by a generator of this seed."""
    generator = np.random.default_rng(seed)
    every = list(tokens)
    for _ in range(count):
        last = logits(np.array([every[-context:]], np.int32))[0, -1].astype(np.float64) / TEMPERATURE
        best = np.argsort(-last, kind="stable")[:TOP_K]
        shares = np.exp(last[best] - last[best[0]])
        every.append(int(generator.choice(best, p=shares / shares.sum())))
    return np.array(every[len(tokens) :], np.int32)


class LanguagePredictor:
    """Reads raw text files with an exported folder of a language model."""

    modality = "text"

    def __init__(self, folder: Path, about: dict[str, Any], threads: int = 1) -> None:
        try:
            self.tokenizer = load_tokenizer(folder / TOKENIZER)
            self.lengths = self.tokenizer.byte_lengths()
            self.context, self.end = int(about["context"]), int(about["end"])
            self.read = clean_reader(about)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ArtifactError(f"{folder / PREPROCESS}: damaged ({error})", "export the model again") from error
        except DataError as error:  # of the tokenizer
            raise ArtifactError(error.problem, "export the model again") from error
        self.model = OnnxModel(folder / "model.onnx", threads)

    def predict(self, paths: list[Path], top: int = 3) -> Iterator[dict[str, Any]]:
        """For each file its bits per byte and a continuation, or the reason why it cannot be read."""
        for path in paths:
            try:
                text = read_one(self.read, path)
            except Rejected as fate:
                yield {"path": str(path), "error": fate.reason}
                continue
            yield {"path": str(path), **self.judge(text)}

    def judge(self, text: str) -> dict[str, Any]:
        """Bytes, tokens, bits per byte, and 64 tokens that could follow."""
        tokens = np.concatenate([[self.end], self.tokenizer.encode(text)]).astype(np.int32)
        nats = document_nats(self.model, np.append(tokens, np.int32(self.end)), self.context)
        size = len(text.encode("utf-8"))
        said = continue_text(self.model, tokens, TOKENS, self.context)
        ended = np.flatnonzero(said == self.end)
        said = said[: ended[0]] if len(ended) else said
        return {
            "bytes": size,
            "tokens": len(tokens) - 1,
            "bits_per_byte": nats / math.log(2) / max(1, size),
            "continuation": self.tokenizer.decode(said),
        }
