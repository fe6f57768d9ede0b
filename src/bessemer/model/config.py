"""What settings of networks share. Those of one network stand with it, as `model/NAME/__init__.py`."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from bessemer.config import Config


class ModelConfig(Config):
    """The base of all: `name` is one of MODELS or a dotted path, the other fields are what the builder takes."""

    name: str

    def check(self, recipe: Any) -> None:
        """Raise ValueError where a recipe's other settings do not go with these; name what to change."""


class ResidualConfig(ModelConfig):
    """A residual network: `widths` channels and `blocks` blocks a stage."""

    stem: Literal["small", "large"] = Field(
        "small", description="small: 3x3; large: 7x7 with stride 2 and pooling, for images of 100 pixels or more"
    )
    stem_width: int = Field(32, ge=1, le=4096)
    widths: list[int] = Field([64, 128, 256], min_length=1, max_length=8)
    blocks: list[int] = Field([1, 1, 1], min_length=1, max_length=8)
    strides: list[int] = Field([2, 2, 2], min_length=1, max_length=8)
    dropout: float = Field(0.0, ge=0, lt=1, description="of the features in front of the last layer")

    @model_validator(mode="after")
    def _stages_agree(self) -> ResidualConfig:
        if not len(self.widths) == len(self.blocks) == len(self.strides):
            raise ValueError("model.widths, model.blocks and model.strides must have one entry per stage")
        if min(self.widths + self.blocks + self.strides) < 1 or max(self.strides) > 4:
            raise ValueError("model.widths and model.blocks must be at least 1, model.strides 1 to 4")
        return self

    def check(self, recipe: Any) -> None:
        size = recipe.data.size
        if self.stem == "large" and size is not None and min(size) < 64:
            raise ValueError("model.stem large needs images of 64 pixels or more; set model.stem to small")
