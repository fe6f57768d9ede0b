"""Layers that the builders share."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

NARROW = 8  # channels: what a vector of AVX2 holds


class Front(nn.Module):
    """The first layer of a model: raw inputs to normalized floats.

    Pre-processing is part of the model, so an exported file cannot be fed with another one. Quantization leaves
    it as it is and rounds what comes out of it.
    """


class Normalize(Front):
    """Images as they come, (B, H, W, C) in 0 to 255, to normalized floats (B, C, H, W).

    The permuted tensor is in channels-last order, which convolutions on processors prefer, without a copy.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: list[float], std: list[float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean))
        self.register_buffer("std", torch.tensor(std))

    def forward(self, images: Tensor) -> Tensor:
        scaled = (images.to(torch.float32) - self.mean * 255) * (1 / (self.std * 255))
        return scaled.permute(0, 3, 1, 2)


class GhostBatchNorm2d(nn.BatchNorm2d):
    """Batch normalization over groups of `ghost` samples (Hoffer et al., "Train longer, generalize better", 2017).

    Statistics come from groups of a fixed size, so the result does not depend on how a batch is spread over
    processes or accumulation steps, as long as each gets whole groups. Running averages move once a step, by
    `commit_statistics`, with the mean over all groups of all processes.
    """

    def __init__(self, channels: int, ghost: int = 32) -> None:
        super().__init__(channels)
        self.ghost = ghost
        self.pending: list[tuple[Tensor, Tensor]] = []

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return F.batch_norm(
                x, self.running_mean, self.running_var, self.weight, self.bias, False, 0.0, self.eps
            )
        out = []
        for group in torch.split(x, self.ghost):
            y, mean, inverse_std = torch.native_batch_norm(
                group, self.weight, self.bias, None, None, True, 0.0, self.eps
            )
            out.append(y)
            if torch.is_grad_enabled():  # a look without gradients is no training step
                variance = inverse_std.detach().double() ** -2 - self.eps
                self.pending.append((mean.detach().double(), variance))
        return out[0] if len(out) == 1 else torch.cat(out)


class Projection(nn.Conv2d):
    """A 1x1 convolution that may skip rows and columns.

    oneDNN's backward pass of one with a stride writes past its buffers on processors without AVX-512 where there
    are fewer than 8 input channels, and the process dies. Skipping first and multiplying then is the same.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__(inputs, outputs, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.in_channels >= NARROW:
            return super().forward(x)
        return F.conv2d(x[:, :, :: self.stride[0], :: self.stride[1]], self.weight, self.bias)


def ghost_layers(model: nn.Module) -> Iterator[GhostBatchNorm2d]:
    """The ghost batch normalizations of a model, in order."""
    return (module for module in model.modules() if isinstance(module, GhostBatchNorm2d))


def set_ghost(model: nn.Module, ghost: int) -> None:
    """Set the group size of every ghost batch normalization."""
    for layer in ghost_layers(model):
        layer.ghost = ghost
