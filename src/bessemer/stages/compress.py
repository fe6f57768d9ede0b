"""Candidates from gentle to harsh, each an artifact of its own, until one meets the contract."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bessemer.artifact import Artifact, copy_into
from bessemer.compress.config import CompressConfig
from bessemer.compress.contract import few_samples
from bessemer.compress.propose import Round, proposal
from bessemer.compress.search import Candidate, choose, contract_facts, describe, search
from bessemer.compress.steps import Plan
from bessemer.config import keyed
from bessemer.recipe import Recipe
from bessemer.stages import evaluate, prepare, train
from bessemer.stages.candidate import Tried, obtain, told_trainings
from bessemer.stages.context import Context
from bessemer.stages.evaluate import Baseline, Evaluated
from bessemer.stages.stage import Stage

CHOICE = "choice.json"


@dataclass(frozen=True)
class Link:
    """A candidate on the way from the parent to the chosen one: what its steps are, and what it took."""

    techniques: str
    seconds: float
    tried: Tried


class Compressed:
    """What compression chose; `chosen` is None where nothing meets the contract."""

    def __init__(self, inputs: Mapping[str, Artifact]) -> None:
        self._folder = inputs["compress"].path
        choice = json.loads((self._folder / CHOICE).read_text(encoding="utf-8"))
        self.chosen = Candidate(**choice["chosen"]) if choice["chosen"] else None
        self.chain = [
            Link(one["techniques"], one["seconds"], Tried(self._folder / one["folder"])) for one in choice["chain"]
        ]


def settings(recipe: Recipe) -> dict[str, Any]:
    """The whole of `compress`, and what its trainings see."""
    assert recipe.compress is not None
    parts = {"compress": keyed(recipe.compress), "augment": keyed(recipe.augment)}
    return {"names": recipe.names(), "seed": recipe.seed, **parts}


def body(context: Context) -> None:
    """Make the candidates that are proposed, choose, and keep the chosen one with all that it stands on."""
    config = context.recipe.compress
    assert config is not None
    warn_of_few_samples(context, config)
    made: dict[str, tuple[Plan, Artifact]] = {}

    def make(plans: Round) -> Iterable[Candidate]:
        for plan in plans:
            artifact, cached = obtain(context, plan, config.contract)
            one = Tried(artifact.path).candidate
            made[one.name] = plan, artifact
            context.progress.note(
                describe(one, config.contract, context.headline().unit) + (", kept from before" if cached else "")
            )
            yield one

    candidates = search(config, proposal(config, Baseline(context).network is not None), make)
    chosen = choose(config, candidates)
    chain = keep_chain(context, made[chosen.name][0], config) if chosen else []
    choice = {"chosen": chosen.as_dict() if chosen else None, "chain": chain}
    (context.out / CHOICE).write_text(json.dumps(choice, indent=1), encoding="utf-8")
    curves = {}
    for plan, _ in made.values():
        for link in plan.chain:
            artifact, _ = obtain(context, link, config.contract)
            context.tell_training(told_trainings(artifact))
            if history := Tried(artifact.path).history:
                curves[link.curve] = history
    facts = contract_facts(config, candidates, chosen)
    context.write_facts({"contract": facts, "curves": {"candidates": curves}})


STAGE = Stage(
    "compress",
    (prepare.STAGE, train.STAGE, evaluate.STAGE),
    settings,
    body,
    wanted=lambda recipe: recipe.compress is not None,
)


def keep_chain(context: Context, plan: Plan, config: CompressConfig) -> list[dict[str, Any]]:
    """Copy the chosen candidate and those it begins with; returns what `Compressed` reads."""
    chain = []
    for number, link in enumerate(plan.chain):
        artifact, _ = obtain(context, link, config.contract)
        copy_into(artifact.path, context.out / str(number))
        seconds = artifact.manifest["seconds"]
        chain.append({"folder": str(number), "techniques": link.techniques, "seconds": seconds})
    return chain


def warn_of_few_samples(context: Context, config: CompressConfig) -> None:
    """Say so where one sample weighs more than the quality that may be lost."""
    task, splits = context.task, context.dataset().about["splits"]
    parent = task.value(Evaluated(context.inputs).records("validation"))
    unit = context.headline().unit
    for text in few_samples(task, splits, parent, config.contract, unit):
        context.progress.note(f"  mind: {text}")


def choice_of(inputs: Mapping[str, Artifact]) -> Compressed | None:
    """What compression chose, where there was one."""
    return Compressed(inputs) if "compress" in inputs else None
