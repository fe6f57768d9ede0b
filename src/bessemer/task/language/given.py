"""Language modelling of windows that a caller hands over: without a tokenizer nothing is said of bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bessemer.report.units import Measure, Unit
from bessemer.task.task import Lesson, LessonSettings, Records, Task

if TYPE_CHECKING:
    from torch import nn

    from bessemer.data.dataset import Samples
    from bessemer.model.answers import Answers

BITS = Unit(decimals=3, word="bits per token", difference="bits per token")


class Windows(Task):
    """Every sample is a window of tokens; a network gives, at each token, logits of the next one."""

    name = "language"
    head = "tokens"
    labelled = False
    has_windows = True
    sample = "window"
    measures = (
        Measure("bits_per_token", "bits per token", BITS, higher_is_better=False),
        Measure("perplexity", "perplexity of a token", Unit(decimals=2), higher_is_better=False),
    )

    def lesson(self, dataset: Any, network: nn.Module, settings: LessonSettings) -> Lesson:
        from bessemer.data.dataset import Batches
        from bessemer.model.answers import TorchModel
        from bessemer.task.language.objective import Language

        samples = dataset.split("train")
        held_out = dataset.split("validation")
        batches = Batches(samples, settings.batch_size, settings.seed)
        return Lesson(
            Language(), batches, lambda one: self.value(self.records(TorchModel(one), held_out, dataset))
        )

    def records(self, model: Answers, samples: Samples, dataset: Any) -> Records:
        """Nats of each window, and its tokens that count, each (N,)."""
        from bessemer.task.language.score import logit_nats, windows_at_once

        nats: list[NDArray[Any]] = []
        tokens: list[NDArray[Any]] = []
        size = windows_at_once(samples.labels.shape[1], len(dataset.about["classes"]))
        for start in range(0, len(samples), size):
            inputs, targets = samples.inputs[start : start + size], samples.labels[start : start + size]
            nats.append(logit_nats(model(inputs), targets).astype(np.float64).sum(1))
            tokens.append((targets >= 0).sum(1))
        return {"nats": np.concatenate(nats), "tokens": np.concatenate(tokens)}

    def value(self, records: Records) -> float:
        return float(self.metrics(records, 0)["bits_per_token"]["value"])

    def metrics(self, records: Records, seed: int) -> dict[str, dict[str, float]]:
        """Bits of a token, with a bootstrap over windows, and 2 to the power of them."""
        from bessemer.task.language.score import Scores, summary

        bits = summary(Scores(records["nats"], records["tokens"], int(records["tokens"].sum())), seed)
        return {"bits_per_token": bits, "perplexity": {name: 2.0**value for name, value in bits.items()}}
