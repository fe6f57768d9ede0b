"""Linear layers that keep means over groups of channels for their weights' gradient.

The output and the gradient of the input are exact. The gradient of the weight is that of an input in which each
channel is the mean of its group: G times less is kept, and weights of one group get one gradient, so what tells
its channels apart stays as it began. This is the rank-1 projection of sub-tokens of VeLoRA (Miles et al., 2024)
with the constant vector; approximate activations for the backward pass alone are from Chakrabarti and Moseley,
"Backprop with approximate activations for memory-efficient network training", 2019. It suits fine-tuning and
wide layers; mind the figures in docs/benchmarks.md before training from scratch with it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bessemer.errors import UsageError
from bessemer.model.layers import Projection
from bessemer.train.memory.wrap import Forward, unwrap_all, wrap


class _PooledLinear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, group: int) -> Tensor:
        y = F.linear(x, weight, bias)
        pooled = x.reshape(*x.shape[:-1], -1, group).mean(-1, dtype=torch.float32).to(y.dtype)
        ctx.save_for_backward(pooled, weight)
        ctx.group, ctx.dtype = group, x.dtype
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None, None]:
        pooled, weight = ctx.saved_tensors
        to_input = to_weight = to_bias = None
        if ctx.needs_input_grad[0]:
            to_input = (gradient @ weight.to(gradient.dtype)).to(ctx.dtype)
        rows = gradient.flatten(0, -2)
        if ctx.needs_input_grad[1]:
            of_groups = rows.T @ pooled.flatten(0, -2)
            to_weight = of_groups.repeat_interleave(ctx.group, 1).to(weight.dtype)
        if ctx.needs_input_grad[2]:
            to_bias = rows.sum(0, dtype=torch.float32).to(weight.dtype)
        return to_input, to_weight, to_bias, None


def channel_pooled_linear(x: Tensor, weight: Tensor, bias: Tensor | None, group: int) -> Tensor:
    """F.linear of x (..., C) that keeps x's means over `group` neighboring channels, (..., C / group), alone."""
    y: Tensor = _PooledLinear.apply(x, weight, bias, group)  # type: ignore[no-untyped-call]
    return y


class ChannelPooledLinear(nn.Linear):
    """nn.Linear with the same weights and outputs, whose weight's gradient comes from channel-pooled inputs."""

    def __init__(self, in_features: int, out_features: int, group: int, bias: bool = True) -> None:
        super().__init__(in_features, out_features, bias)
        if in_features % group:
            problem = f"channel pooling: {in_features} channels are not whole groups of {group}"
            raise UsageError(problem, "take a divisor of the number of channels")
        self.group = group

    def forward(self, x: Tensor) -> Tensor:
        return channel_pooled_linear(x, self.weight, self.bias, self.group)


def pool_channels(model: nn.Module, group: int) -> list[nn.Module]:
    """Make linear layers and 1x1 convolutions of a model keep channel-pooled inputs, in place; returns those.

    Layers that share their weight, are frozen, or whose channels are not whole groups, stay as they are. Names in
    `state_dict` stay. `exact_channels` undoes it. Raises UsageError where no layer is left.
    """
    pooled = [module for module in model.modules() if _can_pool(module, group)]
    if not pooled:
        problem = (
            f"channel pooling: no linear layer of the {type(model).__name__} has whole groups of {group} channels"
        )
        raise UsageError(problem, "set train.memory.pool_channels to a divisor of its widths, or to 0")
    for module in pooled:
        wrap(module, _pooled_convolution(group) if isinstance(module, nn.Conv2d) else _pooled_linear(group))
    return pooled


exact_channels = unwrap_all


def _can_pool(module: nn.Module, group: int) -> bool:
    if type(module) is nn.Linear:
        return module.in_features % group == 0 and module.weight.requires_grad
    return (
        type(module) in (nn.Conv2d, Projection)
        and isinstance(module, nn.Conv2d)
        and module.kernel_size == (1, 1)
        and module.groups == 1
        and module.padding == (0, 0)
        and module.in_channels % group == 0
        and module.weight.requires_grad
    )


def _pooled_linear(group: int) -> Any:
    def around(forward: Forward, x: Tensor) -> Tensor:
        layer: nn.Linear = forward.__self__  # type: ignore[attr-defined]
        return channel_pooled_linear(x, layer.weight, layer.bias, group) if layer.training else forward(x)

    return around


def _pooled_convolution(group: int) -> Any:
    """A 1x1 convolution is a linear layer at each place."""

    def around(forward: Forward, x: Tensor) -> Tensor:
        layer: nn.Conv2d = forward.__self__  # type: ignore[attr-defined]
        if not layer.training:
            return forward(x)  # type: ignore[no-any-return]
        places = x[:, :, :: layer.stride[0], :: layer.stride[1]].permute(0, 2, 3, 1)
        return channel_pooled_linear(places, layer.weight[:, :, 0, 0], layer.bias, group).permute(0, 3, 1, 2)

    return around
