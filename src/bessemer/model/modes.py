"""Training and evaluation modes of layers, given back as they were found."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn
from torch.nn.modules.batchnorm import _NormBase


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


def wake(network: nn.Module) -> None:
    """Training mode for a network that is in evaluation mode as a whole; any other keeps the mode of each layer.

    So layers that their owner put into evaluation mode stay there. In a network that is there as a whole, such as
    one that was trained and given back, normalization whose weights are all frozen stays there too.
    """
    if any(layer.training for layer in network.modules()):
        return
    network.train()
    for layer in network.modules():
        weights = list(layer.parameters(recurse=False))
        if isinstance(layer, _NormBase) and weights and not any(weight.requires_grad for weight in weights):
            layer.eval()
