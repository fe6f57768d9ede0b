"""What each training technique buys: paired runs on the digits, each technique off or on, same seeds."""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

import numpy as np
import torch
from tables import print_head, print_row

from bessemer.compress.config import DistillConfig
from bessemer.compress.distill import Distillation
from bessemer.compress.prune import prune
from bessemer.data.config import AugmentConfig, DataConfig
from bessemer.data.dataset import Batches, Dataset, Samples
from bessemer.data.prepare import prepare
from bessemer.export.parity import torch_logits
from bessemer.model.config import ResNetConfig
from bessemer.model.state import Architecture
from bessemer.runtime import Runtime, available_threads, use
from bessemer.task.classify import Classify
from bessemer.train.config import OptimizerConfig, ScheduleConfig, TrainConfig
from bessemer.train.loop import fit
from bessemer.train.method_config import BatchWarmupConfig, SelectiveConfig

SEEDS = (0, 1, 2)
TRAIN = TrainConfig(
    epochs=30, batch_size=64, optimizer=OptimizerConfig(learning_rate=0.1), label_smoothing=0.1, ema=0.99
)
AUGMENT = AugmentConfig(crop=1, rotate=10, scale=[0.9, 1.1])
MODEL = ResNetConfig(stem_width=32, widths=[32, 64, 128], strides=[1, 2, 2])
CONSTANT = ScheduleConfig(name="constant", warmup=0.0)
VARIANTS: dict[str, tuple[TrainConfig, AugmentConfig]] = {
    "all of it": (TRAIN, AUGMENT),
    "without augmentation": (TRAIN, AugmentConfig()),
    "without label smoothing": (TRAIN.model_copy(update={"label_smoothing": 0.0}), AUGMENT),
    "without EMA": (TRAIN.model_copy(update={"ema": 0.0}), AUGMENT),
    "without warm-up and cosine": (TRAIN.model_copy(update={"schedule": CONSTANT}), AUGMENT),
    "with mixup 0.2": (TRAIN.model_copy(update={"mixup": 0.2}), AUGMENT),
    "with stochastic depth 0.1": (TRAIN.model_copy(update={"stochastic_depth": 0.1}), AUGMENT),
    "with batches that grow from 16": (TRAIN.model_copy(update={"batch_warmup": BatchWarmupConfig()}), AUGMENT),
    "with half of each batch, selected": (TRAIN.model_copy(update={"selective": SelectiveConfig()}), AUGMENT),
}
FINETUNE = TrainConfig(epochs=10, batch_size=64, optimizer=OptimizerConfig(learning_rate=0.05), ema=0.99)
SIGNALS: dict[str, DistillConfig | None] = {
    "labels": None,
    "and the teacher's outputs": DistillConfig(features=0),
    "and outputs and features": DistillConfig(),
    "mostly outputs (0.9), features 100 times as heavy": DistillConfig(weight=0.9, features=10),
}


def bench_techniques() -> None:
    """Accuracy on held-out training digits with each technique off or on; the test split is left alone."""
    use(Runtime(threads=available_threads()))
    dataset, train, held_out = halved_digits()
    print_head(
        f"techniques: digits, {len(train)} to train on, {len(held_out)} held out, {TRAIN.epochs:g} epochs",
        *("variant", f"accuracy, mean of {len(SEEDS)} seeds", "difference", "each seed"),
    )
    networks, base = [], None
    for label, (config, augment) in VARIANTS.items():
        networks = [trained(dataset, config, augment, train, seed) for seed in SEEDS]
        found = [accuracy(network, held_out) for network in networks]
        if base is None:
            base, teacher = statistics.mean(found), networks[0]
        print_row(label, *shown(found, base))
    bench_distillation(teacher, train, held_out)


def halved_digits() -> tuple[Dataset, Samples, Samples]:
    """The prepared digits, and halves of their training split: to train on and to judge by."""
    with tempfile.TemporaryDirectory() as name:
        prepare(DataConfig(source="digits"), 0, Path(name))
        dataset = Dataset(Path(name))
        every = dataset.split("train")
        places = np.arange(len(every))
        return dataset, every.at(places[::2]), every.at(places[1::2])


def bench_distillation(teacher: torch.nn.Module, train: Samples, held_out: Samples) -> None:
    """A pruned network trained for ten epochs: from labels, from outputs, from outputs and features."""
    start = f"a quarter of the channels of a teacher with {accuracy(teacher, held_out):.2%}"
    print_head(
        f"distillation: {start}, {FINETUNE.epochs:g} epochs",
        *("learns from", f"accuracy, mean of {len(SEEDS)} seeds", "difference", "each seed"),
    )
    base = None
    for label, settings in SIGNALS.items():
        found = []
        for seed in SEEDS:
            student, _ = prune(teacher, torch.from_numpy(train.inputs[:2]), 0.25)
            methods = [Distillation(teacher, settings, teacher.taps)] if settings else []
            batches = Batches(train, FINETUNE.batch_size, seed, AUGMENT)
            student.requires_grad_(True)
            fit(student, Classify(10), batches, FINETUNE, methods=methods, seed=seed, runtime=RUNTIME)
            found.append(accuracy(student, held_out))
        base = statistics.mean(found) if base is None else base
        print_row(label, *shown(found, base))


def trained(
    dataset: Dataset, config: TrainConfig, augment: AugmentConfig, train: Samples, seed: int
) -> torch.nn.Module:
    """A network trained from scratch."""
    torch.manual_seed(seed)
    arguments = {"classes": 10, "mean": dataset.about["mean"], "std": dataset.about["std"]}
    network = Architecture("resnet", {**arguments, **MODEL.model_dump(exclude={"name"})}).build()
    batches = Batches(train, config.batch_size, seed, augment)
    return fit(network, Classify(10), batches, config, seed=seed, runtime=RUNTIME).model


def accuracy(network: torch.nn.Module, samples: Samples) -> float:
    """Share of right decisions."""
    return float(np.mean(torch_logits(network, samples.inputs).argmax(1) == samples.labels))


def shown(found: list[float], base: float) -> tuple[str, str, str]:
    """Mean, difference in points, and every seed."""
    mean = statistics.mean(found)
    each = ", ".join(f"{100 * one:.2f}" for one in found)
    return f"{100 * mean:.2f}%", f"{100 * (mean - base):+.2f} points", each


RUNTIME = Runtime(threads=available_threads())
