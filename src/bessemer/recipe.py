"""The recipe: one file that says all a run depends on. It composes the settings of each stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from bessemer.compress.config import CompressConfig
from bessemer.config import Config, build, override, read_yaml
from bessemer.data.augment.presets import resolve
from bessemer.data.config import AugmentConfig, DataConfig, Modality, modality_of
from bessemer.export.config import ExportConfig
from bessemer.model.config import ModelConfig
from bessemer.train.config import TrainConfig

MODEL_FOR: dict[Modality, str] = {"image": "resnet", "text": "encoder", "audio": "sound"}


class Recipe(Config):
    """From raw data to a shipped model."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="names the run folder")
    seed: int = Field(0, ge=0, lt=2**32)
    data: DataConfig
    augment: AugmentConfig = AugmentConfig()
    model: ModelConfig
    train: TrainConfig = TrainConfig()
    compress: CompressConfig | None = Field(CompressConfig(), description="null ships the parent as it is")
    export: ExportConfig = ExportConfig()

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_the_kind(cls, values: Any) -> Any:
        """The network and optimizer that suit the kind of data, where the recipe names none."""
        modality = modality_of(values.get("data")) if isinstance(values, dict) else None
        if modality is None:
            return values
        return with_defaults(values, modality)

    @model_validator(mode="after")
    def _parts_fit(self) -> Recipe:
        wanted = MODEL_FOR[self.data.modality]
        if self.model.name != wanted:
            raise ValueError(
                f"model.name {self.model.name} does not take {self.data.modality} data; set model.name to {wanted}"
            )
        modality = self.data.modality
        for group, train in (("train", self.train), ("compress.train", self.compress and self.compress.train)):
            if train and train.mixup > 0 and modality == "text":
                raise ValueError(f"{group}.mixup mixes numbers, and token ids are names; set it to 0")
            if train and train.cutmix > 0 and modality != "image":
                raise ValueError(f"{group}.cutmix pastes parts of images, and this is {modality}; set it to 0")
        small = self.data.size is not None and min(self.data.size) < 64
        if getattr(self.model, "stem", "small") == "large" and small:
            raise ValueError("model.stem large needs images of 64 pixels or more; set model.stem to small")
        size = (self.data.size[0], self.data.size[1]) if self.data.size else None
        object.__setattr__(self, "augment", resolve(self.augment, self.data.modality, size))
        return self


def with_defaults(values: dict[str, Any], modality: Modality) -> dict[str, Any]:
    """The values of a recipe with the defaults that depend on the kind of data."""
    result = dict(values)
    if isinstance(result.get("model", {}), dict):
        result["model"] = {"name": MODEL_FOR[modality], **result.get("model", {})}
    if modality != "text":
        return result
    result["train"] = _with_adamw(result.get("train", {}))
    if isinstance(result.get("compress", {}), dict):
        compress = result.get("compress", {})
        result["compress"] = {**compress, "train": _with_adamw(compress.get("train", {}))}
    return result


def _with_adamw(train: Any) -> Any:
    """Transformers learn with Adam where plain gradient descent does not."""
    if not isinstance(train, dict) or not isinstance(train.get("optimizer", {}), dict):
        return train
    return {**train, "optimizer": {"name": "adamw", **train.get("optimizer", {})}}


def load_recipe(path: Path, settings: Sequence[str] | Mapping[str, Any] = ()) -> Recipe:
    """Read a recipe with settings (`key.path=value`) on top; raises RecipeError with file, line and key.

    Relative paths of data start at the recipe's own folder. A recipe without a name is named by its file.
    """
    document = read_yaml(path)
    override(document, settings)
    document.values.setdefault("name", path.stem)
    data = document.values.get("data")
    if isinstance(data, dict):
        also = data.get("also")
        sources = [data, *(also if isinstance(also, list) else [])]
        text = data.get("text")
        tokenizer = text.get("tokenizer") if isinstance(text, dict) else None
        for values in (*sources, tokenizer):
            if isinstance(values, dict) and isinstance(values.get("path"), str):
                values["path"] = str((path.parent / Path(values["path"]).expanduser()).resolve())
    return build(Recipe, document)
