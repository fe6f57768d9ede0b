"""What each training technique buys: paired runs on small images, each technique off or on, same seeds.

    python bench/techniques.py [digits] [clothes]

Accuracy is on one half of the training split, the other half is trained on; the test split is left alone. Seconds
are those of the processor (process_time) for one run, so that other work counts for little.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from corpora import FASHION
from tables import print_head, print_row
from torch import nn

from bessemer.compress.config import DistillConfig
from bessemer.compress.distill import Distillation
from bessemer.compress.prune import prune
from bessemer.data.config import AugmentConfig, DataConfig
from bessemer.data.dataset import Batches, Dataset, Samples
from bessemer.data.image import IMAGE
from bessemer.model.answers import TorchModel
from bessemer.model.resnet import ResNetConfig
from bessemer.model.state import Architecture
from bessemer.prepare.prepare import prepare
from bessemer.runtime import Runtime, available_threads, use
from bessemer.task.classify.objective import Classify
from bessemer.train.config import TrainConfig
from bessemer.train.loop import FitResult, fit
from bessemer.train.optimizer_config import OptimizerConfig

SEEDS = (0, 1, 2)
RUNTIME = Runtime(threads=available_threads())
BASE: dict[str, Any] = {"epochs": 30, "batch_size": 64, "label_smoothing": 0.1, "ema": 0.99}
CONSTANT = {"name": "constant", "warmup": 0.0}
L1 = {"l1": 1e-3}


def settings(**changes: Any) -> TrainConfig:
    """The settings that all variants share, with these in place of some."""
    return TrainConfig(**{**BASE, **changes})


TRAIN = settings()
AUGMENT = AugmentConfig(crop=1, rotate=10, scale=[0.9, 1.1])
MODEL = ResNetConfig(stem_width=32, widths=[32, 64, 128], strides=[1, 2, 2])


@dataclass(frozen=True)
class Variant:
    """How a network is made and trained."""

    train: TrainConfig = TRAIN
    augment: AugmentConfig = AUGMENT
    model: ResNetConfig = MODEL


VARIANTS: dict[str, Variant] = {
    "all of it": Variant(),
    "without augmentation": Variant(augment=AugmentConfig()),
    "without label smoothing": Variant(settings(label_smoothing=0.0)),
    "without EMA": Variant(settings(ema=0.0)),
    "without warm-up and cosine": Variant(settings(schedule=CONSTANT)),
    "with half the rate": Variant(settings(optimizer={"learning_rate": 0.1})),
    "with half the rate, without warm-up and cosine": Variant(
        settings(optimizer={"learning_rate": 0.1}, schedule=CONSTANT)
    ),
    "without weight decay": Variant(settings(optimizer={"weight_decay": 0.0})),
    "with decoupled weight decay, as strong": Variant(
        settings(optimizer={"weight_decay": 5e-3, "decoupled": True})
    ),
    "with L1 of 0.001": Variant(settings(optimizer=L1)),
    "with L1 of 0.001, without EMA": Variant(settings(optimizer=L1, ema=0.0)),
    "with gradients clipped at 1": Variant(settings(clip=1.0)),
    "with dropout 0.2": Variant(model=MODEL.model_copy(update={"dropout": 0.2})),
    "with mixup 0.2": Variant(settings(mixup=0.2)),
    "with cutmix 1": Variant(settings(cutmix=1.0)),
    "with stochastic depth 0.1": Variant(settings(stochastic_depth=0.1)),
    "with images of 4x4 for half of the steps": Variant(settings(resizing={"until": 0.5, "sizes": 1})),
    "with batches that grow from 16": Variant(settings(batch_warmup={})),
    "with half of each batch, selected": Variant(settings(selective={})),
}
STOPPING: dict[str, Variant] = {
    "cosine, to the end": Variant(),
    "cosine, patience 3": Variant(settings(early_stopping={})),
    "constant rate and 60 epochs, to the end": Variant(settings(epochs=60, schedule=CONSTANT)),
    "constant rate and 60 epochs, patience 3": Variant(settings(epochs=60, schedule=CONSTANT, early_stopping={})),
}
CLOTHES = Variant(
    settings(epochs=10),
    AugmentConfig(crop=2, flip="horizontal"),
    ResNetConfig(stem_width=16, widths=[32, 64, 128], strides=[2, 2, 2]),
)
CLOTHES_VARIANTS: dict[str, Variant] = {
    "as it is": CLOTHES,
    "with images from 16x16 to 28x28": replace(CLOTHES, train=settings(epochs=10, resizing={})),
    "with cutmix 1": replace(CLOTHES, train=settings(epochs=10, cutmix=1.0)),
    "with batches that grow from 16": replace(CLOTHES, train=settings(epochs=10, batch_warmup={})),
    "with half of each batch, selected": replace(CLOTHES, train=settings(epochs=10, selective={})),
}
FINETUNE = TrainConfig(epochs=10, batch_size=64, optimizer=OptimizerConfig(learning_rate=0.05), ema=0.99)
SIGNALS: dict[str, DistillConfig | None] = {
    "labels": None,
    "and the teacher's outputs": DistillConfig(features=0),
    "and outputs and features": DistillConfig(),
    "mostly outputs (0.9), features 100 times as heavy": DistillConfig(weight=0.9, features=10),
}
COLUMNS = "variant", f"accuracy, mean of {len(SEEDS)} seeds", "difference", "each seed", "processor, s"


class Halves(NamedTuple):
    """A data set, and halves of its training split: to train on and to judge by."""

    dataset: Dataset
    train: Samples
    held_out: Samples


@dataclass(frozen=True)
class Run:
    """What came of one training run; seconds are those of the processor."""

    network: nn.Module
    accuracy: float
    seconds: float
    epochs: float


def bench_techniques() -> None:
    """Digits, then clothes."""
    bench_digits()
    bench_clothes()


def bench_digits() -> None:
    """Every technique, early stopping, distillation."""
    use(RUNTIME)
    digits = halved_digits()
    teacher = bench_variants(digits)
    bench_stopping(digits)
    bench_distillation(teacher, digits.train, digits.held_out)


def halved_digits() -> Halves:
    """Halves of the digits' training split."""
    return halved(DataConfig(source="digits"))


def halved(config: DataConfig) -> Halves:
    """Prepared data, and halves of its training split."""
    with tempfile.TemporaryDirectory() as name:
        prepare(config, 0, Path(name))
        dataset = Dataset(Path(name))
        every = dataset.split("train")
        places = np.arange(len(every))
        return Halves(dataset, every.at(places[::2]), every.at(places[1::2]))


# --- tables -----------------------------------------------------------------------------------------------


def bench_variants(digits: Halves) -> nn.Module:
    """Each technique off or on; returns the first network."""
    print_head(f"techniques: digits, {sizes(digits)}, {TRAIN.epochs:g} epochs", *COLUMNS)
    found = compare(VARIANTS, partial(run, digits))
    exact = {label: zeros(runs[0].network) for label, runs in found.items() if "L1" in label}
    shares = ", ".join(f"{share:.0%} {label}" for label, share in exact.items())
    print(f"\nWeights of matrices and filters that are exactly zero: {shares}.")
    return found["all of it"][0].network


def bench_stopping(digits: Halves) -> None:
    """Early stopping by a fifth of what is trained on."""
    places = np.arange(len(digits.train))
    judge = partial(accuracy, samples=digits.train.at(places[places % 5 == 0]))
    fewer = digits._replace(train=digits.train.at(places[places % 5 != 0]))
    print_head(f"early stopping: digits, {sizes(fewer)}, the rest validates", *COLUMNS, "epochs, each seed")
    compare(STOPPING, partial(run, fewer, judge=judge), with_epochs=True)


def bench_clothes() -> None:
    """What needs larger images or a longer run, on a part of Fashion-MNIST."""
    if not FASHION.is_dir():
        print(f"\n### techniques: Fashion-MNIST not measured ({FASHION} is missing)")
        return
    use(RUNTIME)
    clothes = halved(DataConfig(source="idx", path=str(FASHION), limit=10_000))
    title = f"techniques: Fashion-MNIST, {sizes(clothes)}, {CLOTHES.train.epochs:g} epochs"
    print_head(title, *COLUMNS)
    compare(CLOTHES_VARIANTS, partial(run, clothes))


def bench_distillation(teacher: nn.Module, train: Samples, held_out: Samples) -> None:
    """A pruned network trained for ten epochs: from labels, from outputs, from outputs and features."""
    start = f"a quarter of the channels of a teacher with {accuracy(teacher, held_out):.2%}"
    print_head(
        f"distillation: {start}, {FINETUNE.epochs:g} epochs",
        *("learns from", f"accuracy, mean of {len(SEEDS)} seeds", "difference", "each seed"),
    )
    base = None
    taps = [f"stages.{index}" for index in range(len(MODEL.widths))]
    for label, signal in SIGNALS.items():
        found = []
        for seed in SEEDS:
            student, _ = prune(teacher, torch.from_numpy(train.inputs[:2]), 0.25)
            methods = [Distillation(teacher, signal, taps)] if signal else []
            batches = Batches(train, FINETUNE.batch_size, seed, IMAGE.augmenter(AUGMENT, {}))
            student.requires_grad_(True)
            fit(student, Classify(10), batches, FINETUNE, methods=methods, seed=seed, runtime=RUNTIME)
            found.append(accuracy(student, held_out))
        base = statistics.mean(found) if base is None else base
        print_row(label, *shown(found, base))


def compare(
    variants: dict[str, Variant], measure: Callable[[Variant, int], Run], with_epochs: bool = False
) -> dict[str, list[Run]]:
    """One row for each variant, with every seed."""
    every: dict[str, list[Run]] = {}
    for label, variant in variants.items():
        every[label] = runs = [measure(variant, seed) for seed in SEEDS]
        base = statistics.mean(one.accuracy for one in next(iter(every.values())))
        seconds = f"{statistics.mean(one.seconds for one in runs):.1f}"
        epochs = [", ".join(f"{one.epochs:.0f}" for one in runs)] if with_epochs else []
        print_row(label, *shown([one.accuracy for one in runs], base), seconds, *epochs)
    return every


# --- one run ----------------------------------------------------------------------------------------------


def run(halves: Halves, variant: Variant, seed: int, judge: Callable[[nn.Module], float] | None = None) -> Run:
    """Train from scratch and judge; `judge` validates where the variant stops early."""
    config, start = variant.train, time.process_time()
    validate = judge if config.early_stopping else None
    result = fitted(halves.dataset, config, variant.augment, halves.train, seed, variant.model, validate)
    seconds = time.process_time() - start
    epochs = config.epochs * result.history[-1]["step"] / result.cost["steps"]
    return Run(result.model, accuracy(result.model, halves.held_out), seconds, epochs)


def fitted(
    dataset: Dataset,
    config: TrainConfig,
    augment: AugmentConfig,
    train: Samples,
    seed: int,
    model: ResNetConfig = MODEL,
    validate: Callable[[nn.Module], float] | None = None,
) -> FitResult:
    """A network trained from scratch, and how that went."""
    torch.manual_seed(seed)
    arguments = {"classes": 10, "mean": dataset.about["mean"], "std": dataset.about["std"]}
    network = Architecture("resnet", {**arguments, **model.model_dump(exclude={"name"})}).build()
    batches = Batches(train, config.batch_size, seed, dataset.augmenter(augment))
    return fit(network, Classify(10), batches, config, seed=seed, runtime=RUNTIME, validate=validate)


def trained(dataset: Dataset, config: TrainConfig, augment: AugmentConfig, train: Samples, seed: int) -> nn.Module:
    """A network trained from scratch."""
    return fitted(dataset, config, augment, train, seed).model


def accuracy(network: nn.Module, samples: Samples) -> float:
    """Share of right decisions."""
    return float(np.mean(TorchModel(network).logits(samples.inputs).argmax(1) == samples.labels))


def zeros(network: nn.Module) -> float:
    """Share of the weights of matrices and filters that are exactly zero."""
    weights = torch.cat([weight.detach().flatten() for weight in network.parameters() if weight.ndim > 1])
    return float((weights == 0).float().mean())


def sizes(halves: Halves) -> str:
    """How many samples there are."""
    return f"{len(halves.train):,} to train on, {len(halves.held_out):,} held out"


def shown(found: list[float], base: float) -> tuple[str, str, str]:
    """Mean, difference in points, and every seed."""
    mean = statistics.mean(found)
    each = ", ".join(f"{100 * one:.2f}" for one in found)
    return f"{100 * mean:.2f}%", f"{100 * (mean - base):+.2f} points", each


if __name__ == "__main__":
    for suite in sys.argv[1:] or ["digits", "clothes"]:
        {"digits": bench_digits, "clothes": bench_clothes}[suite]()
