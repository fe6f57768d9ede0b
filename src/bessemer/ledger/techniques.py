"""Which techniques a recipe uses, and how each is switched off: one line a technique.

A test holds that every setting of training and compression is in one of these tables, or in NO_TECHNIQUE.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bessemer.data.config import AugmentConfig
from bessemer.recipe import Recipe
from bessemer.train.methods.methods import METHODS, find_method

Values = dict[str, Any]
INSTEAD = {"muon": "adamw", "schedule_free_sgd": "sgd", "schedule_free_adamw": "adamw"}


@dataclass(frozen=True)
class Switch:
    """The keys of a recipe that a technique is about, and `off`: the values of them without it.

    `off(recipe)` is empty where the recipe does not use the technique.
    """

    keys: tuple[str, ...]
    off: Callable[[Recipe], Values]


def to(values: Values) -> Switch:
    """A technique that is off where these keys have these values. Keys that the recipe has not do not count."""
    keys = tuple(values)

    def off(recipe: Recipe) -> Values:
        known = {key: value for key, value in values.items() if has(recipe, key)}
        return known if any(value_of(recipe, key) != value for key, value in known.items()) else {}

    return Switch(keys, off)


def has(recipe: Recipe, key: str) -> bool:
    """Whether the recipe has a dotted key; models have different ones, and compression can be null."""
    value: Any = recipe
    for part in key.split("."):
        if not hasattr(value, part):
            return False
        value = getattr(value, part)
    return True


def value_of(recipe: Recipe, key: str) -> Any:
    """The value of a dotted key."""
    value: Any = recipe
    for part in key.split("."):
        value = getattr(value, part)
    return value


# --- techniques that are more than a value ---------------------------------------------------------------


def _no_augmentation(recipe: Recipe) -> Values:
    nothing = AugmentConfig()
    unseen = {"preset": nothing.preset, "border": nothing.border}  # change nothing by themselves
    used = recipe.augment.model_copy(update=unseen) != nothing
    return {"augment": nothing.model_dump()} if used else {}


def _constant_rate(recipe: Recipe) -> Values:
    schedule = recipe.train.schedule
    used = schedule.name != "constant"
    return {"train.schedule": {"name": "constant", "warmup": schedule.warmup}} if used else {}


def _no_warmup(recipe: Recipe) -> Values:
    schedule = recipe.train.schedule
    used = schedule.warmup > 0 and schedule.name != "one_cycle"  # whose rise is the schedule itself
    return {"train.schedule.warmup": 0.0} if used else {}


def _another_optimizer(prefix: str) -> Switch:
    """The optimizer that one stands in for, at its default rate; a constant schedule becomes the default one."""

    def off(recipe: Recipe) -> Values:
        name = recipe.train.optimizer.name
        if not name.startswith(prefix):
            return {}
        free = name.startswith("schedule_free")
        return {"train.optimizer": {"name": INSTEAD[name]}, **({"train.schedule": {}} if free else {})}

    return Switch(("train.optimizer.name",), off)


# --- the tables ------------------------------------------------------------------------------------------

TRAINING: Mapping[str, Switch] = {
    "augmentation": Switch(("augment",), _no_augmentation),
    **{method.name: to({f"train.{key}": method.off}) for key, method in METHODS.items()},
    "learning-rate schedule": Switch(("train.schedule.name",), _constant_rate),
    "learning-rate warm-up": Switch(("train.schedule.warmup",), _no_warmup),
    "weight decay": to({"train.optimizer.weight_decay": 0.0}),
    "L1": to({"train.optimizer.l1": 0.0}),
    "gradient clipping": to({"train.clip": 0.0}),
    "dropout": to({"model.dropout": 0.0}),
    "muon": _another_optimizer("muon"),
    "schedule-free": _another_optimizer("schedule_free"),
    "bf16": to({"train.precision": "fp32"}),
    "torch.compile": to({"train.compile": False}),
    "autotuned execution": to({"train.autotune": False}),
}
# Around the candidate that was chosen. Pruning (all channels kept) and quantization (the same weights in fp32) are
# no settings of a rung, so bessemer.ledger.trials knows them.
COMPRESSION: Mapping[str, Switch] = {
    "distillation": to({"compress.distill.weight": 0.0, "compress.distill.features": 0.0}),
}
NO_TECHNIQUE: Mapping[str, tuple[str, ...]] = {
    "the amount of work": ("train.epochs", "train.minutes", "train.batch_size", "train.checkpoint_seconds"),
    "how a technique is carried out": (
        "train.optimizer.learning_rate",
        "train.optimizer.momentum",
        "train.optimizer.betas",
        "train.optimizer.decoupled",
        "train.optimizer.adamw_rate",
        *(f"train.schedule.{key}" for key in ("floor", "milestones", "gamma", "start", "decay", "shape")),
        "compress.distill.temperature",
        "compress.round_to",
        "compress.calibration",
    ),
    "without it a step may not fit into memory": ("train.accumulate", "train.memory"),
    "what keeps a run safe, or the same on any machine": ("train.guard", "train.ghost_batch"),
    "what is asked of compression": ("compress.contract", "compress.simple", "compress.search", "compress.prefer"),
    "named by the recipe itself, which techniques_of looks at": ("train.methods",),
    "known to bessemer.ledger.trials": ("compress.ladder", "compress.candidates", "compress.formats"),
    "training of candidates, whose techniques are not looked at one by one": ("compress.train",),
}


# --- a recipe without one --------------------------------------------------------------------------------


def techniques_of(recipe: Recipe) -> dict[str, Switch]:
    """What can be switched off in a training by this recipe: ours, and the strangers' methods that it names."""
    strangers = {find_method(one.name).name for one in recipe.train.methods}
    return {**TRAINING, **{name: _without_stranger(name) for name in sorted(strangers)}}


def _without_stranger(name: str) -> Switch:
    """A recipe's list of methods but for those of this name."""

    def off(recipe: Recipe) -> Values:
        kept = [one for one in recipe.train.methods if find_method(one.name).name != name]
        used = len(kept) < len(recipe.train.methods)
        return {"train.methods": [one.model_dump() for one in kept]} if used else {}

    return Switch(("train.methods",), off)


def without(recipe: Recipe, name: str) -> Recipe | None:
    """The recipe with a technique switched off, or None where it does not use it."""
    switch = techniques_of(recipe).get(name) or COMPRESSION.get(name)
    off = switch.off(recipe) if switch else {}
    return changed(recipe, off) if off else None


def changed(recipe: Recipe, values: Mapping[str, Any]) -> Recipe:
    """The recipe with other values at dotted keys."""
    every = recipe.model_dump()
    for key, value in values.items():
        *path, last = key.split(".")
        part = every
        for step in path:
            part = part[step]
        part[last] = value
    return Recipe.model_validate(every)


def used(recipe: Recipe) -> dict[str, Recipe]:
    """For each technique of training that the recipe uses, the recipe without it."""
    found = {name: without(recipe, name) for name in techniques_of(recipe)}
    return {name: other for name, other in found.items() if other is not None}


def settled(recipe: Recipe, decisions: Mapping[str, Any]) -> Recipe:
    """The recipe with what `auto` came to when the parent was trained, so that all trials do the same."""
    found: Values = {}
    if recipe.train.precision == "auto":
        found["train.precision"] = decisions.get("precision", "fp32")
    if recipe.train.compile == "auto":
        found["train.compile"] = bool((decisions.get("execution") or {}).get("compiled", False))
    return changed(recipe, found) if found else recipe
