"""A tiny training with everything on, for the tests here and for the processes that they start and kill."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bessemer.data.config import AugmentConfig
from bessemer.data.dataset import Batch, Batches, Samples
from bessemer.data.image import IMAGE
from bessemer.model.state import Architecture
from bessemer.runtime import Progress, Runtime
from bessemer.task.classify.objective import Classify
from bessemer.train.config import OptimizerConfig, TrainConfig
from bessemer.train.loop import FitResult, fit
from bessemer.train.methods import Method

SAMPLES, BATCH, EPOCHS = 32, 16, 4
EPOCH = SAMPLES // BATCH  # steps
STEPS = EPOCHS * EPOCH
EVERY_STEP, NEVER = 1e-9, 1e9  # seconds between checkpoints
SIZES = {"stem": "small", "stem_width": 8, "widths": [8, 16], "blocks": [1, 1], "strides": [1, 2]}
CONFIG = TrainConfig(
    epochs=EPOCHS,
    batch_size=BATCH,
    ghost_batch=4,
    optimizer=OptimizerConfig(learning_rate=0.02),
    label_smoothing=0.1,
    mixup=0.4,
    ema=0.5,
    precision="fp32",
    compile=False,
    checkpoint_seconds=EVERY_STEP,
)


class PowerCut(Exception):
    """Stands for a process that dies."""


class Watch(Progress):
    """Keeps what is said and calls `at_step(step)` at each step."""

    def __init__(self, at_step: Callable[[int], None] | None = None) -> None:
        self.said: list[str] = []
        self.at_step = at_step

    def note(self, text: str) -> None:
        self.said.append(text)

    def step(self, label: str, done: int, total: int, facts: str = "") -> None:
        if self.at_step is not None:
            self.at_step(done)


class Seen(Method):
    """Writes down which samples each step gets, in their order."""

    name = "seen"

    def __init__(self) -> None:
        self.ids: dict[int, list[int]] = {}

    def batch(self, batch: Batch) -> Batch:
        self.ids[batch.step] = batch.ids.tolist()
        return batch


class Poison(Method):
    """Makes the loss of some steps what it should not be."""

    name = "poison"

    def __init__(self, steps: Sequence[int], value: float = float("nan")) -> None:
        self.steps, self.value = steps, value

    def loss(self, loss: Tensor, outputs: Tensor, batch: Batch) -> Tensor:
        return loss * self.value if batch.step in self.steps else loss


def batches(batch_size: int = BATCH) -> Batches:
    """Samples of three classes, augmented."""
    generator = np.random.default_rng(0)
    labels = np.arange(SAMPLES, dtype=np.int64) % 3
    images = generator.integers(0, 90, (SAMPLES, 8, 8, 1), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[1 + 2 * label : 3 + 2 * label] += 120
    samples = Samples(images, labels, generator.permutation(SAMPLES).astype(np.uint64))
    return Batches(samples, batch_size, 1, IMAGE.augmenter(AugmentConfig(crop=1), {}))


def train(
    work: Path | None = None,
    at_step: Callable[[int], None] | None = None,
    methods: Sequence[Method] = (),
    progress: Watch | None = None,
    runtime: Runtime | None = None,
    **changes: Any,
) -> FitResult:
    """Train with `CONFIG`, changed by `changes`."""
    torch.manual_seed(0)
    model = Architecture("resnet", {"classes": 3, "mean": [0.3], "std": [0.3], **SIZES}).build()
    config = TrainConfig(**{**CONFIG.model_dump(), **changes})
    return fit(
        model,
        Classify(3),
        batches(),
        config,
        methods=methods,
        runtime=runtime or Runtime(),
        work=work,
        progress=progress or Watch(at_step),
        seed=1,
    )


def cut_at(wanted: int) -> Callable[[int], None]:
    """Die when so many steps are done, before they are saved."""

    def at_step(step: int) -> None:
        if step == wanted:
            raise PowerCut

    return at_step


def bits(value: Any) -> Any:
    """A nested value with each tensor as its type, shape and bytes, so that equal means equal to the bit."""
    if isinstance(value, Tensor):
        flat = value.detach().cpu().contiguous().reshape(-1)
        return str(value.dtype), tuple(value.shape), flat.view(torch.uint8).numpy().tobytes()
    if isinstance(value, dict):
        return {key: bits(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [bits(one) for one in value]
    return value


def losses(result: FitResult) -> list[float | None]:
    """The loss of each step, None where it was skipped."""
    return [point["loss"] for point in result.history]
