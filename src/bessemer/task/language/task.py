"""Language modelling: what comes next in running text, judged by bits per byte."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bessemer.config import filled
from bessemer.data.text.read import TOKENIZER
from bessemer.report.blocks import Block, Section
from bessemer.report.units import Measure, Unit
from bessemer.task.task import Difference, Lesson, LessonSettings, Predictor, Records, Shown, Task

if TYPE_CHECKING:
    from torch import nn

    from bessemer.data.dataset import Dataset, Samples
    from bessemer.model.answers import Answers

BITS = Unit(decimals=3, word="bits per byte", difference="bits per byte")
# Tokens of the validation split, evenly spread, that a point of the learning curve asks for: at most so many, and
# a share of those that are trained on. So ten points cost a few percent of the time.
VALIDATED, VALIDATED_LEAST, VALIDATED_SHARE = 1 << 17, 1 << 12, 0.02
COMPARED = 4096  # tokens on which a file is held against its network
# Text stays as it is: white space and markup are what the model has to learn.
# Too little or odd text teaches it nothing, and no row has a label that would be missed.
TEXT = {
    "html": "keep",
    "white_space": "keep",
    "boilerplate": 0.0,
    "min_characters": 20,
    "quality": "drop",
    "tokenizer": {"vocabulary": None},
}
# There is no batch normalization whose groups a micro-batch or process would have to hold whole.
TRAIN = {"ghost_batch": 2, "optimizer": {"name": "adamw"}}
CONTRACT = {"max_drop": "1%", "batch": 8}


class LanguageModelling(Task):
    """Every sample is a window of running text; a network gives, at each token, logits of the next one."""

    name = "language"
    kinds = ("text",)
    head = "tokens"
    labelled = False
    has_windows = True
    sample = "window"
    batch = 8
    measures = (
        Measure("bits_per_byte", "bits per byte", BITS, higher_is_better=False),
        Measure("perplexity", "perplexity of a token", Unit(decimals=2), higher_is_better=False),
    )

    def fill(self, values: dict[str, Any]) -> dict[str, Any]:
        """Text as it is, Adam, and no compression where the recipe asks for none."""
        result = filled(values, {"data": {"text": TEXT}, "train": TRAIN})
        result.setdefault("compress", None)
        if result["compress"] is not None:
            result = filled(result, {"compress": {"contract": CONTRACT, "train": TRAIN}})
        return result

    def check(self, recipe: Any) -> None:
        data = recipe.data
        if any(source.unit != "file" for source in data.sources):
            raise ValueError("task language reads whole documents; remove data.unit")
        if any(source.weight != 1 for source in data.sources):
            raise ValueError("task language reads every source as often as the others; remove weight")
        if data.text.tokenizer.kind != "bpe" or data.text.tokenizer.lowercase:
            raise ValueError("task language must know every byte; set data.text.tokenizer to {kind: bpe}")
        if recipe.augment != type(recipe.augment)():
            raise ValueError("task language takes text as it is; remove augment")

    def starter(self) -> Callable[[Path, Path, bool, float], str]:
        from bessemer.task.language.starter import write_language_recipe

        return write_language_recipe

    def finish(self) -> Callable[..., dict[str, Any]]:
        from bessemer.task.language.prepare import finish_language

        return finish_language

    def samples(self, dataset: Dataset, split: str, network: nn.Module) -> Samples:
        from bessemer.model.contract import context

        return dataset.windows(split, context(network))

    def some(self, samples: Samples, count: int, seed: int) -> NDArray[np.int64]:
        return np.linspace(0, len(samples) - 1, min(count, len(samples))).astype(np.int64)

    def lesson(self, dataset: Dataset, network: nn.Module, settings: LessonSettings) -> Lesson:
        from bessemer.data.dataset import Batches
        from bessemer.data.kind import as_they_are
        from bessemer.model.contract import headless
        from bessemer.task.language.objective import LARGE_VOCABULARY, Language
        from bessemer.task.language.score import score, some_windows, torch_nats

        lengths, end = self._lengths(dataset), dataset.about["end"]
        trained = settings.epochs * dataset.about["stream_tokens"]["train"]
        asked = min(VALIDATED, max(VALIDATED_LEAST, int(VALIDATED_SHARE * trained)))
        held_out = some_windows(self.samples(dataset, "validation", network), asked)
        large = len(lengths) >= LARGE_VOCABULARY and not settings.taught
        objective = Language(headless(network) if large else None)

        def bits_per_byte(network: nn.Module) -> float:
            return score(torch_nats(network), held_out, lengths, end).bits_per_byte

        windows = self.samples(dataset, "train", network)
        return Lesson(objective, Batches(windows, settings.batch_size, settings.seed, as_they_are), bits_per_byte)

    def of_given(self) -> Task:
        from bessemer.task.language.given import Windows

        return Windows()

    def records(self, model: Answers, samples: Samples, dataset: Dataset) -> Records:
        """Nats and bytes of each document (D,), and how many tokens they hold."""
        from bessemer.task.language.score import logit_nats, score

        def nats(inputs: NDArray[np.int32], goals: NDArray[np.int64]) -> NDArray[np.float32]:
            return logit_nats(model(inputs), goals)

        found = score(nats, samples, self._lengths(dataset), dataset.about["end"])
        return {"nats": found.nats, "bytes": found.bytes, "tokens": np.array(found.tokens)}

    def value(self, records: Records) -> float:
        return float(_scores(records).bits_per_byte)

    def metrics(self, records: Records, seed: int) -> dict[str, dict[str, float]]:
        from bessemer.task.language.score import summary

        nats = float(records["nats"].sum()) / max(1, int(records["tokens"]))
        return {"bits_per_byte": summary(_scores(records), seed), "perplexity": {"value": float(np.exp(nats))}}

    def difference(self, before: Records, after: Records, seed: int) -> Difference:
        from bessemer.task.language.score import saved

        return saved(_scores(before), _scores(after), seed)

    def compared(self, samples: Samples) -> Samples:
        from bessemer.task.language.score import some_windows

        return some_windows(samples, COMPARED)

    def baseline(self, dataset: Dataset, seed: int) -> dict[str, Any]:
        from bessemer.task.language.baseline import text_baseline

        return text_baseline(dataset.texts("train"), dataset.texts("test"), seed)

    def facts(self, shown: Shown) -> dict[str, Any]:
        from bessemer.task.language.telling import facts

        return facts(shown)

    def sections(self, shown: Shown) -> dict[str, Section]:
        from bessemer.task.language.telling import sections

        return sections(shown)

    def of_data(self, about: Mapping[str, Any]) -> list[Block]:
        from bessemer.task.language.prepare import of_data

        return of_data(about)

    def describe(self, dataset: Dataset, network: nn.Module) -> dict[str, Any]:
        from bessemer.model.contract import context

        length = context(network)
        return {"context": length, "max_tokens": length, "end": dataset.about["end"]}

    def outputs(self, dataset: Dataset) -> list[Any]:
        return ["batch", "length", dataset.about["arguments"]["vocabulary"]]

    def predictor(self, about: Mapping[str, Any], folder: Path) -> Predictor:
        from bessemer.task.language.predict import TextPredictor

        return TextPredictor(about, folder)

    @staticmethod
    def _lengths(dataset: Dataset) -> NDArray[np.int64]:
        """What tokens stand for, in bytes (V,)."""
        from bessemer.data.text.tokenize import load_tokenizer

        return load_tokenizer(dataset.folder / TOKENIZER).byte_lengths()


def _scores(records: Records) -> Any:
    from bessemer.task.language.score import Scores

    return Scores(records["nats"], records["bytes"], int(records["tokens"]))
