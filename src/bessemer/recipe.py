"""The recipe: one file that says all a run depends on. It composes the settings of each stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from bessemer.compress.config import CompressConfig
from bessemer.config import Config, build, override, read_yaml
from bessemer.data.config import AugmentConfig, DataConfig
from bessemer.export.config import ExportConfig
from bessemer.model.config import ModelConfig
from bessemer.train.config import TrainConfig


class Recipe(Config):
    """From raw data to a shipped model."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="names the run folder")
    seed: int = Field(0, ge=0, lt=2**32)
    data: DataConfig
    augment: AugmentConfig = AugmentConfig()
    model: ModelConfig = ModelConfig()
    train: TrainConfig = TrainConfig()
    compress: CompressConfig | None = Field(CompressConfig(), description="null ships the parent as it is")
    export: ExportConfig = ExportConfig()

    @model_validator(mode="after")
    def _stem_fits(self) -> Recipe:
        if self.model.stem == "large" and self.data.size is not None and min(self.data.size) < 64:
            raise ValueError("model.stem large needs images of 64 pixels or more; set model.stem to small")
        return self


def load_recipe(path: Path, settings: Sequence[str] | Mapping[str, Any] = ()) -> Recipe:
    """Read a recipe with settings (`key.path=value`) on top; raises RecipeError with file, line and key.

    A relative `data.path` starts at the recipe's own folder. A recipe without a name is named by its file.
    """
    document = read_yaml(path)
    override(document, settings)
    document.values.setdefault("name", path.stem)
    data = document.values.get("data")
    if isinstance(data, dict) and isinstance(data.get("path"), str):
        data["path"] = str((path.parent / Path(data["path"]).expanduser()).resolve())
    return build(Recipe, document)
