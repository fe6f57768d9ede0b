"""The prepared data set on disk, and its batches.

`inputs/` holds what the model takes, in shards (see bessemer.data.rows); `labels.npy`, `ids.npy`, `split.npy` and
`sources.npy` stand beside it, `dataset.json` says the rest. Text is also kept as text, in `texts/`.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from bessemer import draws
from bessemer.data.config import AugmentConfig
from bessemer.data.kind import Augment, as_they_are
from bessemer.data.kinds import find_kind
from bessemer.data.mixture import Mixture
from bessemer.data.names import kept_names
from bessemer.data.order import Order, Phase
from bessemer.data.rows import FixedRows, RaggedRows, Rows, View
from bessemer.data.rows import positions as positions_of
from bessemer.data.split import SPLITS
from bessemer.data.stream import IGNORED, Stream, Windows
from bessemer.draws import U64, mix

AT_HAND = 1 << 20  # bytes of a batch that are copied in less time than a thread takes to hand it over


@dataclass(frozen=True)
class Batch:
    """Inputs (B, ...) as the model takes them, targets, ids.

    Targets are labels int64 (B,), shares of classes float (B, K), or numbers float32 (B,) or, of several, (B, K).
    """

    inputs: torch.Tensor
    targets: torch.Tensor
    ids: NDArray[np.uint64]
    step: int
    first: int = 0  # place of the first sample in the global batch

    def to(self, device: str) -> Batch:
        """The same batch on a device."""
        if device == "cpu":
            return self
        return replace(self, inputs=self.inputs.to(device), targets=self.targets.to(device))


@dataclass(frozen=True)
class Samples:
    """Labelled samples: inputs by position, labels (N,), ids uint64 (N,), and of which source each is.

    Labels are int64, float32 where they are numbers, (N, K) of several; for language they are rows of targets
    (N, T). Inputs are an array (N, ...) or rows on disk: images uint8 (H, W, C), clips int16 (T,), or tokens
    int32, which are padded with zeros to the longest of those that are read together.
    """

    inputs: Rows
    labels: NDArray[Any]
    ids: U64
    sources: NDArray[np.uint8] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def at(self, positions: NDArray[np.int64]) -> Samples:
        """The samples at these positions, their inputs read into memory."""
        return replace(self._others(positions), inputs=self.inputs[positions])

    def select(self, positions: NDArray[np.int64]) -> Samples:
        """The samples at these positions, their inputs left where they are."""
        return replace(self._others(positions), inputs=View(self.inputs, positions))

    def _others(self, positions: NDArray[np.int64]) -> Samples:
        sources = self.sources[positions] if self.sources is not None else None
        return Samples(self.inputs, self.labels[positions], self.ids[positions], sources)


class Dataset:
    """A prepared data set: `about` (classes, counts, what the model must know) and the samples of each split."""

    def __init__(self, folder: Path) -> None:
        self.about: dict[str, Any] = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
        self.kind = find_kind(self.about["modality"])
        rows = RaggedRows if self.kind.ragged else FixedRows
        self.samples = Samples(
            rows(folder, self.about["inputs"]),
            np.load(folder / "labels.npy", allow_pickle=False),
            np.load(folder / "ids.npy", allow_pickle=False),
            np.load(folder / "sources.npy", allow_pickle=False),
        )
        self.folder = folder
        self._split = np.load(folder / "split.npy", allow_pickle=False)

    @property
    def weights(self) -> list[float]:
        """How often the samples of each source are seen in an epoch."""
        return [float(source["weight"]) for source in self.about["sources"]]

    def positions(self, name: str) -> NDArray[np.int64]:
        """Where the samples of `train`, `validation` or `test` stand among all."""
        return np.flatnonzero(self._split == SPLITS.index(name))

    def split(self, name: str) -> Samples:
        """All samples of `train`, `validation` or `test`; their inputs stay on disk until they are asked for."""
        return self.samples.select(self.positions(name))

    def windows(self, name: str, context: int) -> Samples:
        """A split's stream in windows (only for language): inputs int32 and targets int64, each (N, context).

        Behind the end of the stream inputs are 0 and targets IGNORED.
        """
        stream = Stream(self.folder, self.about["streams"][name])
        inputs, targets = Windows(stream, context, 0, 0, "i4"), Windows(stream, context, 1, IGNORED, "i8")
        ids = mix(np.arange(len(inputs), dtype=np.uint64) ^ draws.key(draws.Stream.WINDOWS, SPLITS.index(name)))
        return Samples(inputs, cast("NDArray[np.int64]", targets), ids)

    def texts(self, name: str) -> Sequence[str]:
        """The texts of a split, in its order (only for text)."""
        return Texts(RaggedRows(self.folder, self.about["texts"]), self.positions(name))

    def text(self, position: int) -> str:
        """One text by its position among all (only for text)."""
        rows = RaggedRows(self.folder, self.about["texts"])
        return rows.values(position).tobytes().decode("utf-8")

    def show(self, position: int) -> dict[str, str | None]:
        """One sample by its position among all, as people see it: `image` (a data URI) or `text`."""
        value = self.text(position) if "texts" in self.about else self.samples.inputs[position]
        shown = self.kind.show(value, self.about)
        return {"image": shown, "text": None} if self.kind.drawn else {"image": None, "text": shown}

    def names(self, positions: NDArray[np.int64]) -> list[str]:
        """Where samples came from, for people, by their positions among all."""
        return kept_names(self.folder / "rows.arrow", positions)

    def augmenter(self, config: AugmentConfig) -> Augment:
        """The random changes of this kind of data that the settings ask for."""
        return self.kind.augmenter(config, self.about)


class Texts(Sequence[str]):
    """Texts on disk, read one by one."""

    def __init__(self, rows: RaggedRows, places: NDArray[np.int64]) -> None:
        self.rows = rows
        self.places = places

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: Any) -> Any:
        if not isinstance(index, (int, np.integer)):
            return [self[i] for i in positions_of(index, len(self)).tolist()]
        return self.rows.values(int(self.places[index])).tobytes().decode("utf-8")


class Batches:
    """Training batches: a pure function of (seed, step), augmented; equal shares for every rank.

    `augment` is a function such as `Dataset.augmenter` gives. `weights` says how often the samples of each source
    are seen in an epoch.
    """

    def __init__(
        self,
        samples: Samples,
        batch_size: int,
        seed: int,
        augment: Augment = as_they_are,
        weights: Sequence[float] = (1.0,),
    ) -> None:
        self.samples = samples
        self.mixture = None
        if samples.sources is not None and set(weights) != {1.0}:
            self.mixture = Mixture(samples.sources, weights, seed)
        self.order = Order(len(self.mixture or samples), batch_size, seed)
        self.augment = augment
        self.seed = seed

    def growing(self, phases: Sequence[Phase]) -> Batches:
        """The same samples with (batches, size) phases before the batches of full size."""
        other = copy.copy(self)
        other.order = Order(self.order.n, self.order.batch_size, self.order.seed, phases)
        return other

    @property
    def _is_at_hand(self) -> bool:
        inputs = self.samples.inputs
        if self.augment is not as_they_are or not isinstance(inputs, np.ndarray):
            return False
        return inputs[:1].nbytes * self.order.batch_size <= AT_HAND

    def batch(self, step: int, rank: int = 0, world: int = 1) -> Batch:
        """This rank's share of global batch `step`."""
        positions, epochs = self.order.batch(step, rank, world)
        if self.mixture is not None:
            positions = self.mixture.positions(positions, epochs)
        some = self.samples.at(positions)
        inputs = self.augment(np.asarray(some.inputs), some.ids, epochs, self.seed)
        first = rank * (self.order.size(step) // world)
        return Batch(torch.from_numpy(inputs), torch.from_numpy(some.labels), some.ids, step, first)

    def from_step(self, start: int, stop: int, rank: int = 0, world: int = 1) -> Iterator[Batch]:
        """Batches `start` to `stop`, the next one being made by a thread while the current one is used.

        Small ones that are a copy of what is in memory are made at once: to hand them over would take longer.
        """
        if self._is_at_hand:
            for step in range(start, stop):
                yield self.batch(step, rank, world)
            return
        with ThreadPoolExecutor(1) as worker:
            coming: Future[Batch] | None = None
            for step in range(start, stop):
                future = coming or worker.submit(self.batch, step, rank, world)
                coming = worker.submit(self.batch, step + 1, rank, world) if step + 1 < stop else None
                yield future.result()
