"""Settings of data preparation and augmentation."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from bessemer.config import Config


class SplitConfig(Config):
    """Shares of the samples kept apart; a source that brings its own split is used as it is."""

    test: float = Field(0.2, gt=0, lt=1, description="share for the final test")
    validation: float = Field(0.1, gt=0, lt=1, description="share of the rest, for choosing between candidates")

    @model_validator(mode="after")
    def _leave_some(self) -> SplitConfig:
        if self.test + self.validation >= 0.9:
            raise ValueError("test and validation together leave under 10% to train on; lower one of them")
        return self


class DataConfig(Config):
    """Where the data is and how it is prepared."""

    source: Literal["digits", "idx", "image_folder"] = Field(description="kind of source")
    path: str | None = Field(None, description="folder of the data; relative to the recipe")
    size: list[int] | None = Field(
        None, min_length=2, max_length=2, description="height and width in pixels; null takes the commonest"
    )
    color: Literal["auto", "gray", "rgb"] = Field("auto", description="auto is gray where every image is")
    split: SplitConfig = SplitConfig()
    limit: int | None = Field(None, ge=10, description="use at most this many samples, for quick trials")
    max_quarantined: float = Field(0.1, ge=0, le=1, description="stop when a larger share is broken")

    @model_validator(mode="after")
    def _path_fits_source(self) -> DataConfig:
        if self.source == "digits" and self.path is not None:
            raise ValueError("source digits comes with scikit-learn and takes no path; remove data.path")
        if self.source != "digits" and self.path is None:
            raise ValueError(f"source {self.source} needs data.path, the folder of the data")
        if self.size is not None and not all(4 <= side <= 4096 for side in self.size):
            raise ValueError("data.size must be between 4 and 4096 pixels a side")
        return self


class AugmentConfig(Config):
    """Random changes of training images, composed into one warp per image."""

    crop: int = Field(0, ge=0, le=256, description="shift by up to this many pixels each way (pad and crop)")
    flip: Literal["none", "horizontal", "vertical", "both"] = "none"
    rotate: float = Field(0.0, ge=0, le=180, description="turn by up to this many degrees each way")
    scale: list[float] = Field([1.0, 1.0], min_length=2, max_length=2, description="smallest and largest zoom")
    border: Literal["zero", "edge", "reflect"] = Field("zero", description="what fills the parts from outside")

    @model_validator(mode="after")
    def _scale_range(self) -> AugmentConfig:
        low, high = self.scale
        if not 0.1 <= low <= high <= 10:
            raise ValueError("augment.scale must be [smallest, largest] within 0.1 to 10")
        return self
