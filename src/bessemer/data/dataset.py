"""The prepared data set on disk, and its batches.

`images.bin` holds uint8 (N, H, W, C) and is memory-mapped; `labels.npy`, `ids.npy` and `split.npy` stand beside
it, `dataset.json` says the rest.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bessemer.data.augment import augment
from bessemer.data.config import AugmentConfig
from bessemer.data.order import U64, Order, key

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Batch:
    """Inputs (B, ...) as the model takes them, targets float (B, K) or labels int64 (B,), sample ids."""

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
    """Labelled images: uint8 (N, H, W, C), int64 (N,), and ids uint64 (N,)."""

    inputs: NDArray[np.uint8]
    labels: NDArray[np.int64]
    ids: U64

    def __len__(self) -> int:
        return len(self.labels)

    def at(self, positions: NDArray[np.int64]) -> Samples:
        """The samples at these positions, copied into memory."""
        return Samples(self.inputs[positions], self.labels[positions], self.ids[positions])


class Dataset:
    """A prepared data set: `about` (classes, mean, std, counts) and the samples of each split."""

    def __init__(self, folder: Path) -> None:
        self.about: dict[str, Any] = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
        shape = (self.about["kept"], *self.about["image"])
        images = np.memmap(folder / "images.bin", np.uint8, "r", shape=shape)
        self.samples = Samples(
            images,
            np.load(folder / "labels.npy", allow_pickle=False),
            np.load(folder / "ids.npy", allow_pickle=False),
        )
        self._split = np.load(folder / "split.npy", allow_pickle=False)

    def split(self, name: str) -> Samples:
        """All samples of `train`, `validation` or `test`."""
        return self.samples.at(np.flatnonzero(self._split == SPLITS.index(name)))


class Batches:
    """Training batches: a pure function of (seed, step), augmented; equal shares for every rank."""

    def __init__(self, samples: Samples, batch_size: int, seed: int, augment: AugmentConfig | None = None) -> None:
        self.samples = samples
        self.order = Order(len(samples), batch_size, seed)
        self.config = augment or AugmentConfig()
        self.seed = int(key(seed, 0xA06) >> np.uint64(1))

    def batch(self, step: int, rank: int = 0, world: int = 1) -> Batch:
        """This rank's share of global batch `step`."""
        positions, epochs = self.order.batch(step, rank, world)
        some = self.samples.at(positions)
        images = augment(some.inputs, self.config, some.ids, epochs, self.seed)
        first = rank * (self.order.batch_size // world)
        return Batch(torch.from_numpy(images), torch.from_numpy(some.labels), some.ids, step, first)

    def from_step(self, start: int, stop: int, rank: int = 0, world: int = 1) -> Iterator[Batch]:
        """Batches `start` to `stop`, the next one being made by a thread while the current one is used."""
        with ThreadPoolExecutor(1) as worker:
            coming: Future[Batch] | None = None
            for step in range(start, stop):
                future = coming or worker.submit(self.batch, step, rank, world)
                coming = worker.submit(self.batch, step + 1, rank, world) if step + 1 < stop else None
                yield future.result()
