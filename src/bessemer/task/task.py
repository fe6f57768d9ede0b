"""What a task is: everything that the stages ask of it, in one class with defaults.

A task says what its targets look like and what a network's head must give; the loss; how outputs become records of
single samples, and how measures, their intervals and the paired interval of two models follow from these; which
simple model stands beside it; what `predict` says; and its part of the report. No stage knows more of it, so a new
task is a new folder, and a stranger's is named in the recipe by its dotted path (docs/extend.md).

A task is imported to read a recipe, so heavy libraries are imported where they are used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from bessemer.report.blocks import Bars, Block, Histogram, Section, plain_sections
from bessemer.report.format import known, plural, times
from bessemer.report.units import Measure

if TYPE_CHECKING:
    from torch import Tensor, nn

    from bessemer.data.config import AugmentConfig
    from bessemer.data.dataset import Batches, Dataset, Samples
    from bessemer.measure.parity import Parity
    from bessemer.model.answers import Answers

Records = dict[str, NDArray[Any]]  # what is known of each sample; a file of plain arrays when it is kept
Difference = tuple[float, float | None, float | None]  # a gain, and its 95% interval where it has one


class Objective(Protocol):
    """What training needs to know of a task: how far outputs are from a batch's targets.

    One whose `loss` leaves out some targets also has `count(targets) -> Tensor`, a scalar: how many it is the mean
    over. Parts of a batch then weigh by what counts in them; without it they weigh the same.
    """

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The loss of a batch, a mean in nats and float32."""

    def losses(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The loss of each sample (B,), in nats and float32."""


@runtime_checkable
class Teachable(Protocol):
    """What an objective says besides, where outputs are no logits: how far a student is from its teacher."""

    def taught(self, student: Tensor, teacher: Tensor) -> Tensor:
        """The loss of a batch's outputs (B, ...) against those of a teacher, a mean in float32."""


@dataclass(frozen=True)
class Lesson:
    """What a task brings to training; `validate` gives the headline measure of a network on held-out data."""

    objective: Objective
    batches: Batches
    validate: Callable[[nn.Module], float]


@dataclass(frozen=True)
class LessonSettings:
    """What a task may know of a training to prepare its lesson."""

    epochs: float
    batch_size: int
    augment: AugmentConfig
    seed: int
    taught: bool = False  # under a parent, which compares outputs: the network must give them whole


@dataclass(frozen=True)
class Shown:
    """A measured model, for the task's part of the report: role, network, and records of the test split."""

    role: str  # parent or shipped
    dataset: Dataset
    network: nn.Module
    records: Records
    seed: int
    parent: Records | None = None  # of the model that it came from, on the same samples


class Predictor(Protocol):
    """What `predict` needs of a task: raw files in, what the model says of them out. It works without torch.

    It may have `flat(answer)`, an answer as columns of a table, and `adjust(**settings)`, for settings of its own.
    """

    def read(self, source: Any) -> Any:
        """What the model takes, from a raw file, or a cell of a table; raises Rejected where it cannot be used."""

    def answer(self, model: Answers, inputs: Any, top: int) -> dict[str, Any]:
        """What the model says, as plain values."""

    def told(self, answer: Mapping[str, Any]) -> str:
        """The same in words, for the terminal."""


# Parts of the report that others write.
REPORTED = {
    "format",
    "version",
    "name",
    "recipe",
    "seed",
    "machine",
    "stages",
    "data",
    "baseline",
    "metrics",
    "sizes",
}
REPORTED |= {"latency", "contract", "parity", "curves", "training", "ledger", "decisions", "measures", "sections"}
DRAWN = 12  # targets whose numbers are drawn
OF_ITS_OWN = ("name", "measures", "lesson", "records", "value", "baseline", "predictor")


class Task:
    """A task, with what most of them share; what OF_ITS_OWN lists has no default.

    `measures` has the headline first; the contract speaks of it.
    """

    name: str
    measures: tuple[Measure, ...]
    kinds: tuple[str, ...] | None = None  # of data that it takes; None takes all
    head: str = "classes"  # what a network must give, or tokens, or numbers; models say which they can carry
    labelled = True  # rows without a label are set aside, and classes are counted, split and checked
    has_numbers = False  # labels are numbers, one or several: kept as float32, and not taken for classes
    has_windows = False  # samples are windows of running text
    sample = "sample"  # what one row of a batch is, in words
    batch = 64  # samples that are timed at once where no contract says otherwise

    @property
    def has_classes(self) -> bool:
        """Whether targets are classes, which methods may smooth and mix; a task may say no of its own."""
        return self.labelled and not self.has_numbers

    @property
    def headline(self) -> Measure:
        """The measure that the contract, the curves and the ledger speak of."""
        return self.measures[0]

    def measures_of(self, about: Mapping[str, Any]) -> tuple[Measure, ...]:
        """The measures with labels and units that suit the data, from what `dataset.json` says."""
        return self.measures

    # --- the recipe --------------------------------------------------------------------------------------

    def fill(self, values: dict[str, Any]) -> dict[str, Any]:
        """A recipe's values with this task's defaults, before they are validated."""
        return values

    def check(self, recipe: Any) -> None:
        """Raise ValueError where a recipe's settings do not go with the task; name what to change."""

    def starter(self) -> Callable[[Path, Path, bool, float], str] | None:
        """What writes a first recipe (data, out, force, minutes of the run); None for that of the kind of data."""
        return None

    # --- data and network --------------------------------------------------------------------------------

    def finish(self) -> Callable[..., dict[str, Any]] | None:
        """What stores the prepared rows; None leaves it to the kind of data."""
        return None

    def head_arguments(self, about: Mapping[str, Any]) -> dict[str, Any]:
        """What a builder must know of the head, from what `dataset.json` says.

        Of a head of numbers also `target_mean` and `target_std` of the training split: a network that can carry
        classes then gives numbers in that unit (bessemer.model.targets).
        """
        if self.head == "numbers":
            figures = {f"target_{name}": [one[name] for one in about["numbers"]] for name in ("mean", "std")}
            return {"classes": len(about["numbers"]), **figures}
        if self.head != "classes":
            return {}
        return {"classes": len(about["numbers"] if self.has_numbers else about["classes"])}

    def samples(self, dataset: Dataset, split: str, network: nn.Module) -> Samples:
        """The samples of a split as this network takes them."""
        return dataset.split(split)

    def some(self, samples: Samples, count: int, seed: int) -> NDArray[np.int64]:
        """Places of about `count` samples that stand for all."""
        from bessemer.data.split import take_count

        return take_count(samples.labels, samples.ids, count, seed)

    def lesson(self, dataset: Dataset, network: nn.Module, settings: LessonSettings) -> Lesson:
        """Loss, batches and validation."""
        raise NotImplementedError

    def of_given(self) -> Task:
        """The task as it is for plain samples that a caller hands over (see bessemer.task.given)."""
        return self

    # --- measuring ---------------------------------------------------------------------------------------

    def records(self, model: Answers, samples: Samples, dataset: Dataset) -> Records:
        """What is known of each sample once a model answered: all that the measures below need."""
        raise NotImplementedError

    def value(self, records: Records) -> float:
        """The headline measure."""
        raise NotImplementedError

    def metrics(self, records: Records, seed: int) -> dict[str, dict[str, float]]:
        """Every measure by name: `value`, with `low` and `high` at 95% where there is an interval."""
        return {self.headline.name: {"value": self.value(records)}}

    def difference(self, before: Records, after: Records, seed: int) -> Difference:
        """What `after` is better by on the same samples, in the headline's own numbers, with its interval.

        Plus is better, also where fewer are: `Measure.gain` says it so.
        """
        return self.headline.gain(self.value(before), self.value(after)), None, None

    def compared(self, samples: Samples) -> Samples:
        """The samples on which a file is held against its network."""
        return samples

    def parity(self, expected: NDArray[np.float32], given: NDArray[np.float32]) -> Parity:
        """How far a file's outputs agree with its network's."""
        from bessemer.measure.parity import compare, compare_numbers

        if self.has_numbers or expected.shape[-1] == 1:  # of one column the largest is always the same
            return compare_numbers(expected.reshape(len(expected), -1), given.reshape(len(given), -1))
        return compare(expected.reshape(-1, expected.shape[-1]), given.reshape(-1, given.shape[-1]))

    def weight_of_a_sample(self, splits: Mapping[str, int]) -> dict[str, float]:
        """What one sample of the splits that judge weighs in the headline measure, where that can be said."""
        return {}

    def baseline(self, dataset: Dataset, seed: int) -> dict[str, Any]:
        """What simple means reach on the same splits: `name` and `metrics` of the best, others in `also`.

        Where known also `records` of the test samples by name, as `records` makes them, and as `network` the
        simple model that can ship: its `name`, `architecture` and `module`.
        """
        raise NotImplementedError

    # --- telling -----------------------------------------------------------------------------------------

    def facts(self, shown: Shown) -> dict[str, Any]:
        """This task's own facts of one model for `report.json`, under names that it has not.

        `card` is what the model card says: `does` and `limits` are lists of sentences; `use` has the name of an
        `example` file, what `predict` `says` of it, and the file's `tensors` in words; `pipeline_tag` is for hubs.
        """
        return {}

    def sections(self, shown: Shown) -> dict[str, Section]:
        """This task's sections of the report, by id; what ships replaces the parent's section of that id."""
        return {}

    def of_data(self, about: Mapping[str, Any]) -> list[Block]:
        """What the report's part on data shows of the targets, from what `dataset.json` says."""
        if not self.labelled:
            return []
        if self.has_numbers:
            some = about["numbers"][:DRAWN]
            return [Histogram(one["edges"], one["counts"], f"Targets: {one['name']}") for one in some]
        label = "Samples of each class"
        return [Bars(about["classes"], about["class_counts"], label=label, caption=balance(about))]

    def told(self, shown: Shown) -> dict[str, Any]:
        """All that the report takes over of one model, as plain values."""
        facts = self.facts(shown)
        taken = sorted(set(facts) & REPORTED)
        if taken:
            raise ValueError(
                f"{self.name}: facts may not be called {', '.join(taken)}, as parts of the report are"
            )
        if not isinstance(facts.get("card", {}), Mapping):
            raise ValueError(f"{self.name}: facts['card'] is a mapping with `does`, `use` and `limits`")
        return {**facts, "sections": plain_sections(self.sections(shown))}

    def measured(self, records: Records, seed: int) -> dict[str, dict[str, float]]:
        """What `metrics` gives, held against `measures`. Raises ValueError where the headline is not among it."""
        found, names = self.metrics(records, seed), [measure.name for measure in self.measures]
        if self.headline.name not in found or not set(found) <= set(names):
            problem = f"metrics gives {', '.join(found) or 'nothing'}, and measures are {', '.join(names)}"
            raise ValueError(f"{self.name}: {problem}; the first of them must be there")
        return found

    def describe(self, dataset: Dataset, network: nn.Module) -> dict[str, Any]:
        """What `preprocess.json` says beside the file: how outputs are to be read."""
        return {}

    def outputs(self, dataset: Dataset) -> list[Any]:
        """The shape of the file's outputs, free sizes as names: that of the head, where it says so."""
        return ["batch", self.head_arguments(dataset.about).get("classes", len(dataset.about["classes"]))]

    def predictor(self, about: Mapping[str, Any], folder: Path) -> Predictor:
        """What puts an exported folder to use; raises KeyError, TypeError or ValueError where it is damaged."""
        raise NotImplementedError


def balance(about: Mapping[str, Any]) -> str:
    """How many classes there are and how far their sizes differ, in words."""
    found, classes = about.get("balance") or {}, plural(len(about["classes"]), "class")
    if not found:
        return f"{classes}."
    largest, smallest = (
        f"{found[end]['name']} with {plural(found[end]['count'], 'sample')}" for end in ("largest", "smallest")
    )
    ratio = found.get("ratio")
    fewer = f", {times(ratio)} fewer" if known(ratio) else ""
    return f"{classes}. The largest is {largest}, the smallest {smallest}{fewer}."


def incomplete(task: Task) -> list[str]:
    """What a task must say of its own and does not."""
    return [
        name
        for name in OF_ITS_OWN
        if not hasattr(task, name) or getattr(type(task), name, task) is getattr(Task, name, None)
    ]
