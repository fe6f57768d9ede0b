"""A network in 8-bit integers, simulated exactly in torch and exported with explicit quantize/dequantize nodes.

Convolutions and linear layers hold int8 weights (one scale per output channel, symmetric) and int32 biases.
Between them stand points where activations are rounded to uint8 (one scale and zero point per tensor).
Batch normalization is folded into the convolution before it. The placement is the one that ONNX Runtime and
OpenVINO turn into integer kernels: a point after the input, after each convolution, addition and pooling, moved
behind a ReLU that follows directly (Jacob et al., "Quantization and training ...", 2017).

A model with layer normalization, such as a Transformer, is rounded only in front of its linear layers: the sums
that normalization reads, softmax and GELU stay in floats, since a few large features would cost all others their
precision (Bondarenko et al., "Understanding and overcoming the challenges of efficient Transformer quantization",
2021). Its embeddings are int8 with one scale a row.

The two operators below are opaque to the exporter, which writes them as QuantizeLinear and DequantizeLinear.
"""

from __future__ import annotations

import operator
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from bessemer.errors import UsageError
from bessemer.model.contract import is_leaf, keep_free_length, set_packing

ADDITIONS = (operator.add, operator.iadd, torch.add)
RELU_FUNCTIONS = (F.relu, torch.relu, F.relu_)
LEAVES = (nn.Conv2d, nn.Linear)
# Processors without 8-bit dot products (VNNI, AMX) add two products in 16 bits, which overflow with weights of 8
# bits and saturate in silence. With 7 bits they cannot. ONNX Runtime calls it reduce_range.
FULL, REDUCED = 127, 63
PASSING_LAYERS = (nn.Flatten, nn.Identity, nn.Dropout, nn.Unflatten)
PASSING_CALLS = (torch.flatten, torch.reshape, F.dropout, "flatten", "view", "reshape", "contiguous")
POOLS = (nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d)


@torch.library.custom_op("bessemer::round_to_uint8", mutates_args=())
def round_to_uint8(x: Tensor, scale: Tensor, zero: Tensor) -> Tensor:
    """Quantize to uint8 and back: (clamp(round(x / scale) + zero, 0, 255) - zero) * scale."""
    return torch.fake_quantize_per_tensor_affine(x, scale, zero.to(torch.int32), 0, 255)


@round_to_uint8.register_fake
def _round_shape(x: Tensor, scale: Tensor, zero: Tensor) -> Tensor:
    return torch.empty_like(x)


@torch.library.custom_op("bessemer::dequantize", mutates_args=())
def dequantize(q: Tensor, scale: Tensor) -> Tensor:
    """Integers times one scale per first dimension."""
    return q.to(torch.float32) * scale.reshape(-1, *[1] * (q.ndim - 1))


@dequantize.register_fake
def _dequantize_shape(q: Tensor, scale: Tensor) -> Tensor:
    return torch.empty(q.shape, dtype=torch.float32, device=q.device)


class QuantizePoint(nn.Module):
    """Where activations pass through uint8."""

    scale: Tensor
    zero: Tensor

    def __init__(self, scale: float, zero: int) -> None:
        super().__init__()
        self.register_buffer("scale", torch.tensor(scale))
        self.register_buffer("zero", torch.tensor(zero, dtype=torch.uint8))

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = round_to_uint8(x, self.scale, self.zero)
        return result


class IntegerLayer(nn.Module):
    """A convolution or linear layer with int8 weights and int32 bias."""

    weight: Tensor
    weight_scale: Tensor
    bias: Tensor
    bias_scale: Tensor

    def __init__(self, layer: nn.Module, input_scale: Tensor, limit: int = FULL) -> None:
        super().__init__()
        assert isinstance(layer, LEAVES)
        weight, scale = quantize_weight(layer.weight.detach(), limit)
        bias = layer.bias.detach() if layer.bias is not None else torch.zeros(len(weight))
        bias_scale = scale * input_scale
        self.register_buffer("weight", weight)
        self.register_buffer("weight_scale", scale)
        most = 2**31 - 128  # the largest float32 below 2^31
        self.register_buffer("bias", (bias / bias_scale).round().clamp(-most, most).to(torch.int32))
        self.register_buffer("bias_scale", bias_scale)
        self.call: dict[str, Any] | None = None
        if isinstance(layer, nn.Conv2d):
            if layer.padding_mode != "zeros":
                raise UsageError(f"padding_mode={layer.padding_mode!r} cannot be quantized", "use zeros")
            names = ("stride", "padding", "dilation", "groups")
            self.call = {name: getattr(layer, name) for name in names}

    def forward(self, x: Tensor) -> Tensor:
        weight, bias = dequantize(self.weight, self.weight_scale), dequantize(self.bias, self.bias_scale)
        return F.linear(x, weight, bias) if self.call is None else F.conv2d(x, weight, bias, **self.call)


class IntegerEmbedding(nn.Module):
    """Rows of int8, each with its scale; only the rows that are read become floats."""

    weight: Tensor
    weight_scale: Tensor

    def __init__(self, layer: nn.Embedding) -> None:
        super().__init__()
        weight, scale = quantize_weight(layer.weight.detach())
        self.register_buffer("weight", weight)
        self.register_buffer("weight_scale", scale)

    def forward(self, ids: Tensor) -> Tensor:
        rows = F.embedding(ids, self.weight).to(torch.float32)
        return rows * F.embedding(ids, self.weight_scale.unsqueeze(1))


def quantize_weight(weight: Tensor, limit: int = FULL) -> tuple[Tensor, Tensor]:
    """int8 weights in -limit to limit and one scale per output channel, symmetric about zero."""
    largest = weight.flatten(1).abs().amax(1)
    scale = torch.where(largest > 0, largest / limit, torch.ones_like(largest))
    shaped = scale.reshape(-1, *[1] * (weight.ndim - 1))
    return (weight / shaped).round().clamp(-limit, limit).to(torch.int8), scale


def trace(model: nn.Module) -> fx.GraphModule:
    """The model in evaluation mode as a graph whose leaves are torch's own layers, batch norm folded in.

    Raises UsageError where the model's Python cannot be traced.
    """
    from bessemer.model.layers import Front

    class Tracer(fx.Tracer):
        def is_leaf_module(self, module: nn.Module, name: str) -> bool:
            known = (*LEAVES, *POOLS, nn.modules.batchnorm._BatchNorm, Front)
            leaf = isinstance(module, known) or is_leaf(module)
            return leaf or super().is_leaf_module(module, name)

    model = model.eval()
    set_packing(model, False)
    try:
        graph = Tracer().trace(model)
    except (fx.proxy.TraceError, TypeError, RuntimeError) as error:
        problem = f"{type(model).__name__} cannot be traced for quantization: {error}"
        raise UsageError(problem, "keep data-dependent branches out of forward()") from error
    traced = _fold_batch_norm(fx.GraphModule(model, graph))
    keep_free_length(model, traced)
    return traced


def _fold_batch_norm(graph: fx.GraphModule) -> fx.GraphModule:
    used = [node.target for node in graph.graph.nodes if node.op == "call_module"]
    for node in list(graph.graph.nodes):
        modules = dict(graph.named_modules())
        if node.op == "call_module" and isinstance(modules[node.target], LEAVES) and used.count(node.target) > 1:
            raise UsageError(f"layer {node.target} is used more than once", "give each use a layer of its own")
        before = node.args[0] if node.op == "call_module" and node.args else None
        if not isinstance(before, fx.Node) or before.op != "call_module" or len(before.users) > 1:
            continue
        norm, layer = modules[node.target], modules[str(before.target)]
        if isinstance(norm, nn.modules.batchnorm._BatchNorm) and isinstance(layer, nn.Conv2d):
            graph.add_submodule(str(before.target), fuse_conv_bn_eval(layer, norm))
            node.replace_all_uses_with(before)
            graph.graph.erase_node(node)
    graph.delete_all_unused_submodules()
    graph.recompile()
    return graph


def find_points(graph: fx.GraphModule) -> list[fx.Node]:
    """Nodes behind which activations are rounded, in order of execution."""
    modules = dict(graph.named_modules())
    if has_float_sums(graph):
        layers = [node for node in graph.graph.nodes if _is_linear(node, modules)]
        return list(dict.fromkeys(node.all_input_nodes[0] for node in layers))
    return [node for node in graph.graph.nodes if _is_point(node, modules)]


def has_float_sums(graph: nn.Module) -> bool:
    """Whether the network is rounded in front of its linear layers only."""
    return any(isinstance(module, nn.LayerNorm) for module in graph.modules())


def _is_linear(node: fx.Node, modules: dict[str, nn.Module]) -> bool:
    return node.op == "call_module" and isinstance(modules[str(node.target)], nn.Linear)


def _is_point(node: fx.Node, modules: dict[str, nn.Module]) -> bool:
    from bessemer.model.layers import Front

    if _is_relu(node, modules):
        return True
    users = list(node.users)
    if len(users) == 1 and _is_relu(users[0], modules):
        return False
    if any(_is_end(user, modules) for user in users):
        return False  # logits stay as they are
    if node.op == "call_module":
        return isinstance(modules[str(node.target)], (*LEAVES, *POOLS, Front))
    if node.op == "placeholder":
        return not any(user.op == "call_module" and isinstance(modules[str(user.target)], Front) for user in users)
    return node.target in ADDITIONS or (node.op == "call_method" and node.target == "mean")


def _is_end(node: fx.Node, modules: dict[str, nn.Module]) -> bool:
    """Whether a node gives the outputs, or only puts them in their unit."""
    from bessemer.model.targets import Units

    return node.op == "output" or (node.op == "call_module" and isinstance(modules[str(node.target)], Units))


def _is_relu(node: fx.Node, modules: dict[str, nn.Module]) -> bool:
    if node.op == "call_module":
        return isinstance(modules[str(node.target)], nn.ReLU)
    return node.target in RELU_FUNCTIONS


def insert_points(
    graph: fx.GraphModule, scales: dict[str, tuple[float, int]], limit: int = FULL
) -> fx.GraphModule:
    """Round activations behind the named nodes, and turn the layers that read them into integer layers.

    Their weights are integers from -limit to limit.
    """
    nodes = {node.name: node for node in graph.graph.nodes}
    for name, (scale, zero) in scales.items():
        node = nodes[name]
        graph.add_submodule(f"point_{name}", QuantizePoint(scale, zero))
        with graph.graph.inserting_after(node):
            point = graph.graph.call_module(f"point_{name}", (node,))
        node.replace_all_uses_with(point)
        point.args = (node,)
    modules = dict(graph.named_modules())
    for node in graph.graph.nodes:
        if node.op == "call_module" and isinstance(modules[node.target], nn.Embedding):
            graph.add_submodule(node.target, IntegerEmbedding(modules[node.target]))
        if node.op == "call_module" and isinstance(modules[node.target], LEAVES):
            source = modules.get(str(_giver(node.args[0], modules).target))
            if isinstance(source, QuantizePoint):
                graph.add_submodule(node.target, IntegerLayer(modules[node.target], source.scale, limit))
    graph.recompile()
    return graph


def _giver(node: fx.Node, modules: dict[str, nn.Module]) -> fx.Node:
    """The node that made these values: looks back through layers that only pass them on."""
    while _passes_on(node, modules):
        node = node.all_input_nodes[0]
    return node


def _passes_on(node: fx.Node, modules: dict[str, nn.Module]) -> bool:
    if node.op == "call_module":
        return isinstance(modules[str(node.target)], PASSING_LAYERS)
    return bool(node.all_input_nodes) and node.target in PASSING_CALLS


def apply_quantize_edit(model: nn.Module, edit: dict[str, Any]) -> nn.Module:
    """Rebuild a quantized network; its integers and scales come with the weights that are loaded next."""
    scales = {name: (float(scale), int(zero)) for name, (scale, zero) in edit["activations"].items()}
    return insert_points(trace(model), scales)
