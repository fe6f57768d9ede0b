"""The simple model of a kind of data as a torch module: fixed features, and one linear layer that is fitted.

It takes what networks take and gives what they give, so it can be saved, exported and measured as any of them.
What scikit-learn fits on the features is put into the linear layer; means and scales of the features go there too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bessemer.data.rows import Rows

F64 = NDArray[np.float64]
AT_ONCE = 32  # samples; more leave the processor's cache, and took longer
LEAST = 1e-6  # a deviation below which a feature does not vary


class Linear(nn.Module):
    """Dense features and a linear layer: inputs (B, ...) to logits or numbers (B, K).

    `features` gives float32 (B, F) and says as `groups` how many neighbors share a scale, in order; F in all.
    """

    def __init__(self, features: nn.Module, groups: Sequence[int], outputs: int) -> None:
        super().__init__()
        self.features = features
        self.groups = list(groups)
        self.head = nn.Linear(sum(groups), outputs)
        self.center: NDArray[np.float32] = np.zeros(sum(groups), np.float32)
        self.spread: NDArray[np.float32] = np.ones(sum(groups), np.float32)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.head(self.features(inputs))
        return outputs

    def learn(self, inputs: Rows) -> NDArray[np.float32]:
        """Features (N, F) of training inputs with mean 0 and deviation 1 in each group, which are kept."""
        found = measured(self.features, inputs, len(self.center))
        self.center = found.mean(0, dtype=np.float64).astype(np.float32)
        found -= self.center
        rows = range(0, len(found), AT_ONCE)
        variances = sum(np.square(found[row : row + AT_ONCE]).sum(0, dtype=np.float64) for row in rows) / len(
            found
        )
        ends = np.cumsum(self.groups)
        shared = [variances[end - size : end].mean() for end, size in zip(ends, self.groups, strict=True)]
        spread = np.repeat(np.sqrt(shared), self.groups).astype(np.float32)
        self.spread = np.where(spread > LEAST, spread, np.float32(1))
        found /= self.spread
        return found

    def measure(self, inputs: Rows) -> NDArray[np.float32]:
        """The same features (N, F) of other inputs, with the means and deviations that were learned."""
        found = measured(self.features, inputs, len(self.center))
        found -= self.center
        found /= self.spread
        return found

    @torch.no_grad()
    def take(self, weights: F64, offsets: F64) -> None:
        """Give the linear layer what was fitted on these features: weights (K, F), offsets (K,)."""
        folded = weights / self.spread
        self.head.weight.copy_(torch.from_numpy(folded))
        self.head.bias.copy_(torch.from_numpy(offsets - folded @ self.center.astype(np.float64)))


def measured(features: nn.Module, inputs: Rows, width: int) -> NDArray[np.float32]:
    """Features float32 (N, F) of any number of inputs; only a few are held at a time."""
    out = np.empty((len(inputs), width), np.float32)
    with torch.inference_mode(), one_thread():
        for start in range(0, len(inputs), AT_ONCE):
            block = np.asarray(inputs[start : start + AT_ONCE])
            out[start : start + len(block)] = features(torch.from_numpy(block.copy())).numpy()
    return out


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch on one thread: how many there are must not change the last bits of what is prepared."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
