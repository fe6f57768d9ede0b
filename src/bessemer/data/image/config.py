"""Settings of images: their size and color, and how they are changed at random."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from bessemer.config import Config


class ImageConfig(Config):
    """Size and color of all images; these keys stand in `data` itself."""

    size: list[int] | None = Field(
        None, min_length=2, max_length=2, description="height and width in pixels; null takes the commonest"
    )
    color: Literal["auto", "gray", "rgb"] = Field("auto", description="auto is gray where every image is")

    @model_validator(mode="after")
    def _sides(self) -> ImageConfig:
        if self.size is not None and not all(4 <= side <= 4096 for side in self.size):
            raise ValueError("data.size must be between 4 and 4096 pixels a side")
        return self


class ImageAugment(Config):
    """Random changes of images, composed into one warp and one color map."""

    # geometry
    crop: float = Field(
        0,
        ge=0,
        le=256,
        description="shift by up to this many pixels each way; below 1, by this share of the smaller side",
    )
    resized_crop: list[float] = Field(
        [1.0, 1.0],
        min_length=2,
        max_length=2,
        description="smallest and largest share of the area that is cut out and resized",
    )
    flip: Literal["none", "horizontal", "vertical", "both"] = "none"
    rotate: float = Field(0.0, ge=0, le=180, description="turn by up to this many degrees each way")
    scale: list[float] = Field([1.0, 1.0], min_length=2, max_length=2, description="smallest and largest zoom")
    shear: float = Field(0.0, ge=0, le=45, description="slant by up to this many degrees each way")
    border: Literal["zero", "edge", "reflect"] = Field(
        "edge", description="what fills the parts from outside; zero is black, which few images have there"
    )
    # values
    brightness: float = Field(0.0, ge=0, le=1, description="change by up to this share of the full range")
    contrast: float = Field(0.0, ge=0, lt=1, description="stretch by a factor within 1 ± this")
    saturation: float = Field(0.0, ge=0, le=1, description="of color images: a factor within 1 ± this")
    noise: float = Field(0.0, ge=0, le=128, description="standard deviation of added noise, in gray levels of 255")
    blur: float = Field(0.0, ge=0, le=10, description="Gaussian blur with a sigma of up to this many pixels")
    erase: float = Field(0.0, ge=0, lt=1, description="chance that a rectangle is overwritten with gray")

    @model_validator(mode="after")
    def _ranges(self) -> ImageAugment:
        low, high = self.scale
        if not 0.1 <= low <= high <= 10:
            raise ValueError("augment.scale must be [smallest, largest] within 0.1 to 10")
        low, high = self.resized_crop
        if not 0.01 <= low <= high <= 1:
            raise ValueError("augment.resized_crop must be [smallest, largest] within 0.01 to 1")
        return self
