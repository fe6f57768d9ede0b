"""How well a language model says a text: bits per byte, with an interval over documents.

Bits per byte count what every token of a split costs, those that end documents too, over the bytes of its text.
They do not depend on the vocabulary, so models with different tokenizers, and compressors, can be compared.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bessemer import draws

if TYPE_CHECKING:
    from torch import nn

    from bessemer.data.dataset import Samples

TokenNats = Callable[[NDArray[np.int32], NDArray[np.int64]], NDArray[np.floating]]
RESAMPLES = 1000
LOGITS = 1 << 25  # numbers that are held at once: 128 MiB of float32


@dataclass(frozen=True)
class Scores:
    """Nats and bytes (D,) of each document of a split, in order, and the number of tokens."""

    nats: NDArray[np.float64]
    bytes: NDArray[np.int64]
    tokens: int

    @property
    def bits_per_byte(self) -> float:
        """Bits that the whole text costs, over its bytes."""
        return float(self.nats.sum()) / math.log(2) / max(1, int(self.bytes.sum()))


def score(token_nats: TokenNats, windows: Samples, byte_lengths: NDArray[np.int64], end: int) -> Scores:
    """Ask for every token of a split once.

    `token_nats` gives nats (B, T) from tokens and targets (B, T); `byte_lengths` (V,) is what tokens stand for. A
    document begins behind a token `end` and holds the one that ends it.
    """
    size = windows_at_once(windows.inputs.shape[1], len(byte_lengths))  # type: ignore[attr-defined]
    parts: list[tuple[int, NDArray[Any]]] = []
    tokens = before = 0
    for start in range(0, len(windows), size):
        inputs, targets = windows.inputs[start : start + size], windows.labels[start : start + size]
        real = (targets >= 0).flatten()
        nats = token_nats(inputs, targets).astype(np.float64).flatten()[real]
        document = before + np.cumsum(inputs.flatten()[real] == end)
        first, before = before, int(document[-1])
        sizes = byte_lengths[targets.flatten()[real]].astype(np.float64)
        parts.append((first, np.stack([np.bincount(document - first, one) for one in (nats, sizes)])))
        tokens += len(nats)
    every = np.zeros((2, before + 1))
    for first, sums in parts:
        every[:, first : first + sums.shape[1]] += sums
    # What has no byte of its own, such as an empty document, counts for the one before.
    groups = np.maximum(np.cumsum(every[1] > 0) - 1, 0)
    costs, counts = (np.bincount(groups, row).astype(np.float64) for row in every)
    return Scores(costs, counts.astype(np.int64), tokens)


def windows_at_once(context: int, vocabulary: int) -> int:
    """Windows whose logits are held at once."""
    return int(np.clip(LOGITS // (context * vocabulary), 1, 64))


def some_windows(windows: Samples, tokens: int) -> Samples:
    """About so many tokens of a split, evenly spread."""
    context = windows.inputs.shape[1]  # type: ignore[attr-defined]
    count = min(len(windows), max(1, tokens // context))
    return windows.at(np.linspace(0, len(windows) - 1, count).astype(np.int64))


def summary(scores: Scores, seed: int = 0) -> dict[str, float]:
    """Bits per byte as `value`, with `low` and `high` (95%, bootstrap over documents) where there are several."""
    found = {"value": scores.bits_per_byte}
    count = len(scores.nats)
    if count < 2:
        return found
    generator = draws.generator(draws.Stream.BOOTSTRAP, seed)
    drawn = []
    for _ in range(RESAMPLES):
        some = generator.integers(0, count, count)
        drawn.append(scores.nats[some].sum() / math.log(2) / max(1, scores.bytes[some].sum()))
    low, high = np.percentile(drawn, [2.5, 97.5])
    return {**found, "low": float(low), "high": float(high)}


def saved(before: Scores, after: Scores, seed: int = 0) -> tuple[float, float | None, float | None]:
    """Bits per byte that `after` saves on the same documents, and the 95% interval of a paired bootstrap."""
    gain = before.bits_per_byte - after.bits_per_byte
    count = len(before.nats)
    if count < 2:
        return gain, None, None
    generator = draws.generator(draws.Stream.BOOTSTRAP, seed)
    fewer = (before.nats - after.nats) / math.log(2)
    drawn = []
    for _ in range(RESAMPLES):
        some = generator.integers(0, count, count)
        drawn.append(fewer[some].sum() / max(1, before.bytes[some].sum()))
    low, high = np.percentile(drawn, [2.5, 97.5])
    return gain, float(low), float(high)


def logit_nats(logits: NDArray[np.float32], targets: NDArray[np.int64]) -> NDArray[np.float32]:
    """Cross-entropy (B, T) in nats from logits (B, T, V), 0 where a target is below 0."""
    highest = logits.max(2, keepdims=True)
    said = np.take_along_axis(logits, np.maximum(targets, 0)[..., None], 2)
    nats = np.log(np.exp(logits - highest).sum(2)) + (highest - said)[..., 0]
    result: NDArray[np.float32] = np.where(targets >= 0, nats, 0)
    return result


def torch_nats(model: nn.Module) -> TokenNats:
    """What `score` asks, answered by a torch model where it is."""
    import torch

    from bessemer.task.language.objective import token_losses

    device = next(model.parameters()).device

    @torch.no_grad()
    def answer(tokens: NDArray[np.int32], targets: NDArray[np.int64]) -> NDArray[np.floating]:
        logits = model(torch.from_numpy(tokens).to(device))
        nats: NDArray[np.floating] = token_losses(logits, torch.from_numpy(targets).to(device)).cpu().numpy()
        return nats

    model.eval()
    return answer
