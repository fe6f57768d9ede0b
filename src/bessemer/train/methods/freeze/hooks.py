"""Freezing of layers: they are used, but not trained (Yosinski et al., "How transferable are features", 2014).

The optimizer does not hold their weights, so no decay moves them either, and the statistics of their batch
normalizations stay.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from bessemer.errors import UsageError
from bessemer.train.methods import Method


def freeze(model: nn.Module, prefixes: Sequence[str]) -> list[nn.Parameter]:
    """Stop gradients of all parameters whose names begin with one of `prefixes`; returns those that it stopped.

    `stem` stands for `stem.0.weight`, but not for `stems.0.weight`. Raises UsageError where a prefix stands for
    nothing or nothing is left to train.
    """
    frozen = []
    for prefix in prefixes:
        named = model.named_parameters(remove_duplicate=False)
        found = [parameter for name, parameter in named if begins(name, prefix)]
        if not found:
            tops = ", ".join(name for name, child in model.named_children() if list(child.parameters()))
            raise UsageError(f"freeze: no parameter's name begins with {prefix!r}", f"there are {tops}")
        frozen += [parameter for parameter in found if parameter.requires_grad]
        for parameter in found:
            parameter.requires_grad_(False)
    if not any(parameter.requires_grad for parameter in model.parameters()):
        for parameter in frozen:
            parameter.requires_grad_(True)
        raise UsageError("freeze: nothing is left to train", "take a prefix out of train.freeze")
    return frozen


def begins(name: str, prefix: str) -> bool:
    """Whether a dotted name is `prefix` or stands below it."""
    return name == prefix or name.startswith(f"{prefix}.")


class Freeze(Method):
    """Freezes parameters and batch statistics before the optimizer is made."""

    name = "freeze"

    def __init__(self, prefixes: Sequence[str]) -> None:
        self.prefixes = list(prefixes)
        self.parameters: list[nn.Parameter] = []

    def prepare(self, model: nn.Module) -> None:
        self.parameters = freeze(model, self.prefixes)
        for name, module in model.named_modules():
            is_norm = isinstance(module, nn.modules.batchnorm._BatchNorm)
            if is_norm and any(begins(name, prefix) for prefix in self.prefixes):
                module.eval()

    def release(self) -> None:
        for parameter in self.parameters:
            parameter.requires_grad_(True)
        self.parameters = []
