"""Low-rank adaptation (Hu et al., "LoRA: low-rank adaptation of large language models", 2021).

A linear layer's weight W stays, and two small factors learn its change: W + alpha / rank · B A. The factors are
parameters of the layer itself, added to its outputs by a hook, so the gradient of the whole W is never computed
and its optimizer state never held. In the end they are merged into W: the network, its architecture and the names
of its weights are then what they were.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.hooks import RemovableHandle

from bessemer.draws import Stream, seed_for
from bessemer.errors import UsageError
from bessemer.train.methods import Method
from bessemer.train.methods.freeze.hooks import begins
from bessemer.train.methods.lora import LoraConfig

DOWN, UP = "lora_down", "lora_up"


def add_lora(
    layer: nn.Linear, rank: int, alpha: float, generator: torch.Generator | None = None
) -> RemovableHandle:
    """Give a linear layer (D to E) the factors A (rank, D), random, and B (E, rank), zero; its own weights stay.

    Its answers are the same at first, since B A is zero. Pass what it returns to `merge_lora`.
    """
    bound = 1 / math.sqrt(layer.in_features)  # as linear layers start
    down = torch.rand(rank, layer.in_features, generator=generator) * 2 * bound - bound
    device, dtype = layer.weight.device, layer.weight.dtype
    layer.register_parameter(DOWN, nn.Parameter(down.to(device, dtype)))
    layer.register_parameter(UP, nn.Parameter(torch.zeros(layer.out_features, rank, device=device, dtype=dtype)))
    scale = alpha / rank

    def add(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        return output + scale * F.linear(F.linear(inputs[0], module.lora_down), module.lora_up)  # type: ignore[arg-type]

    layer.weight.requires_grad_(False)
    if layer.bias is not None:
        layer.bias.requires_grad_(False)
    return layer.register_forward_hook(add)


@torch.no_grad()
def merge_lora(layer: nn.Linear, rank: int, alpha: float, hook: RemovableHandle) -> None:
    """Add the product of the factors to the weight and take them away: W ← W + alpha / rank · B A."""
    layer.weight += alpha / rank * (getattr(layer, UP) @ getattr(layer, DOWN))
    for name in (DOWN, UP):
        delattr(layer, name)
    hook.remove()


def layers_for_lora(model: nn.Module, ends: Sequence[str]) -> dict[str, nn.Linear]:
    """Linear layers whose names end with one of `ends`, or all of them, by name.

    Tied weights, which other layers read, are left out, and subclasses of linear layers: torch's attention reads
    the weight of its own without calling the layer. Raises UsageError where an end stands for no such layer, or
    there is none.
    """
    names = Counter(id(parameter) for _, parameter in model.named_parameters(remove_duplicate=False))
    linear = {
        name: module
        for name, module in model.named_modules()
        if type(module) is nn.Linear and names[id(module.weight)] == 1
    }
    for end in ends or [""]:
        if not any(_ends(name, end) for name in linear):
            remedy = f"there are {', '.join(linear) or 'none'}; see train.lora.layers"
            raise UsageError(f"lora: no untied nn.Linear has a name that ends with {end!r}", remedy)
    return {name: module for name, module in linear.items() if not ends or any(_ends(name, end) for end in ends)}


def _ends(name: str, end: str) -> bool:
    return not end or name == end or name.endswith(f".{end}")


class Lora(Method):
    """Trains low-rank changes of linear layers, and whole what `config.full` names; all else stays."""

    name = "lora"

    def __init__(self, config: LoraConfig, seed: int) -> None:
        self.config = config
        self.seed = seed
        self.adapted: list[tuple[str, nn.Linear, RemovableHandle]] = []
        self.frozen: list[nn.Parameter] = []

    def prepare(self, model: nn.Module) -> None:
        full = self.config.full
        for prefix in full:
            if not any(begins(name, prefix) for name, _ in model.named_parameters()):
                raise UsageError(f"lora: no parameter's name begins with {prefix!r}", "change train.lora.full")
        found = layers_for_lora(model, self.config.layers)
        layers = {name: layer for name, layer in found.items() if not any(begins(name, one) for one in full)}
        if not layers:
            raise UsageError("lora: every layer it could adapt is in full", "shorten train.lora.full")
        self.frozen = [
            parameter
            for name, parameter in model.named_parameters()
            if parameter.requires_grad and not any(begins(name, prefix) for prefix in full)
        ]
        for parameter in self.frozen:
            parameter.requires_grad_(False)
        for number, (name, layer) in enumerate(layers.items()):
            generator = torch.Generator().manual_seed(seed_for(Stream.LORA, self.seed, number))
            self.adapted.append((name, layer, add_lora(layer, self.config.rank, self.config.alpha, generator)))

    def after_step(self, model: nn.Module, step: int) -> None:
        for name, layer, _ in self.adapted:
            if getattr(layer, UP).grad is None:
                problem = f"lora: the model reads the weight of {name!r} without calling the layer"
                raise UsageError(problem, "name other layers in train.lora.layers")

    def release(self) -> None:
        for _, layer, hook in self.adapted:
            merge_lora(layer, self.config.rank, self.config.alpha, hook)
        for parameter in self.frozen:
            parameter.requires_grad_(True)
        self.adapted, self.frozen = [], []
