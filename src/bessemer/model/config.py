"""Settings of the parent model."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from bessemer.config import Config


class ModelConfig(Config):
    """A residual network: `widths` channels and `blocks` blocks a stage."""

    name: Literal["resnet"] = "resnet"
    stem: Literal["small", "large"] = Field(
        "small", description="small: 3x3; large: 7x7 with stride 2 and pooling, for images of 100 pixels or more"
    )
    stem_width: int = Field(32, ge=1, le=4096)
    widths: list[int] = Field([64, 128, 256], min_length=1, max_length=8)
    blocks: list[int] = Field([1, 1, 1], min_length=1, max_length=8)
    strides: list[int] = Field([2, 2, 2], min_length=1, max_length=8)

    @model_validator(mode="after")
    def _stages_agree(self) -> ModelConfig:
        if not len(self.widths) == len(self.blocks) == len(self.strides):
            raise ValueError("model.widths, model.blocks and model.strides must have one entry per stage")
        if min(self.widths + self.blocks + self.strides) < 1 or max(self.strides) > 4:
            raise ValueError("model.widths and model.blocks must be at least 1, model.strides 1 to 4")
        return self
