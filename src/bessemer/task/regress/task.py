"""Regression: one or several numbers of a sample, judged by their root mean squared error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bessemer.config import filled
from bessemer.report.blocks import Section
from bessemer.report.units import Measure, unit_for
from bessemer.task.task import Difference, Lesson, LessonSettings, Predictor, Records, Shown, Task

if TYPE_CHECKING:
    from torch import nn

    from bessemer.data.dataset import Dataset, Samples
    from bessemer.model.answers import Answers

RMSE = Measure("rmse", "RMSE", higher_is_better=False, best=0.0)
MAE = Measure("mae", "MAE", higher_is_better=False, best=0.0)
R2 = Measure("r2", "R²", best=1.0)
CONTRACT = {"max_drop": "1%"}  # of the parent's RMSE, since a number would depend on the unit


class Regression(Task):
    """Every sample has one or several numbers; a network gives each in the unit of its target.

    The headline of one target is its RMSE, in its own unit. Of several it is the mean over targets of the RMSE in
    units of the target's deviation in the training split: 1 is what always saying the mean reaches.
    """

    name = "regress"
    head = "numbers"
    has_numbers = True
    measures = (RMSE, MAE, R2)

    def measures_of(self, about: Mapping[str, Any]) -> tuple[Measure, ...]:
        """In as many digits as the target's deviation asks for; of several targets in deviations."""
        numbers = about["numbers"]
        if len(numbers) == 1:
            unit = unit_for(numbers[0]["std"])
            return replace(RMSE, unit=unit), replace(MAE, unit=unit), R2
        rmse, mae = (replace(one, label=f"{one.label} in deviations") for one in (RMSE, MAE))
        return rmse, mae, R2

    def fill(self, values: dict[str, Any]) -> dict[str, Any]:
        if values.get("compress", {}) is None:
            return values
        return filled(values, {"compress": {"contract": CONTRACT}})

    def check(self, recipe: Any) -> None:
        for source in recipe.data.sources:
            if source.source == "stdlib":
                raise ValueError("data.source stdlib has no numbers; set task to language")
            if source.columns is not None and not source.columns.labels:
                raise ValueError("data.columns.label is needed; name the column, or columns, of numbers to learn")

    def lesson(self, dataset: Dataset, network: nn.Module, settings: LessonSettings) -> Lesson:
        from bessemer.data.dataset import Batches
        from bessemer.model.answers import TorchModel
        from bessemer.task.regress.objective import Regress

        held_out, augment = dataset.split("validation"), dataset.augmenter(settings.augment)

        def error(network: nn.Module) -> float:
            return self.value(self.records(TorchModel(network), held_out, dataset))

        batches = Batches(dataset.split("train"), settings.batch_size, settings.seed, augment, dataset.weights)
        return Lesson(Regress([one["std"] for one in dataset.about["numbers"]]), batches, error)

    def records(self, model: Answers, samples: Samples, dataset: Dataset) -> Records:
        """True and said numbers (N, K), and what errors are measured in (K,)."""
        truth = samples.labels.reshape(len(samples), -1)
        return {"truth": truth, "said": model.logits(samples.inputs), "scale": scale_of(dataset.about["numbers"])}

    def value(self, records: Records) -> float:
        from bessemer.measure.numbers import rmse

        return rmse(records["truth"], records["said"], records["scale"])

    def metrics(self, records: Records, seed: int) -> dict[str, dict[str, float]]:
        from bessemer.measure.numbers import summary

        return summary(records["truth"], records["said"], records["scale"], seed)

    def difference(self, before: Records, after: Records, seed: int) -> Difference:
        from bessemer.measure.numbers import gained

        return gained(before["truth"], before["said"], after["said"], before["scale"], seed)

    def baseline(self, dataset: Dataset, seed: int) -> dict[str, Any]:
        from bessemer.task.regress.baseline import baseline_of

        return baseline_of(dataset, seed)

    def facts(self, shown: Shown) -> dict[str, Any]:
        from bessemer.task.regress.telling import card

        return {"card": card(shown.dataset.about)}

    def sections(self, shown: Shown) -> dict[str, Section]:
        from bessemer.task.regress.telling import sections

        return sections(shown)

    def describe(self, dataset: Dataset, network: nn.Module) -> dict[str, Any]:
        told = ("name", "low", "high", "std")
        return {"targets": [{name: one[name] for name in told} for one in dataset.about["numbers"]]}

    def predictor(self, about: Mapping[str, Any], folder: Path) -> Predictor:
        from bessemer.task.regress.predict import NumberPredictor

        return NumberPredictor(about, folder)


def scale_of(numbers: Sequence[Mapping[str, Any]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """What errors of each target are measured in (K,): its own unit where it is alone, else its deviation."""
    return np.array([1.0] if len(numbers) == 1 else [one["std"] for one in numbers])
