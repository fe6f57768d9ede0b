"""Every technique has a switch, and a switch that is used gives a recipe that can be run."""

from __future__ import annotations

from typing import Any

import pytest

from bessemer.config import all_keys
from bessemer.ledger.techniques import COMPRESSION, NO_TECHNIQUE, TRAINING, changed, settled, used, without
from bessemer.recipe import Recipe

IMAGES: dict[str, Any] = {"name": "r", "data": {"source": "digits"}}
OFF = {  # what is on by default
    "train.schedule": {"name": "constant", "warmup": 0.0},
    "train.optimizer.weight_decay": 0.0,
    "train.precision": "fp32",
    "train.compile": False,
}
ON: dict[str, dict[str, Any]] = {
    "augmentation": {"augment": {"rotate": 5.0}},
    "label smoothing": {"train.label_smoothing": 0.1},
    "mixup": {"train.mixup": 0.2},
    "cutmix": {"train.cutmix": 1.0},
    "averaged weights (EMA)": {"train.ema": 0.99},
    "learning-rate schedule": {"train.schedule": {"name": "cosine", "warmup": 0.0}},
    "learning-rate warm-up": {"train.schedule": {"name": "constant", "warmup": 0.1}},
    "weight decay": {"train.optimizer.weight_decay": 1e-4},
    "L1": {"train.optimizer.l1": 1e-4},
    "gradient clipping": {"train.clip": 1.0},
    "dropout": {"model.dropout": 0.1},
    "stochastic depth": {"train.stochastic_depth": 0.1},
    "progressive resizing": {"train.resizing": {}},
    "batch-size warm-up": {"train.batch_warmup": {}},
    "selective back-propagation": {"train.selective": {}},
    "frozen layers": {"train.freeze": ["stem"]},
    "LoRA": {"train.lora": {}},
    "early stopping": {"train.early_stopping": {}},
    "muon": {"train.optimizer": {"name": "muon", "weight_decay": 0.0}},
    "schedule-free": {"train.optimizer": {"name": "schedule_free_adamw", "weight_decay": 0.0}},
    "bf16": {"train.precision": "bf16"},
    "torch.compile": {"train.compile": True},
    "autotuned execution": {"train.autotune": True},
}


@pytest.fixture(scope="module")
def bare() -> Recipe:
    """A recipe that uses no technique."""
    return changed(Recipe.model_validate(IMAGES), OFF)


def recipe_of_language() -> Recipe:
    values = {
        "name": "r",
        "task": "language",
        "data": {"source": "stdlib", "text": {"tokenizer": {"kind": "bpe"}}},
    }
    return Recipe.model_validate({**values, "train": {"sequence_warmup": {}}})


def test_every_setting_is_a_technique_or_said_to_be_none() -> None:
    switches = [*TRAINING.values(), *COMPRESSION.values()]
    known = {key for switch in switches for key in switch.keys} | {
        key for keys in NO_TECHNIQUE.values() for key in keys
    }
    rooms = ("train", "augment", "compress")
    every = [key for key in all_keys(Recipe) if key.split(".")[0] in rooms or key == "model.dropout"]
    groups = {"train", "compress", "train.optimizer", "train.schedule", "compress.distill"}
    forgotten = [
        key
        for key in every
        if key not in groups and not any(key == one or key.startswith(f"{one}.") for one in known)
    ]
    assert forgotten == [], "add a line to bessemer.ledger.techniques: TRAINING, COMPRESSION or NO_TECHNIQUE"
    assert sorted(known - set(all_keys(Recipe))) == []


def test_a_recipe_without_techniques_has_nothing_to_switch_off(bare: Recipe) -> None:
    assert used(bare) == {}


@pytest.mark.parametrize("name", [name for name in TRAINING if name != "sequence-length warm-up"])
def test_a_technique_that_is_used_is_found_and_gone_when_switched_off(name: str, bare: Recipe) -> None:
    recipe = changed(bare, ON[name])
    found = used(recipe)
    assert list(found) == [name]
    assert without(found[name], name) is None
    assert found[name].seed == recipe.seed


def test_shorter_windows_are_a_technique_of_language() -> None:
    recipe = recipe_of_language()
    off = without(recipe, "sequence-length warm-up")
    assert off is not None
    assert off.train.sequence_warmup is None
    assert changed(off, {"train.sequence_warmup": recipe.train.sequence_warmup.model_dump()}) == recipe  # type: ignore[union-attr]


def test_what_stands_in_for_an_optimizer_has_its_own_defaults(bare: Recipe) -> None:
    off = without(changed(bare, ON["schedule-free"]), "schedule-free")
    assert off is not None
    assert (off.train.optimizer.name, off.train.optimizer.learning_rate) == ("adamw", 2e-3)
    assert off.train.schedule.name == "cosine"


def test_a_preset_is_switched_off_with_all_that_it_fills_in(bare: Recipe) -> None:
    strong = Recipe.model_validate({**bare.model_dump(), "augment": {"preset": "strong"}})
    assert strong.augment.rotate > 0
    off = without(strong, "augmentation")
    assert off is not None
    assert off.augment == bare.augment


def test_distillation_is_switched_off_in_both_of_its_parts(bare: Recipe) -> None:
    off = without(bare, "distillation")
    assert off is not None
    assert off.compress is not None
    assert (off.compress.distill.weight, off.compress.distill.features) == (0, 0)
    assert without(changed(bare, {"compress": None}), "distillation") is None


def test_auto_becomes_what_the_parent_was_trained_with() -> None:
    recipe = Recipe.model_validate(IMAGES)
    plain = settled(recipe, {"precision": "bf16", "execution": {"compiled": True, "threads": 1}})
    assert (plain.train.precision, plain.train.compile) == ("bf16", True)
    assert {"bf16", "torch.compile"} <= set(used(plain))
    assert not {"bf16", "torch.compile"} & set(used(settled(recipe, {"precision": "fp32"})))
