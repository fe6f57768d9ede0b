"""The story of a ledger: what there is to switch off, the trials that fit the time, the rows of the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from bessemer.artifact import Artifact
from bessemer.ledger.order import Trial, first_round, take
from bessemer.ledger.rows import PRUNING, QUANTIZATION, rows_of
from bessemer.ledger.techniques import COMPRESSION, settled, used
from bessemer.ledger.trials import RESULT, Chosen, name_of, obtain
from bessemer.stages.context import Context


@dataclass(frozen=True)
class Ledger:
    """Rows of the report, facts about all trials, and how many were made just now."""

    rows: list[dict[str, Any]]
    about: dict[str, Any]
    made: int


def take_ledger(context: Context, minutes: float) -> Ledger:
    """Make the trials that fit into `minutes`, of all calls together; the context has the artifacts of a run."""
    decisions = context.inputs["train"].json("facts.json").get("decisions") or {}
    context = replace(context, recipe=settled(context.recipe, decisions))
    chosen = chosen_of(context.inputs.get("compress"))
    groups, guesses = groups_of(context, chosen), guesses_of(context.inputs)
    say_what_comes(context, groups, bool(chosen and chosen.format == "int8"), 60 * minutes, guesses)
    found: dict[Trial, dict[str, Any]] = {}
    made = 0

    def make(trial: Trial) -> float:
        nonlocal made
        artifact, cached = obtain(context, trial, chosen)
        found[trial] = artifact.json(RESULT)
        made += not cached
        context.progress.note(_told(trial, found[trial], cached))
        return float(artifact.manifest["seconds"])

    account = take(groups, 60 * minutes, guesses, make)
    about = {
        "minutes": minutes,
        "trials": len(found),
        "seconds": round(account.spent, 1),
        "seeds": 1 + max((trial.round for trial in found), default=-1),
        "split": "validation",
        "measure": "bits per byte" if context.recipe.task == "language" else "accuracy",
    }
    return Ledger(rows_of(found, chosen.format if chosen else "fp32"), about, made)


def chosen_of(compress: Artifact | None) -> Chosen | None:
    """The candidate that compression chose, if there was one."""
    choice = compress.json("choice.json")["chosen"] if compress else None
    return Chosen(choice["keep"], choice["format"]) if choice else None


def groups_of(context: Context, chosen: Chosen | None) -> dict[str, list[str]]:
    """What can be switched off in each stage; a stage without anything is left out."""
    groups = {"train": list(used(context.recipe))}
    if chosen:
        groups["compress"] = [PRUNING, *used(context.recipe, COMPRESSION)] if chosen.keep < 1 else []
    last_step = {"compress"} if chosen and chosen.format == "int8" else set()
    return {stage: names for stage, names in groups.items() if names or stage in last_step}


def guesses_of(inputs: Mapping[str, Artifact]) -> dict[str, float]:
    """Seconds that a trial of each stage may take: what the run took for it."""
    choice = inputs["compress"].json("choice.json") if "compress" in inputs else {}
    return {"train": float(inputs["train"].manifest["seconds"]), "compress": float(choice.get("seconds", 0.0))}


def say_what_comes(
    context: Context, groups: Mapping[str, list[str]], integer: bool, seconds: float, guesses: Mapping[str, float]
) -> None:
    """Tell what is switched off in turn, and whether the time is too short for a pair of each."""
    names = [name for group in groups.values() for name in group]
    names += [QUANTIZATION] if integer else []
    context.progress.note(f"ledger    switches off in turn: {', '.join(names) or 'nothing is in use'}")
    needed = first_round(groups, guesses)
    if needed > seconds:
        context.progress.note(
            f"  mind: one pair of each takes about {needed / 60:.1f} minutes, more than the {seconds / 60:g} "
            "given; one pair of each is made all the same"
        )


def _told(trial: Trial, found: dict[str, Any], cached: bool) -> str:
    parts = []
    for form, one in found.items():
        quality = f"{-one['quality']:.3f} bits per byte" if one["quality"] < 0 else f"{100 * one['quality']:.2f}%"
        parts.append(f"{quality} in {one['seconds']:.1f} s" if form == "fp32" else f"{form} {quality}")
    return f"  {name_of(trial)}: {', '.join(parts)}{', kept from before' if cached else ''}"
