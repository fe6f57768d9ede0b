"""Edits of an architecture, as data.

An edit is a small JSON value; applying a list of edits to a freshly built network gives the network whose
weights were saved. So a pruned or quantized model is reloaded at every stage, by anyone, without pickles.

    {"edit": "keep_channels", "layers": {"stem.0": {"out": [0, 2]}, "stages.0.0.conv1": {"in": [0, 2]}}}
    {"edit": "quantize", ...}                                             see bessemer.model.quantized
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from bessemer.errors import ArtifactError

Edit = dict[str, Any]


def apply_edits(model: nn.Module, edits: Sequence[Edit]) -> nn.Module:
    """Apply edits in order and return the edited model (the same object where the edit allows)."""
    for edit in edits:
        kind = edit.get("edit")
        if kind not in EDITS:
            known = ", ".join(EDITS)
            raise ArtifactError(f"unknown edit {kind!r}", f"this version knows {known}; update bessemer")
        model = EDITS[kind](model, edit)
    return model


def keep_channels(model: nn.Module, edit: Edit) -> nn.Module:
    """Keep the listed output and input channels of layers, in place."""
    modules = dict(model.named_modules())
    for name, kept in edit["layers"].items():
        if name not in modules:
            raise ArtifactError(
                f"the edit names layer {name!r}, which the model does not have", "use the model's own edits"
            )
        _keep(modules[name], kept.get("out"), kept.get("in"))
    return model


def _keep(layer: nn.Module, out: list[int] | None, into: list[int] | None) -> None:
    if isinstance(layer, nn.Conv2d):
        _keep_convolution(layer, out, into)
    elif isinstance(layer, nn.Linear):
        layer.weight = _sliced(layer.weight, out, into)
        layer.bias = _sliced(layer.bias, out, None) if layer.bias is not None else None
        layer.out_features, layer.in_features = layer.weight.shape
    elif isinstance(layer, nn.modules.batchnorm._BatchNorm):
        for name in ("weight", "bias"):
            if getattr(layer, name) is not None:
                setattr(layer, name, _sliced(getattr(layer, name), out, None))
        for name in ("running_mean", "running_var"):
            buffer = getattr(layer, name)
            if buffer is not None and out is not None:
                setattr(layer, name, buffer[out].clone())
        layer.num_features = len(out) if out is not None else layer.num_features
    else:
        raise ArtifactError(
            f"cannot keep channels of a {type(layer).__name__}", "prune models of Conv2d, BatchNorm and Linear"
        )


def _keep_convolution(layer: nn.Conv2d, out: list[int] | None, into: list[int] | None) -> None:
    depthwise = layer.groups > 1 and layer.groups == layer.in_channels
    layer.weight = _sliced(layer.weight, out, None if depthwise else into)
    if layer.bias is not None:
        layer.bias = _sliced(layer.bias, out, None)
    layer.out_channels = layer.weight.shape[0]
    if depthwise:
        layer.groups = layer.in_channels = len(into) if into is not None else layer.out_channels
    else:
        layer.in_channels = layer.weight.shape[1] * layer.groups


def _sliced(weight: Tensor, out: list[int] | None, into: list[int] | None) -> nn.Parameter:
    data = weight.detach()
    if out is not None:
        data = data[torch.tensor(out)]
    if into is not None:
        data = data[:, torch.tensor(into)]
    return nn.Parameter(data.clone(), requires_grad=weight.requires_grad)


def _quantize(model: nn.Module, edit: Edit) -> nn.Module:
    from bessemer.model.quantized import apply_quantize_edit

    return apply_quantize_edit(model, edit)


EDITS: dict[str, Callable[[nn.Module, Edit], nn.Module]] = {
    "keep_channels": keep_channels,
    "quantize": _quantize,
}
