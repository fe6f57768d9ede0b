"""Classification: which of several classes a sample is of, judged by accuracy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bessemer.report.blocks import Section
from bessemer.report.units import SHARE, Measure
from bessemer.task.task import Difference, Lesson, LessonSettings, Predictor, Records, Shown, Task

if TYPE_CHECKING:
    from torch import nn

    from bessemer.data.dataset import Dataset, Samples
    from bessemer.model.answers import Answers

ACCURACY = Measure("accuracy", "accuracy", SHARE, best=1.0)
UNEVEN = 1.5  # times that the largest class is as large as the smallest


class Classification(Task):
    """Every sample has one of at least two classes; a network gives a logit for each."""

    name = "classify"
    measures = (
        ACCURACY,
        Measure("precision", "precision", SHARE),
        Measure("recall", "recall", SHARE),
        Measure("f1", "F1", SHARE),
    )

    def measures_of(self, about: Mapping[str, Any]) -> tuple[Measure, ...]:
        """F1, the mean over classes, stands beside accuracy where classes are uneven."""
        counts = [sum(each) for each in zip(*(about.get("class_counts") or {}).values(), strict=True)]
        if not counts or max(counts) < UNEVEN * min(counts):
            return self.measures
        return tuple(
            replace(one, label="macro-F1", beside=True) if one.name == "f1" else one for one in self.measures
        )

    def check(self, recipe: Any) -> None:
        limit = recipe.compress.contract.max_drop if recipe.compress else None
        if isinstance(limit, float) and limit > 1:
            raise ValueError(f"compress.contract.max_drop ({limit}) is a share of the samples; 0.01 is one point")
        for source in recipe.data.sources:
            if source.source == "stdlib":
                raise ValueError("data.source stdlib has no classes; set task to language")
            if source.columns is not None and source.columns.label is None:
                raise ValueError(
                    "data.columns.label is needed to tell classes apart; name it, or set task to language"
                )

    def lesson(self, dataset: Dataset, network: nn.Module, settings: LessonSettings) -> Lesson:
        from bessemer.data.dataset import Batches
        from bessemer.model.answers import TorchModel
        from bessemer.task.classify.objective import Classify

        held_out = dataset.split("validation")

        def accuracy(network: nn.Module) -> float:
            return float(np.mean(TorchModel(network).logits(held_out.inputs).argmax(1) == held_out.labels))

        augment = dataset.augmenter(settings.augment)
        batches = Batches(dataset.split("train"), settings.batch_size, settings.seed, augment, dataset.weights)
        return Lesson(Classify(len(dataset.about["classes"])), batches, accuracy)

    def records(self, model: Answers, samples: Samples, dataset: Dataset) -> Records:
        """The true class, the decision and the probability that the model gave it, each (N,)."""
        shares = softmax(model.logits(samples.inputs))
        decided = shares.argmax(1)
        sure = shares[np.arange(len(shares)), decided]
        return {"truth": samples.labels, "decided": decided.astype(np.int64), "confidence": sure}

    def value(self, records: Records) -> float:
        return float(np.mean(records["decided"] == records["truth"]))

    def metrics(self, records: Records, seed: int) -> dict[str, dict[str, float]]:
        from bessemer.measure.metrics import confusion_matrix, summary

        classes = 1 + int(max(records["truth"].max(), records["decided"].max()))
        return summary(confusion_matrix(records["truth"], records["decided"], classes), seed)

    def difference(self, before: Records, after: Records, seed: int) -> Difference:
        from bessemer.measure.metrics import paired_difference

        return paired_difference(*(one["decided"] == one["truth"] for one in (before, after)))

    def weight_of_a_sample(self, splits: Mapping[str, int]) -> dict[str, float]:
        return {name: 1 / splits[name] for name in ("validation", "test") if name in splits}

    def baseline(self, dataset: Dataset, seed: int) -> dict[str, Any]:
        from bessemer.task.classify.baseline import baseline_of

        return baseline_of(dataset, seed)

    def facts(self, shown: Shown) -> dict[str, Any]:
        from bessemer.task.classify.telling import facts

        return facts(shown)

    def sections(self, shown: Shown) -> dict[str, Section]:
        from bessemer.task.classify.telling import sections

        return sections(shown)

    def describe(self, dataset: Dataset, network: nn.Module) -> dict[str, Any]:
        return {"classes": dataset.about["classes"]}

    def predictor(self, about: Mapping[str, Any], folder: Path) -> Predictor:
        from bessemer.task.classify.predict import ClassPredictor

        return ClassPredictor(about, folder)


def softmax(logits: np.ndarray[Any, np.dtype[np.float32]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Probabilities (N, K) of logits (N, K)."""
    powers = np.exp(logits.astype(np.float64) - logits.max(1, keepdims=True))
    result: np.ndarray[Any, np.dtype[np.float64]] = powers / powers.sum(1, keepdims=True)
    return result
