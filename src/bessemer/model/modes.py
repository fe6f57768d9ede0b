"""Training and evaluation modes of layers, given back as they were found."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def evaluating(*networks: nn.Module) -> Iterator[None]:
    """Put every layer into evaluation mode; afterwards each has its own mode again, whatever happened inside.

    `train(True)` would wake layers that their owner keeps in evaluation mode, such as frozen batch normalization.
    """
    before = {layer: layer.training for network in networks for layer in network.modules()}
    try:
        for layer in before:
            layer.training = False
        yield
    finally:
        for layer, training in before.items():
            layer.training = training
