"""A stranger's task: grades, classes in an order, judged by how many steps a guess is off."""

from __future__ import annotations

from typing import Any

import numpy as np

from bessemer.report.blocks import Column, Section, Table
from bessemer.report.units import Measure, Unit
from bessemer.task.task import Lesson, Task

STEPS = Unit(decimals=3, word="steps", difference="steps")


class Distance:
    """Cross-entropy with a share for the neighbors of the true grade."""

    def __init__(self, grades: int) -> None:
        self.grades = grades

    def losses(self, outputs: Any, targets: Any) -> Any:
        import torch

        away = (torch.arange(self.grades, device=targets.device) - targets[:, None]).abs()
        wanted = torch.softmax(-2.0 * away.float(), 1)
        return -(wanted * torch.log_softmax(outputs.float(), 1)).sum(1)

    def loss(self, outputs: Any, targets: Any) -> Any:
        return self.losses(outputs, targets).mean()


class Ordinal(Task):
    """Classes in an order."""

    name = "ordinal"
    has_classes = False  # the true grade is a place in an order: labels are not to be mixed
    measures = (Measure("distance", "mean distance", STEPS, higher_is_better=False, best=0.0),)

    def lesson(self, dataset: Any, network: Any, settings: Any) -> Lesson:
        from bessemer.data.dataset import Batches
        from bessemer.model.answers import TorchModel

        held_out, augment = dataset.split("validation"), dataset.augmenter(settings.augment)
        batches = Batches(dataset.split("train"), settings.batch_size, settings.seed, augment, dataset.weights)
        validate = lambda one: self.value(self.records(TorchModel(one), held_out, dataset))  # noqa: E731
        return Lesson(Distance(len(dataset.about["classes"])), batches, validate)

    def records(self, model: Any, samples: Any, dataset: Any) -> dict[str, Any]:
        return {"off": np.abs(model.logits(samples.inputs).argmax(1) - samples.labels)}

    def value(self, records: dict[str, Any]) -> float:
        return float(records["off"].mean())

    def baseline(self, dataset: Any, seed: int) -> dict[str, Any]:
        middle = int(np.median(dataset.split("train").labels))
        off = float(np.abs(dataset.split("test").labels - middle).mean())
        return {"name": "always the middle grade", "metrics": {"distance": {"value": off}}, "also": []}

    def sections(self, shown: Any) -> dict[str, Section]:
        grades, off = shown.dataset.about["classes"], shown.records["off"]
        truth = shown.dataset.split("test").labels
        met = [(name, off[truth == place]) for place, name in enumerate(grades)]
        rows = [[name, float(some.mean())] for name, some in met if len(some)]
        table = Table([Column("grade"), Column("distance", STEPS)], rows, noun="grade")
        return {"grades": Section("Grades", [table], f"How far the {shown.role} model is off, by the true grade.")}

    def describe(self, dataset: Any, network: Any) -> dict[str, Any]:
        return {"grades": dataset.about["classes"]}

    def predictor(self, about: Any, folder: Any) -> Grader:
        return Grader(about, folder)


class Grader:
    """The likeliest grade of a raw file."""

    def __init__(self, about: Any, folder: Any) -> None:
        from bessemer.data.readers import reader

        self.grades, self.read = about["grades"], reader(dict(about), folder)

    def answer(self, model: Any, inputs: Any, top: int) -> dict[str, Any]:
        return {"grade": self.grades[int(model.logits(inputs).mean(0).argmax())]}

    def told(self, answer: Any) -> str:
        return f"grade {answer['grade']}"
