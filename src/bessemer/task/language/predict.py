"""A language model put to use: bits per byte of raw text files, and how it would go on.

Nothing here needs torch. The file has no memory of what it read before, so each new token reads the window again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bessemer import draws
from bessemer.data.text.read import TOKENIZER, clean_reader
from bessemer.data.text.tokenize import load_tokenizer
from bessemer.errors import UsageError
from bessemer.task.language.score import logit_nats

if TYPE_CHECKING:
    from bessemer.model.answers import Answers

Logits = Callable[[NDArray[np.int32]], NDArray[np.float32]]
TOKENS, TEMPERATURE, TOP_K = 64, 0.8, 50  # of a continuation


def document_nats(logits: Logits, tokens: NDArray[np.int32], context: int) -> float:
    """What tokens (T,) but the first cost in nats, read in windows of `context`."""
    total = 0.0
    for start in range(0, len(tokens) - 1, context):
        stop = min(start + context, len(tokens) - 1)
        targets = tokens[None, start + 1 : stop + 1].astype(np.int64)
        total += float(logit_nats(logits(tokens[None, start:stop]), targets).sum())
    return total


def continue_text(
    logits: Logits,
    tokens: NDArray[np.int32],
    count: int,
    context: int,
    seed: int = 0,
    temperature: float = TEMPERATURE,
) -> NDArray[Any]:
    """`count` token ids that follow tokens (T,), drawn from the likeliest by a generator of this seed.

    Logits are divided by `temperature`; 0 takes the likeliest token each time.
    """
    generator = draws.generator(draws.Stream.CONTINUE, seed)
    every = list(tokens)
    for _ in range(count):
        last = logits(np.array([every[-context:]], np.int32))[0, -1].astype(np.float64)
        best = np.argsort(-last, kind="stable")[: TOP_K if temperature else 1]
        shares = np.exp((last[best] - last[best[0]]) / (temperature or 1))
        every.append(int(generator.choice(best, p=shares / shares.sum())))
    return np.array(every[len(tokens) :], np.int32)


class TextPredictor:
    """Bits per byte of raw text files, and a continuation of each."""

    def __init__(self, about: Mapping[str, Any], folder: Path) -> None:
        self.tokenizer = load_tokenizer(folder / TOKENIZER)
        self.lengths = self.tokenizer.byte_lengths()
        self.context, self.end = int(about["context"]), int(about["end"])
        self.read = clean_reader(dict(about))
        self.count, self.temperature, self.seed = TOKENS, TEMPERATURE, 0

    def adjust(self, tokens: int = TOKENS, temperature: float = TEMPERATURE, seed: int = 0) -> None:
        """How a text is gone on with: at most so many tokens, drawn at a temperature, from a seed."""
        if tokens < 0 or temperature < 0 or seed < 0:
            raise UsageError(
                f"tokens {tokens}, temperature {temperature:g}, seed {seed}: none of them can be below 0",
                "take a temperature of 0 for the likeliest tokens, or leave it out",
            )
        self.count, self.temperature, self.seed = tokens, temperature, seed

    def answer(self, model: Answers, inputs: str, top: int) -> dict[str, Any]:
        """Bytes, tokens, bits per byte, and tokens that could follow."""
        tokens = np.concatenate([[self.end], self.tokenizer.encode(inputs)]).astype(np.int32)
        nats = document_nats(model, np.append(tokens, np.int32(self.end)), self.context)
        size = len(inputs.encode("utf-8"))
        said = continue_text(model, tokens, self.count, self.context, self.seed, self.temperature)
        ended = np.flatnonzero(said == self.end)
        said = said[: ended[0]] if len(ended) else said
        return {
            "bytes": size,
            "tokens": len(tokens) - 1,
            "bits_per_byte": nats / math.log(2) / max(1, size),
            "continuation": self.tokenizer.decode(said),
        }

    def told(self, answer: Mapping[str, Any]) -> str:
        """The figures, and the continuation below them."""
        size = f"{answer['bytes']:,} bytes as {answer['tokens']:,} tokens"
        return f"{answer['bits_per_byte']:.3f} bits per byte ({size}); it could go on:\n{answer['continuation']}"
