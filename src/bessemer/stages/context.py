"""What every stage is given, and small things that several of them do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bessemer.artifact import ABOUT, Artifact, Cache, Decisions, write_atomic
from bessemer.recipe import Recipe
from bessemer.report.units import Measure
from bessemer.runtime import Progress, Runtime
from bessemer.task import Task, find_task
from bessemer.task.task import Records

if TYPE_CHECKING:
    from bessemer.data.dataset import Dataset


FACTS, DECISIONS = "facts.json", "decisions.json"


@dataclass(frozen=True)
class Context:
    """The recipe, upstream artifacts, the folders to write to, and how to work."""

    recipe: Recipe
    inputs: dict[str, Artifact]
    out: Path
    work: Path
    cache: Cache
    runtime: Runtime
    processes: int
    decisions: Decisions  # of the whole run; a stage's own stand in its work folder
    progress: Progress

    @property
    def task(self) -> Task:
        """What is learned."""
        return find_task(self.recipe.task)

    def dataset(self) -> Dataset:
        """The prepared data."""
        from bessemer.data.dataset import Dataset

        return Dataset(self.inputs["prepare"].path)

    def headline(self) -> Measure:
        """The task's first measure, in the unit that suits the data."""
        return self.task.measures_of(self.dataset().about)[0]

    def metadata(self, network: Any) -> dict[str, str]:
        """What an exported file says of its use, such as the names of its outputs; lists are JSON."""
        dataset = self.dataset()
        told = {"task": self.recipe.task, "modality": dataset.about["modality"]}
        told |= self.task.describe(dataset, network)
        return {name: one if isinstance(one, str) else json.dumps(one) for name, one in told.items()}

    def own_decisions(self) -> Decisions:
        """Decisions of this artifact alone: taken once, and kept when it is interrupted."""
        return Decisions(self.work / DECISIONS)

    def tell_training(self, told: Mapping[str, Any]) -> None:
        """Leave what trainings took, by the names of their curves: part of the report, not of what was made."""
        path = self.work / ABOUT
        before = json.loads(path.read_text(encoding="utf-8"))["training"] if path.exists() else {}
        write_atomic(path, json.dumps({"training": {**before, **told}}))

    def write_facts(self, facts: Mapping[str, Any]) -> None:
        """Leave this stage's part of the report."""
        (self.out / FACTS).write_text(json.dumps(facts, indent=1), encoding="utf-8")


def save_records(records: Records, path: Path) -> None:
    """Keep what is known of each sample: plain arrays in one file."""
    import numpy as np

    np.savez(path, **records)  # type: ignore[arg-type]  # its stubs take keywords for its own flag


def read_records(path: Path) -> Records:
    """What `save_records` kept."""
    import numpy as np

    with np.load(path, allow_pickle=False) as kept:
        return {name: kept[name] for name in kept.files}
