"""A residual network for small and large images (He et al., "Deep residual learning", 2015).

Shapes: images (B, H, W, C) in 0 to 255, uint8 or float; logits (B, K).
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from bessemer.model.layers import Front, GhostBatchNorm2d, Projection


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut, projected where the shape changes."""

    is_block = True

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm1 = GhostBatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm2 = GhostBatchNorm2d(outputs)
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or inputs != outputs:
            projection = Projection(inputs, outputs, stride)
            self.shortcut = nn.Sequential(projection, GhostBatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm1(self.conv1(x)))
        return F.relu(self.norm2(self.conv2(y)) + self.shortcut(x))


class ResNet(nn.Module):
    """Pre-processing, stem, stages of basic blocks, mean over the image, one linear layer.

    `front` takes raw inputs to normalized (B, channels, H, W).
    """

    def __init__(
        self,
        classes: int,
        front: Front,
        channels: int,
        stem: str,
        stem_width: int,
        widths: list[int],
        blocks: list[int],
        strides: list[int],
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.normalize = front
        kernel, stride = (7, 2) if stem == "large" else (3, 1)
        first = nn.Conv2d(channels, stem_width, kernel, stride, kernel // 2, bias=False)
        pool = [nn.MaxPool2d(3, 2, 1)] if stem == "large" else []
        self.stem = nn.Sequential(first, GhostBatchNorm2d(stem_width), nn.ReLU(), *pool)
        stages, inputs = [], stem_width
        for width, count, stage_stride in zip(widths, blocks, strides, strict=True):
            layers = []
            for index in range(count):
                layers.append(BasicBlock(inputs, width, stage_stride if index == 0 else 1))
                inputs = width
            stages.append(nn.Sequential(*layers))
        self.stages = nn.Sequential(*stages)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(inputs, classes)
        self.taps = [f"stages.{index}" for index in range(len(stages))]  # layers whose features are comparable
        self._initialize()

    def _initialize(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if isinstance(module, BasicBlock):  # each block starts as its shortcut (Goyal et al., 2017)
                nn.init.zeros_(module.norm2.weight)

    def residual_branches(self) -> list[list[str]]:
        """Names of the modules whose outputs are added to a shortcut, block by block."""
        return [[f"{name}.norm2"] for name, module in self.named_modules() if isinstance(module, BasicBlock)]

    def forward(self, inputs: Tensor) -> Tensor:
        x = self.stages(self.stem(self.normalize(inputs)))
        logits: Tensor = self.head(self.dropout(x.mean((2, 3))))
        return logits
