"""Steps that would spoil the weights are skipped; after some in a row, weights go back to the newest checkpoint.

A step is not sound where its loss or a gradient is not finite on any rank, or its loss is a spike. All ranks skip
it together, because they decide on the same averaged numbers. After too many in a row the fault is in the weights
or the data: the weights go back to the newest checkpoint, and the steps since then are not taken again (as
Chowdhery et al., "PaLM", 2022, section 5.1 did by hand).

What was skipped is written to `guard.json` at the moment it is decided, so a resumed run skips the same steps.
"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from bessemer.artifact import digest_of, write_atomic
from bessemer.errors import ArtifactError, TrainingError
from bessemer.parallel.agree import difference
from bessemer.train.config import GuardConfig
from bessemer.train.step import Training

WINDOW, FEWEST = 64, 32  # losses that say what is usual, and how many it takes to say so
NORMAL = 1.4826  # deviations of a normal distribution in one median deviation
LEAST = 0.02  # share of the median that counts as one deviation where losses hardly vary


class Guard:
    """Which steps of a run are skipped, from the settings and what was decided before."""

    def __init__(self, config: GuardConfig, path: Path | None = None, is_main: bool = True) -> None:
        self.config, self.path, self.is_main = config, path, is_main
        self.skipped: list[int] = []
        self.rewinds: list[dict[str, int]] = []  # after step `at`, weights were those of checkpoint `to`
        self.losses: list[float] = []
        if path is not None and path.exists():
            self._read(path)

    def has_skipped(self, step: int) -> bool:
        """Whether it was decided before that this step moves nothing."""
        return step in self.skipped or any(gap["to"] <= step <= gap["at"] for gap in self.rewinds)

    def in_a_row(self, step: int) -> int:
        """How many steps up to and with this one were skipped since weights last moved or went back."""
        since = max((gap["at"] for gap in self.rewinds), default=-1)
        count = 0
        while step - count > since and step - count in self.skipped:
            count += 1
        return count

    @property
    def limit(self) -> float:
        """The highest loss that is not a spike: a robust bound, from medians of the latest losses."""
        if self.config.spike is None or len(self.losses) < FEWEST:
            return math.inf
        usual = statistics.median(self.losses)
        spread = NORMAL * statistics.median(abs(loss - usual) for loss in self.losses)
        return usual + self.config.spike * max(spread, LEAST * abs(usual))

    def took(self, loss: float) -> None:
        """Remember the loss of a step that was taken, where spikes are looked for."""
        if self.config.spike is not None:
            self.losses = [*self.losses, loss][-WINDOW:]

    def skip(self, step: int) -> None:
        """Record that a step moved nothing."""
        self.skipped.append(step)
        self._write()

    def must_rewind(self, step: int) -> bool:
        """Whether too many steps in a row were skipped."""
        return self.in_a_row(step) >= self.config.skips

    def rewind(self, at: int, to: int) -> None:
        """Record that after step `at` the weights were those of checkpoint `to` again."""
        self.rewinds.append({"at": at, "to": to})
        self._write()

    def refuse(self, step: int, rate: float, has_checkpoint: bool) -> None:
        """Raises TrainingError where going back is not possible, or was tried often enough."""
        if has_checkpoint and len(self.rewinds) < self.config.rewinds:
            return
        tried = f"weights went back to a checkpoint {len(self.rewinds)} time(s)"
        problem = (
            f"the loss or a gradient is not finite, or the loss jumped, at step {step} and in the steps before"
        )
        raise TrainingError(
            f"{problem}; {tried if has_checkpoint else 'there is no checkpoint to go back to'}",
            f"lower the learning rate (now {rate}), or look at the data of these steps",
        )

    def facts(self) -> dict[str, Any]:
        """What was decided, as plain values."""
        return {"skipped": sorted(self.skipped), "rewinds": self.rewinds}

    def _write(self) -> None:
        if self.path is not None and self.is_main:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(self.path, json.dumps({**self.facts(), "seal": digest_of(self.facts())}))

    def _read(self, path: Path) -> None:
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            if values.pop("seal") != digest_of(values):
                raise ValueError("its seal does not match its content")
            self.skipped, self.rewinds = values["skipped"], values["rewinds"]
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            remedy = f"delete {path.parent} and run again: training then starts anew"
            raise ArtifactError(f"{path}: damaged ({error})", remedy) from error


def check_ranks(training: Training, step: int) -> None:
    """Raises TrainingError, on all ranks, where weights, optimizer or averages are not the same bits on each."""
    found = difference(_replicated(training), training.runtime)
    if found is None:
        return
    name, ranks = found
    who = f"rank {ranks[0]} differs" if len(ranks) == 1 else f"ranks {', '.join(map(str, ranks))} differ"
    raise TrainingError(
        f"{who} in {name} at step {step}: memory or a processor changed it",
        "run the same command to go on from the last checkpoint, which was the same on all ranks; if it comes "
        "again, take that machine out of service",
    )


def _replicated(training: Training) -> Mapping[str, Tensor]:
    tensors: dict[str, Tensor] = dict(training.model.state_dict())
    for index, values in training.optimizer.state_dict()["state"].items():
        tensors |= {
            f"optimizer {index}/{key}": value for key, value in values.items() if isinstance(value, Tensor)
        }
    for method in training.methods:
        tensors |= {f"{method.name} {key}": value for key, value in method.state().items()}
    return tensors
