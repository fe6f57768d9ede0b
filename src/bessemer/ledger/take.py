"""The story of a ledger: what there is to switch off, the trials that fit the time, the rows of the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from bessemer.artifact import Artifact
from bessemer.compress.steps import FLOATS, step_from, techniques
from bessemer.ledger.order import Trial, first_round, take
from bessemer.ledger.rows import rows_of
from bessemer.ledger.techniques import settled, used
from bessemer.ledger.trials import RESULT, Chosen, name_of, obtain
from bessemer.report.units import Measure
from bessemer.stages.compress import choice_of
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
    chosen = chosen_of(context.inputs)
    measure = context.headline()
    groups, guesses = groups_of(context, chosen), guesses_of(context.inputs)
    say_what_comes(context, groups, chosen.last if chosen else None, 60 * minutes, guesses)
    found: dict[Trial, dict[str, Any]] = {}
    made = 0

    def make(trial: Trial) -> float:
        nonlocal made
        artifact, cached = obtain(context, trial, chosen)
        found[trial] = artifact.json(RESULT)
        made += not cached
        context.progress.note(_told(trial, found[trial], cached, measure))
        return float(artifact.manifest["seconds"])

    account = take(groups, 60 * minutes, guesses, make)
    about = {
        "minutes": minutes,
        "trials": len(found),
        "seconds": round(account.spent, 1),
        "seeds": 1 + max((trial.round for trial in found), default=-1),
        "split": "validation",
    }
    form, last = (chosen.form, chosen.last) if chosen else (FLOATS, None)
    return Ledger(rows_of(found, measure, form, last), about, made)


def chosen_of(inputs: Mapping[str, Artifact]) -> Chosen | None:
    """The steps of the candidate that compression chose, if there was one."""
    choice = choice_of(inputs)
    return Chosen(tuple(map(step_from, choice.chosen.steps))) if choice and choice.chosen else None


def groups_of(context: Context, chosen: Chosen | None) -> dict[str, list[str]]:
    """What can be switched off in each stage; a stage without anything is left out."""
    groups = {"train": list(used(context.recipe))}
    if chosen:
        groups["compress"] = techniques(chosen.before)
    last_step = {"compress"} if chosen and chosen.last else set()
    return {stage: names for stage, names in groups.items() if names or stage in last_step}


def guesses_of(inputs: Mapping[str, Artifact]) -> dict[str, float]:
    """Seconds that a trial of each stage may take: what the run took for it."""
    choice = choice_of(inputs)
    compress = sum(link.seconds for link in choice.chain) if choice else 0.0
    return {"train": float(inputs["train"].manifest["seconds"]), "compress": compress}


def say_what_comes(
    context: Context,
    groups: Mapping[str, list[str]],
    last: str | None,
    seconds: float,
    guesses: Mapping[str, float],
) -> None:
    """Tell what is switched off in turn, and whether the time is too short for a pair of each."""
    names = [name for group in groups.values() for name in group]
    names += [last] if last else []
    context.progress.note(f"ledger    switches off in turn: {', '.join(names) or 'nothing is in use'}")
    needed = first_round(groups, guesses)
    if needed > seconds:
        context.progress.note(
            f"  mind: one pair of each takes about {needed / 60:.1f} minutes, more than the {seconds / 60:g} "
            "given; one pair of each is made all the same"
        )


def _told(trial: Trial, found: dict[str, Any], cached: bool, measure: Measure) -> str:
    parts = []
    for form, one in found.items():
        quality = measure.unit.told(one["quality"])
        parts.append(f"{quality} in {one['seconds']:.1f} s" if form == FLOATS else f"{form} {quality}")
    return f"  {name_of(trial)}: {', '.join(parts)}{', kept from before' if cached else ''}"
