"""Progressive resizing: small images early in training, full size later.

What a network learns first is coarse, and a step on images of half the sides costs a quarter (Howard, in the
DAWNBench entry of fast.ai, 2018; Tan and Le, "EfficientNetV2", 2021). Sizes are a function of the step, and few,
so that compiled code is made few times.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F

from bessemer.data.dataset import Batch
from bessemer.errors import UsageError
from bessemer.train.methods import Method
from bessemer.train.methods.resizing import ResizingConfig

MULTIPLE = 4  # sides that a network can halve twice without a rest


def resize_images(images: Tensor, height: int, width: int) -> Tensor:
    """Images (B, H, W, C), uint8 or float, to (B, height, width, C) by means over areas; the type stays."""
    shrunk = F.interpolate(images.permute(0, 3, 1, 2).to(torch.float32), (height, width), mode="area")
    if not images.is_floating_point():
        shrunk = shrunk.round()
    return shrunk.permute(0, 2, 3, 1).to(images.dtype).contiguous()


def side_at(config: ResizingConfig, side: int, step: int, steps: int) -> int:
    """The length of a side, which is `side` pixels in the end, at `step` of `steps`: a rising stair."""
    progress = step / (config.until * steps)
    if progress >= 1:
        return side
    share = config.start + (1 - config.start) * int(progress * config.sizes) / config.sizes
    return min(side, max(MULTIPLE, MULTIPLE * round(share * side / MULTIPLE)))


class Resizing(Method):
    """Resizes each batch of images to the size of its step."""

    name = "resizing"

    def __init__(self, config: ResizingConfig, steps: int) -> None:
        self.config = config
        self.steps = steps

    def batch(self, batch: Batch) -> Batch:
        if batch.inputs.ndim != 4:
            raise UsageError("resizing is for images, and these are not images", "set train.resizing to null")
        height, width = batch.inputs.shape[1:3]
        first = (side_at(self.config, height, 0, self.steps), side_at(self.config, width, 0, self.steps))
        if first == (height, width):
            problem = f"resizing changes nothing: {self.config.start:g} of {height} x {width} pixels is full size"
            raise UsageError(problem, "lower train.resizing.start, or set train.resizing to null")
        rows = side_at(self.config, height, batch.step, self.steps)
        columns = side_at(self.config, width, batch.step, self.steps)
        if (rows, columns) == (height, width):
            return batch
        return replace(batch, inputs=resize_images(batch.inputs, rows, columns))
