"""Methods that do not go with a recipe's data are refused when it is loaded, by name and with a remedy."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from bessemer.errors import UsageError
from bessemer.recipe import Recipe
from bessemer.train.config import TrainConfig
from bessemer.train.methods.standard import standard_methods

IMAGES = {"data": {"source": "digits"}}
LANGUAGE = {"task": "language", "data": {"source": "stdlib"}, "model": {"context": 96}}
SOUND = {"data": {"source": "audio_folder", "path": "clips"}}


@pytest.mark.parametrize(
    ("values", "train", "message"),
    [
        (LANGUAGE, {"resizing": {}}, r"train\.resizing shrinks images, and this is text; set it to null"),
        (SOUND, {"resizing": {}}, r"train\.resizing shrinks images, and this is audio"),
        (IMAGES, {"sequence_warmup": {}}, r"train\.sequence_warmup cuts windows of running text; set it to null"),
        (LANGUAGE, {"sequence_warmup": {"doublings": 6}}, r"model\.context .*multiple of 64"),
    ],
)
def test_a_method_for_other_data_is_refused(values: dict[str, Any], train: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Recipe.model_validate({"name": "one", **values, "train": train})


def test_candidates_of_compression_are_checked_too() -> None:
    with pytest.raises(ValidationError, match=r"compress\.train\.sequence_warmup"):
        Recipe.model_validate({"name": "one", **IMAGES, "compress": {"train": {"sequence_warmup": {}}}})


def test_what_fits_is_accepted() -> None:
    Recipe.model_validate({"name": "one", **IMAGES, "train": {"resizing": {}, "stochastic_depth": 0.1}})
    Recipe.model_validate({"name": "one", **LANGUAGE, "train": {"sequence_warmup": {"doublings": 5}, "lora": {}}})


def test_methods_come_in_one_order(task: Any) -> None:
    everything = TrainConfig(
        freeze=["stem"],
        lora={"rank": 2},  # type: ignore[arg-type]
        stochastic_depth=0.1,
        resizing={},  # type: ignore[arg-type]
        selective={},  # type: ignore[arg-type]
        label_smoothing=0.1,
        cutmix=1.0,
        mixup=0.2,
        ema=0.9,
    )
    names = [method.name for method in standard_methods(everything, task, 0, 10)]
    first = ["freeze", "lora", "stochastic_depth", "resizing", "selective"]
    assert names == [*first, "label_smoothing", "cutmix", "mixup", "ema"]


def test_methods_of_labels_need_classes() -> None:
    class Reconstruct:
        loss = losses = None

    with pytest.raises(UsageError, match="Reconstruct has not") as caught:
        standard_methods(TrainConfig(mixup=0.2), Reconstruct(), 0, 10)  # type: ignore[arg-type]
    assert "train.mixup" in caught.value.remedy
