"""Compression under a contract of a trained module that a caller hands over."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from torch import nn

from bessemer.api.evaluate import Judge
from bessemer.api.lab import Bench, Option
from bessemer.artifact import place_errors
from bessemer.compress.config import CompressConfig, ContractConfig
from bessemer.compress.contract import few_samples, judge
from bessemer.compress.propose import Round, proposal
from bessemer.compress.search import Candidate, choose, contract_facts, describe, search
from bessemer.compress.steps import INTEGERS, Plan
from bessemer.config import Document, build
from bessemer.data.dataset import Samples
from bessemer.data.given import inputs_of, samples_of
from bessemer.data.split import take_share
from bessemer.errors import ContractError, UsageError
from bessemer.export.session import OnnxModel
from bessemer.report import format as say
from bessemer.report.facts import change_of
from bessemer.report.table import pareto_table
from bessemer.report.units import Measure
from bessemer.runtime import SILENT, Progress, available_threads
from bessemer.task.given import check, first_outputs, fitting, known_task, refuse_not_finite
from bessemer.task.task import Task

HELD_OUT = 0.2  # of the data, where no validation set is given
NOTHING_ASKED = {"max_drop": None, "min_speedup": None}
Tried = tuple[Plan, Option]


@dataclass(frozen=True)
class Compressed:
    """What compression found: all candidates, and the one that it chose; its `repr` is a table.

    `options` are in the order in which they were made; without a contract the best come first. `test` has the
    figures of the chosen one on the test set, where one was given.
    """

    options: list[Option]
    chosen: Option
    measure: Measure
    facts: Mapping[str, Any]  # of the search, as in report.json
    minds: tuple[str, ...] = ()
    test: Candidate | None = None

    @property
    def model(self) -> nn.Module:
        """The chosen network, in evaluation mode, on the processor."""
        return self.chosen.model

    @property
    def edits(self) -> list[dict[str, Any]]:
        """What makes it of the parent (see bessemer.model.surgery)."""
        return self.chosen.edits

    def __repr__(self) -> str:
        return "\n".join(
            [table(self.facts, self.measure), *self._of_test(), *(f"Mind: {one}" for one in self.minds)]
        )

    def _of_test(self) -> list[str]:
        if self.test is None:
            return []
        value, lost = self.measure.words(self.test.quality), change_of(self.measure, self.test.drop)
        return [f"{self.test.name} on the test set: {value} ({lost}), {say.times(self.test.speedup)} as fast"]


def compress(
    model: nn.Module,
    data: Any,
    *,
    task: Any,
    contract: Mapping[str, Any] | ContractConfig | None = None,
    validation: Any = None,
    test: Any = None,
    example: Any = None,
    epochs: float = 5,
    learning_rate: float = 1e-3,
    batch_size: int = 32,
    seed: int = 0,
    work: str | Path | None = None,
    progress: Progress = SILENT,
    **settings: Any,
) -> Compressed:
    """The smallest or fastest candidate that meets the contract: pruned, taught by the model, in 8-bit integers.

    `model` is trained, and stays as it is. `data` trains and calibrates, `validation` (data, or a share that is
    held out of `data`: a fifth) chooses, and `test` proves the choice; all as bessemer.data.given takes them.
    `task` is a name or a Task with measures. `contract` has the terms of a recipe's `compress.contract`. With None
    no term is asked, every candidate is made, and the smallest that loses at most one point comes first. `epochs`,
    `learning_rate` and `batch_size` are those of each candidate's training. `settings` are other keys of a
    recipe's `compress`, such as `ladder=[0.5]` or `formats=["int8"]`. With `work`, files and trainings go to that
    folder, and the same call goes on from there. `example` is a batch of inputs; by default that of `data`.

    Quality, size and speed are those of ONNX files in ONNX Runtime on this machine, in turns with the model's own.
    Raises ContractError with the table where nothing meets the contract, and UsageError where the task has no
    measures or a setting is unknown.
    """
    found = _measured(task)
    train, held_out = _apart(found, model, data, validation, seed)
    judge = Judge(found, held_out, model)
    tested = None if test is None else Judge(found, _taken(found, model, test), model)
    config = _settings(contract, epochs, learning_rate, min(batch_size, len(train)), settings)
    with _folder(work) as folder:
        bench = Bench(
            parent=copy.deepcopy(model).cpu().eval(),
            task=found,
            train=train,
            example=inputs_of(train if example is None else example, 2)[:2].cpu(),
            device=next((str(tensor.device) for tensor in model.parameters()), "cpu"),
            seed=seed,
            batch=config.contract.batch,
            folder=folder,
            keep=work is not None,
            progress=progress,
        )
        before = judge.headline(OnnxModel(bench.parent_file, available_threads()))
        unit = judge.measures[0].unit
        minds = tuple(few_samples(found, {"validation": len(judge.samples)}, before, config.contract, unit))
        for text in minds:
            progress.note(f"  mind: {text}")
        made = _search(bench, config, judge, before)
        chosen = _best(made) if contract is None else _chosen(config, made)
        facts = contract_facts(config, [one.figures for _, one in made], chosen[1].figures if chosen else None)
        if chosen is None:
            raise _refused(facts, judge.measures[0], "no candidate meets the contract")
        proof = None if tested is None else _proof(bench, chosen, tested)
        if proof is not None and contract is not None:
            _judge(config.contract, proof, facts, judge.measures[0])
    return Compressed([option for _, option in made], chosen[1], judge.measures[0], facts, minds, proof)


def table(facts: Mapping[str, Any], measure: Measure) -> str:
    """The parent, the terms, and all candidates with what they miss; a star marks the one that is chosen."""
    first = facts["candidates"][0]
    terms = ", ".join(f"{name} {value}" for name, value in facts["terms"].items()) or "nothing asked"
    size = say.size(round(first["bytes"] * first["shrink"]))
    head = f"parent: {measure.words(first['parent_quality'])}, {size}; contract: {terms}"
    return f"{head}\n{pareto_table({'measures': [measure.as_dict()], 'contract': facts})}"


def _measured(task: Any) -> Task:
    found = known_task(task)
    if found is None:
        told = getattr(task, "__qualname__", type(task).__name__)
        remedy = "give a task's name, such as task='classify', or a Task (docs/extend.md)"
        raise UsageError(f"{told} says how to learn, not what quality is, of which a contract speaks", remedy)
    return found


def _taken(task: Task, model: nn.Module, data: Any) -> Samples:
    """Data as samples that go with the task and the model."""
    samples = fitting(task, samples_of(data))
    check(task, samples, first_outputs(model, samples))
    refuse_not_finite(model, samples)
    return samples


def _apart(task: Task, model: nn.Module, data: Any, validation: Any, seed: int) -> tuple[Samples, Samples]:
    """Training and validation samples; a share is taken of every class."""
    samples = _taken(task, model, data)
    if validation is not None and not isinstance(validation, float):
        return samples, _taken(task, model, validation)
    share = HELD_OUT if validation is None else validation
    if not 0 < share < 1:
        raise UsageError(f"validation must be in (0, 1), got {share}", "give a share such as 0.2, or data")
    if len(samples) < 2:
        raise UsageError("of one sample nothing can be held out", "give more data, or validation=(x, y)")
    classes = samples.labels if samples.labels.ndim == 1 else np.zeros(len(samples), np.int64)
    held_out = take_share(classes, samples.ids, share, seed)
    return samples.select(np.flatnonzero(~held_out)), samples.select(np.flatnonzero(held_out))


def _settings(
    contract: Mapping[str, Any] | ContractConfig | None,
    epochs: float,
    learning_rate: float,
    batch_size: int,
    settings: Mapping[str, Any],
) -> CompressConfig:
    """The settings of a recipe's `compress`; raises RecipeError with the nearest key where one is unknown."""
    terms = contract.model_dump() if isinstance(contract, ContractConfig) else contract
    optimizer = {"name": "adamw", "learning_rate": learning_rate}
    train = {"epochs": epochs, "batch_size": batch_size, "optimizer": optimizer, "precision": "fp32"}
    values = {
        "search": "all" if contract is None else "first",
        **settings,
        "train": {**train, **settings.get("train", {})},
        "contract": NOTHING_ASKED if terms is None else dict(terms),
    }
    return build(CompressConfig, Document("compress", values, {}))


@contextmanager
def _folder(work: str | Path | None) -> Iterator[Path]:
    """The folder of the caller, or one that is removed afterwards."""
    if work is None:
        with TemporaryDirectory() as folder:
            yield Path(folder)
        return
    path = Path(work).expanduser()
    with place_errors(path):
        path.mkdir(parents=True, exist_ok=True)
    yield path


def _search(bench: Bench, config: CompressConfig, judge: Judge, before: float) -> list[Tried]:
    """All candidates that were made."""
    made: list[Tried] = []

    def make(plans: Round) -> Iterable[Candidate]:
        for plan in plans:
            option = bench.option(plan, judge, before)
            made.append((plan, option))
            bench.progress.note(describe(option.figures, config.contract, judge.measures[0].unit))
            yield option.figures

    search(config, proposal(config), make)
    return made


def _best(made: list[Tried]) -> Tried:
    """Where nothing is asked: puts the best first, and returns it."""
    made.sort(key=lambda one: _gentle_and_small(one[1].figures))
    return made[0]


def _gentle_and_small(figures: Candidate) -> tuple[bool, float]:
    """First those that lose at most one point, the smallest first; then the others, by what they lose."""
    gentle = figures.drop <= ContractConfig().most_lost(figures.parent_quality)
    return (False, figures.bytes) if gentle else (True, figures.drop)


def _chosen(config: CompressConfig, made: list[Tried]) -> Tried | None:
    """What the contract lets through and `prefer` likes best."""
    best = choose(config, [option.figures for _, option in made])
    return next((one for one in made if one[1].figures is best), None)


def _proof(bench: Bench, chosen: Tried, judge: Judge) -> Candidate:
    """The figures of the chosen one on the test set."""
    plan, option = chosen
    before = judge.headline(OnnxModel(bench.parent_file, available_threads()))
    return bench.measure(plan, option.model, judge, before)


def _judge(contract: ContractConfig, proof: Candidate, facts: Mapping[str, Any], measure: Measure) -> None:
    """Raise ContractError where the test set refuses what validation chose."""
    figures = replace(proof.measured, speedup=proof.speedup)
    missed = [one.term for one in judge(contract, figures, proof.format == INTEGERS) if not one.met]
    if missed:
        value = f"{measure.words(proof.quality)} ({change_of(measure, proof.drop)})"
        raise _refused(facts, measure, f"{proof.name} misses {', '.join(missed)} on the test set: {value}")


def _refused(facts: Mapping[str, Any], measure: Measure, problem: str) -> ContractError:
    remedy = "loosen a term, train longer (epochs), or try more candidates (ladder); contract=None gives them all"
    return ContractError(f"{problem}\n{table(facts, measure)}", remedy)
