"""Static int8 quantization after training, with ranges from calibration data.

Weights are rounded per output channel. The range of each activation is the one that loses least on the
calibration data in the mean square: clipping rare large values often costs less than rounding everything
coarsely (Sung et al., "Resiliency of deep neural networks under quantization", 2015). The result is a network
in integers (see bessemer.model.quantized) and the edit that rebuilds it.
"""

from __future__ import annotations

import copy
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, fx, nn

from bessemer.compress.edited import Edited, short_table
from bessemer.compress.steps import INTEGERS, Lab, Made, Step
from bessemer.data.given import inputs_of
from bessemer.errors import UsageError
from bessemer.model.quantized import (
    FULL,
    LEAVES,
    REDUCED,
    IntegerEmbedding,
    IntegerLayer,
    QuantizePoint,
    find_points,
    insert_points,
    trace,
)
from bessemer.model.surgery import Edit
from bessemer.report.format import plural, size
from bessemer.runtime import has_dot_products

LEVELS = 255
SHRINKS = [1 - 0.05 * i for i in range(15)]
KEPT_VALUES = 200_000
CALIBRATION_BATCH = 64
CALIBRATION = 512  # inputs that set the ranges, where data gives more


def quantize(model: nn.Module, calibration: Any, weight_limit: int | None = None) -> Edited:
    """A copy of a traceable model in 8-bit integers, and its edit.

    `calibration` (N, ...) holds inputs as the model takes them, a few hundred of the training data, N at least 1;
    or it is data (see bessemer.data.given), of which 512 inputs are taken. Weights become integers from
    -`weight_limit` to `weight_limit`: 127, or 63 for processors without 8-bit dot products (see
    bessemer.model.quantized.REDUCED); by default what this one needs. What is returned unpacks into the pair, and
    shows which layers stay in floats. Raises UsageError where the model cannot be traced or has nothing to
    quantize.
    """
    calibration = inputs_of(calibration, CALIBRATION)
    if len(calibration) == 0:
        raise UsageError("no calibration data", "give at least one batch of training inputs")
    if any(isinstance(m, (QuantizePoint, IntegerLayer)) for m in model.modules()):
        raise UsageError("the model is quantized already", "quantize the model it was made from")
    graph = trace(copy.deepcopy(model).cpu())
    points = find_points(graph)
    if not any(isinstance(m, LEAVES) for m in graph.modules()):
        raise UsageError(f"{type(model).__name__} has nothing to quantize", "it needs Conv2d or Linear layers")
    try:
        ranges = observe(graph, points, calibration)
    except RuntimeError as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        problem = f"{type(model).__name__} does not take the calibration data {tuple(calibration.shape)}: {reason}"
        raise UsageError(problem, "give inputs as the model's forward takes them, samples first") from error
    scales = {name: choose_scale(*found) for name, found in ranges.items()}
    edit: Edit = {"edit": "quantize", "activations": {name: list(pair) for name, pair in scales.items()}}
    integer = insert_points(graph, scales, weight_limit or limit_here()).eval()
    return Edited(integer, edit, told(model, integer))


def told(model: nn.Module, integer: nn.Module) -> str:
    """How many layers became integers and what that saves, and which layers stay in floats."""
    layers = [layer for layer in integer.modules() if isinstance(layer, (IntegerLayer, IntegerEmbedding))]
    head = f"int8: {plural(len(layers), 'layer')}, {size(_bytes(integer))} of {size(_bytes(model))}"
    rows = [
        [name or "(the model itself)", type(layer).__name__]
        for name, layer in integer.named_modules()
        if any(True for _ in layer.parameters(recurse=False))
    ]
    return f"{head}\n{short_table(['in floats', 'kind'], rows)}" if rows else f"{head}, none in floats"


def _bytes(model: nn.Module) -> int:
    return sum(tensor.nbytes for tensor in (*model.parameters(), *model.buffers()))


def limit_here() -> int:
    """The largest weight that this processor's kernels multiply without overflow."""
    return FULL if has_dot_products() else REDUCED


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


class Quantize(Step):
    """Integers after training, as a step of compression."""

    technique: ClassVar[str] = "int8 quantization"
    form: ClassVar[str | None] = INTEGERS

    step: Literal["quantize"] = "quantize"
    calibration: int = Field(CALIBRATION, ge=1, description="training samples that set the ranges of activations")

    def apply(self, made: Made, lab: Lab) -> Made:
        limit = FULL if lab.has_dot_products() else REDUCED
        network, edit = quantize(made.network, lab.calibration(self.calibration), limit)
        return Made(made.architecture.edited(edit), network)
