"""Text and sound: what networks, augmentation, packing and the label check bring, on corpora of bench/corpora.py.

    python bench/kinds.py [text] [sound] [packing] [labels]

Accuracy is on the validation split, mean of two seeds; the test split is left alone. Corpora are built in a
temporary folder (speech needs Debian's espeak-ng).
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from corpora import build_docstrings, build_speech
from tables import print_head, print_row, table

from bessemer.data.config import AugmentConfig, DataConfig
from bessemer.data.dataset import Batches, Dataset
from bessemer.data.split import take_count
from bessemer.model.answers import TorchModel
from bessemer.model.contract import set_packing
from bessemer.model.encoder import EncoderConfig
from bessemer.model.sound import SoundConfig
from bessemer.model.state import Architecture
from bessemer.prepare.labels import check_labels
from bessemer.prepare.prepare import prepare
from bessemer.runtime import Runtime, available_threads, use
from bessemer.task.classify.baseline import baseline
from bessemer.task.classify.objective import Classify
from bessemer.train.config import OptimizerConfig, TrainConfig
from bessemer.train.loop import fit

SEEDS = (0, 1)
RUNTIME = Runtime(threads=available_threads())
TEXT = TrainConfig(epochs=4, batch_size=32, optimizer=OptimizerConfig(name="adamw"), label_smoothing=0.1, ema=0.99)
SOUND = TrainConfig(
    epochs=12, batch_size=32, optimizer=OptimizerConfig(learning_rate=0.05), label_smoothing=0.1, ema=0.99
)
SOUND_MODEL = SoundConfig(stem="large", stem_width=16, widths=[32, 64, 128], strides=[1, 2, 2])
STANDARD_SOUND = AugmentConfig(time_shift=0.1, gain_db=6.0, noise_db=20.0, time_mask=0.1, frequency_mask=0.1)
FLIPPED = 0.05  # share of labels


def prepared(folder: Path, config: DataConfig) -> Dataset:
    """A corpus as the prepare stage leaves it."""
    folder.mkdir()
    prepare(config, 0, folder)
    return Dataset(folder)


def trained(dataset: Dataset, model: Any, train: TrainConfig, augment: AugmentConfig, seed: int) -> float:
    """Validation accuracy of a network trained from scratch."""
    classes = len(dataset.about["classes"])
    arguments = {"classes": classes, **dataset.about["arguments"], **model.model_dump(exclude={"name"})}
    torch.manual_seed(seed)
    network = Architecture(model.name, arguments).build()
    set_packing(network, True)
    batches = Batches(dataset.split("train"), train.batch_size, seed, dataset.augmenter(augment))
    held_out = dataset.split("validation")
    fit(network, Classify(classes), batches, train, seed=seed, runtime=RUNTIME)
    return float((TorchModel(network).logits(held_out.inputs).argmax(1) == held_out.labels).mean())


def compare(title: str, dataset: Dataset, variants: dict[str, tuple[Any, TrainConfig, AugmentConfig]]) -> None:
    """A table of variants, the simple baseline first."""
    sizes = f"{len(dataset.split('train')):,} to train on, {len(dataset.split('validation')):,} held out"
    print_head(f"{title}, {sizes}", "variant", f"accuracy, mean of {len(SEEDS)} seeds", "each seed")
    train, held_out, text = (
        dataset.split("train"),
        dataset.split("validation"),
        dataset.about["modality"] == "text",
    )
    values = (dataset.texts("train"), dataset.texts("validation")) if text else (train.inputs, held_out.inputs)
    simple = baseline(
        dataset.kind, values[0], train.labels, values[1], held_out.labels, arguments=dataset.about["arguments"]
    )
    print_row(simple["name"], f"{simple['metrics']['accuracy']['value']:.2%}", "")
    for name, (model, config, augment) in variants.items():
        found = [trained(dataset, model, config, augment, seed) for seed in SEEDS]
        print_row(name, f"{statistics.mean(found):.2%}", ", ".join(f"{100 * one:.2f}" for one in found))


def bench_text(dataset: Dataset) -> None:
    """The encoder on documentation strings, with and without its parts."""
    plain, full = AugmentConfig(), EncoderConfig()
    variants = {
        "encoder, tokens left out at random (0.2)": (full, TEXT, AugmentConfig(token_delete=0.2)),
        "encoder, no augmentation": (full, TEXT, plain),
        "encoder without pairs in the bag": (full.model_copy(update={"pairs": 0}), TEXT, plain),
    }
    compare(f"text: documentation strings, {len(dataset.about['classes'])} classes", dataset, variants)


def bench_packing(dataset: Dataset) -> None:
    """A training step of the encoder, documents side by side or packed."""
    batch = Batches(dataset.split("train"), 32, 0).batch(0)
    arguments = {"classes": len(dataset.about["classes"]), **dataset.about["arguments"]}
    runners = {}
    for name, on in (("a row for each document", False), ("packed", True)):
        torch.manual_seed(0)
        network = (
            Architecture("encoder", {**arguments, **EncoderConfig().model_dump(exclude={"name"})}).build().train()
        )
        set_packing(network, on)
        runners[name] = partial(one_step, network, batch.inputs, batch.targets)
    table("packing: a training step on 32 documentation strings", runners, 32, seconds=10)


def one_step(network: torch.nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> None:
    """Forward and backward."""
    network.zero_grad()
    torch.nn.functional.cross_entropy(network(inputs), targets).backward()


def bench_sound(dataset: Dataset) -> None:
    """The sound network on spoken words, with and without augmentation."""
    variants = {
        "residual network on log-mel, standard augmentation": (SOUND_MODEL, SOUND, STANDARD_SOUND),
        "residual network on log-mel, none": (SOUND_MODEL, SOUND, AugmentConfig()),
    }
    compare("sound: ten spoken words before other voices", dataset, variants)


def bench_labels(datasets: dict[str, Dataset]) -> None:
    """Flipped labels that the label check lists, and how many of what it lists were flipped."""
    print_head(
        f"label check: {FLIPPED:.0%} of the labels flipped",
        *("data", "looked at", "flipped", "listed", "recall", "precision", "precision of the first 50"),
    )
    for name, dataset in datasets.items():
        train = dataset.split("train")
        some = take_count(train.labels, train.ids, min(5000, len(train)), 0)
        generator = np.random.default_rng(0)
        flipped = generator.random(len(some)) < FLIPPED
        labels, classes = train.labels[some].copy(), len(dataset.about["classes"])
        labels[flipped] = (labels[flipped] + generator.integers(1, classes, flipped.sum())) % classes
        text = dataset.about["modality"] == "text"
        values = dataset.texts("train")[some] if text else train.inputs[some]
        features, _ = dataset.kind.features(values, dataset.about["arguments"])
        found = np.array([issue.row for issue in check_labels(features, labels, train.ids[some])])
        right = flipped[found]
        print_row(
            *(name, f"{len(some):,}", f"{flipped.sum():,}", f"{len(found):,}"),
            *(f"{right.sum() / flipped.sum():.2f}", f"{right.mean():.2f}", f"{right[:50].mean():.2f}"),
        )


def bench_kinds(wanted: tuple[str, ...] = ("text", "sound", "packing", "labels")) -> None:
    """All of it, or the parts that are named."""
    use(RUNTIME)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        quick = DataConfig(source="digits")
        silent = quick.label_check.model_copy(update={"folds": 0})
        datasets = {"digits": prepared(folder / "digits", quick.model_copy(update={"label_check": silent}))}
        if {"text", "packing", "labels"} & set(wanted):
            build_docstrings(folder / "docstrings")
            config = DataConfig(source="text_folder", path=str(folder / "docstrings"), label_check=silent)
            datasets["docstrings"] = prepared(folder / "text", config)
        if "sound" in wanted:
            build_speech(folder / "speech")
            config = DataConfig(source="audio_folder", path=str(folder / "speech"), label_check=silent)
            datasets["speech"] = prepared(folder / "sound", config)
        if "packing" in wanted:
            bench_packing(datasets["docstrings"])
        if "labels" in wanted:
            bench_labels(datasets)
        if "text" in wanted:
            bench_text(datasets["docstrings"])
        if "sound" in wanted:
            bench_sound(datasets["speech"])


if __name__ == "__main__":
    bench_kinds(tuple(sys.argv[1:]) or ("text", "sound", "packing", "labels"))
