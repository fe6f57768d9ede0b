"""Static int8 quantization after training, with ranges from calibration data.

Weights are rounded per output channel. The range of each activation is the one that loses least on the
calibration data in the mean square: clipping rare large values often costs less than rounding everything
coarsely (Sung et al., "Resiliency of deep neural networks under quantization", 2015). The result is a network
in integers (see bessemer.model.quantized) and the edit that rebuilds it.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, fx, nn

from bessemer.errors import UsageError
from bessemer.model.quantized import LEAVES, IntegerLayer, QuantizePoint, find_points, insert_points, trace
from bessemer.model.surgery import Edit

LEVELS = 255
SHRINKS = [1 - 0.05 * i for i in range(15)]
KEPT_VALUES = 200_000
CALIBRATION_BATCH = 64


def quantize(model: nn.Module, calibration: Tensor) -> tuple[nn.Module, Edit]:
    """A copy of a traceable model in 8-bit integers, and its edit.

    `calibration` (N, ...) holds inputs as the model takes them, a few hundred of the training data; N at
    least 1. Raises UsageError where the model cannot be traced or has nothing to quantize.
    """
    if len(calibration) == 0:
        raise UsageError("no calibration data", "give at least one batch of training inputs")
    if any(isinstance(m, (QuantizePoint, IntegerLayer)) for m in model.modules()):
        raise UsageError("the model is quantized already", "quantize the model it was made from")
    graph = trace(copy.deepcopy(model).cpu())
    points = find_points(graph)
    if not any(isinstance(m, LEAVES) for m in graph.modules()):
        raise UsageError(f"{type(model).__name__} has nothing to quantize", "it needs Conv2d or Linear layers")
    ranges = observe(graph, points, calibration)
    scales = {name: choose_scale(*found) for name, found in ranges.items()}
    edit: Edit = {"edit": "quantize", "activations": {name: list(pair) for name, pair in scales.items()}}
    return insert_points(graph, scales).eval(), edit


def observe(
    graph: fx.GraphModule, points: list[fx.Node], calibration: Tensor
) -> dict[str, tuple[float, float, Tensor]]:
    """Lowest and highest value at each point over the calibration data, and an even sample of the values."""
    names = {node.name for node in points}
    found: dict[str, tuple[float, float, list[Tensor]]] = {}
    batches = torch.split(calibration.cpu(), CALIBRATION_BATCH)
    share = KEPT_VALUES // len(batches) + 1

    class Observer(fx.Interpreter):
        def run_node(self, n: fx.Node) -> Any:
            value = super().run_node(n)
            if n.name in names:
                flat = value.detach().float().flatten()
                if not flat.isfinite().all():
                    raise UsageError(f"values at {n.name} are not finite", "check the calibration data")
                low, high, kept = found.get(n.name, (0.0, 0.0, []))
                kept.append(flat[:: max(1, len(flat) // share)].clone())
                found[n.name] = (min(low, float(flat.min())), max(high, float(flat.max())), kept)
            return value

    with torch.no_grad():
        for batch in batches:
            Observer(graph).run(batch)
    return {name: (low, high, torch.cat(kept)) for name, (low, high, kept) in found.items()}


def choose_scale(low: float, high: float, values: Tensor) -> tuple[float, int]:
    """Scale and zero point (0 to 255) whose range [low, high], shrunk by a common factor, loses least.

    Zero is always exact, since padding and ReLU give it often.
    """
    best, best_loss = (1.0, 0), float("inf")
    for shrink in SHRINKS:
        scale, zero = scale_of(low * shrink, high * shrink)
        rounded = torch.fake_quantize_per_tensor_affine(values, scale, zero, 0, LEVELS)
        loss = float((rounded - values).double().pow(2).mean())
        if loss < best_loss:
            best, best_loss = (scale, zero), loss
    return best


def scale_of(low: float, high: float) -> tuple[float, int]:
    """Scale and zero point of a range that includes 0; a range of no width gets scale 1."""
    scale = float(torch.tensor((high - low) / LEVELS))  # as float32, the type it is stored in
    if scale <= 0:
        return 1.0, 0
    return scale, max(0, min(LEVELS, round(-low / scale)))
