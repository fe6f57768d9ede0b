"""Inputs in batches, as networks and exported files are asked for answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bessemer.data.rows import Rows

BATCH, TOKEN_BATCH = 256, 64


def blocks(inputs: Rows, of_tokens: bool) -> Iterator[NDArray[Any]]:
    """Inputs in batches; those of tokens are smaller, and without the padding that a whole batch shares."""
    size = TOKEN_BATCH if of_tokens else BATCH
    for start in range(0, len(inputs), size):
        block = inputs[start : start + size]
        yield trimmed(block) if of_tokens else block


def trimmed(tokens: NDArray[Any]) -> NDArray[Any]:
    """Tokens (B, T), padded with zeros, without the last columns that hold nothing else; one column at least."""
    used = np.flatnonzero(tokens.any(0))
    return np.ascontiguousarray(tokens[:, : int(used[-1]) + 1 if len(used) else 1])
