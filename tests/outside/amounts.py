"""A stranger's task with numbers as targets: amounts, judged by how far a guess is off."""

from __future__ import annotations

from typing import Any

import numpy as np

from bessemer.report.units import Measure, Unit
from bessemer.task.task import Lesson, Task

COINS = Unit(decimals=3, word="coins", difference="coins")


class Squares:
    """Squared distance to the true amount."""

    def losses(self, outputs: Any, targets: Any) -> Any:
        return (outputs.float()[:, 0] - targets).square()

    def loss(self, outputs: Any, targets: Any) -> Any:
        return self.losses(outputs, targets).mean()


class Amount(Task):
    """One number a sample."""

    name = "amount"
    has_numbers = True
    measures = (Measure("off", "mean error", COINS, higher_is_better=False, best=0.0),)

    def lesson(self, dataset: Any, network: Any, settings: Any) -> Lesson:
        from bessemer.data.dataset import Batches
        from bessemer.model.answers import TorchModel

        held_out, augment = dataset.split("validation"), dataset.augmenter(settings.augment)
        batches = Batches(dataset.split("train"), settings.batch_size, settings.seed, augment)
        validate = lambda one: self.value(self.records(TorchModel(one), held_out, dataset))  # noqa: E731
        return Lesson(Squares(), batches, validate)

    def records(self, model: Any, samples: Any, dataset: Any) -> dict[str, Any]:
        return {"off": np.abs(model.logits(samples.inputs)[:, 0] - samples.labels)}

    def value(self, records: dict[str, Any]) -> float:
        return float(records["off"].mean())

    def baseline(self, dataset: Any, seed: int) -> dict[str, Any]:
        mean = dataset.split("train").labels.mean()
        off = float(np.abs(dataset.split("test").labels - mean).mean())
        return {"name": "always the mean", "metrics": {"off": {"value": off}}, "also": []}

    def predictor(self, about: Any, folder: Any) -> Teller:
        return Teller(about, folder)


class Teller:
    """The amount of a raw file."""

    def __init__(self, about: Any, folder: Any) -> None:
        from bessemer.data.readers import reader

        self.read = reader(dict(about), folder)

    def answer(self, model: Any, inputs: Any, top: int) -> dict[str, Any]:
        return {"amount": float(model.logits(inputs).mean())}

    def told(self, answer: Any) -> str:
        return f"{answer['amount']:.3f} coins"
