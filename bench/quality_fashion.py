"""Time to the same accuracy on Fashion-MNIST: bessemer against a plain AdamW + cosine loop, same network.

    python bench/quality_fashion.py [EPOCHS] [SEED ...]        epochs of the plain loop, by default 20; seed 0

Both train the network of recipes/fashion_mnist.yaml on the same images with the same shifts and flips.
The plain loop is PyTorch as in a tutorial: fp32, batch normalization, AdamW, cosine. bessemer takes the recipe's
settings, which were chosen on the validation images. Seconds are of training; tests are left out. The plain
loop's are those at which it first has TARGET on the test images, or all of them where it never has.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tables import print_head, print_row
from torch import nn
from torch.nn import functional as F

from bessemer.config import read_yaml
from bessemer.data.config import AugmentConfig, DataConfig
from bessemer.data.dataset import Batches, Dataset, Samples
from bessemer.data.image import IMAGE
from bessemer.model.answers import TorchModel
from bessemer.model.layers import GhostBatchNorm2d
from bessemer.model.resnet import ResNetConfig
from bessemer.model.state import Architecture
from bessemer.prepare.prepare import prepare
from bessemer.runtime import Progress, Runtime, available_threads, use
from bessemer.task.classify.objective import Classify
from bessemer.train.config import TrainConfig
from bessemer.train.loop import fit

RECIPE = Path(__file__).parents[1] / "recipes" / "fashion_mnist.yaml"
TARGET = 0.94
BATCH, RATE, DECAY = 256, 2e-3, 0.05  # of the plain loop
AUGMENT = IMAGE.augmenter(AugmentConfig(**read_yaml(RECIPE).values["augment"]), {})
OURS: dict[str, Any] = read_yaml(RECIPE).values["train"]


class Tell(Progress):
    """Notes go to standard error."""

    def note(self, text: str) -> None:
        sys.stderr.write(text + "\n")


def network(about: dict[str, Any], ghost: bool) -> nn.Module:
    """The parent of the recipe; without `ghost` its batch normalization is torch's."""
    settings = ResNetConfig(**read_yaml(RECIPE).values["model"]).model_dump(exclude={"name"})
    model = Architecture("resnet", {"classes": 10, "mean": about["mean"], "std": about["std"], **settings}).build()
    for module in [] if ghost else list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, GhostBatchNorm2d):
                plain_norm = nn.BatchNorm2d(child.num_features)
                plain_norm.load_state_dict(child.state_dict())
                setattr(module, name, plain_norm)
    return model


def accuracy(model: nn.Module, samples: Samples) -> float:
    """Share of right decisions, in evaluation mode."""
    right = float(np.mean(TorchModel(model).logits(samples.inputs).argmax(1) == samples.labels))
    model.train()
    return right


def plain(dataset: Dataset, train: Samples, test: Samples, epochs: int, seed: int) -> list[tuple[float, float]]:
    """A loop as in a tutorial: seconds of training and accuracy after each epoch."""
    torch.manual_seed(seed)
    model, batches = network(dataset.about, ghost=False), Batches(train, BATCH, seed, AUGMENT)
    optimizer = torch.optim.AdamW(model.parameters(), RATE, weight_decay=DECAY)
    steps = batches.order.steps(epochs)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    seconds, start, found = 0.0, time.perf_counter(), list[tuple[float, float]]()
    for batch in batches.from_step(0, steps):
        loss = F.cross_entropy(model(batch.inputs), batch.targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if (batch.step + 1) % (steps // epochs) == 0:
            seconds += time.perf_counter() - start
            found.append((seconds, accuracy(model, test)))
            sys.stderr.write(f"plain: {seconds:.0f} s, {found[-1][1]:.2%}\n")
            start = time.perf_counter()
    return found


def ours(dataset: Dataset, train: Samples, test: Samples, seed: int, **settings: Any) -> tuple[float, float]:
    """bessemer's loop: seconds of training, and accuracy at the end."""
    torch.manual_seed(seed)
    config = TrainConfig(**{**OURS, **settings})
    model, batches = network(dataset.about, ghost=True), Batches(train, config.batch_size, seed, AUGMENT)
    runtime = Runtime(threads=torch.get_num_threads())
    start = time.perf_counter()
    fit(model, Classify(10), batches, config, seed=seed, runtime=runtime, progress=Tell())
    return time.perf_counter() - start, accuracy(model, test)


def bench_quality_fashion(epochs: int = 20, seeds: tuple[int, ...] = (0,)) -> None:
    """Both, in turns, with each seed."""
    use(Runtime(threads=available_threads()))
    with tempfile.TemporaryDirectory() as folder:
        values = read_yaml(RECIPE).values["data"]
        prepare(DataConfig(**values), 0, Path(folder))
        dataset = Dataset(Path(folder))
        train, test = dataset.split("train"), dataset.split("test")
        print_head(
            f"time to quality: Fashion-MNIST, {len(train):,} images to train on, {len(test):,} to test",
            *("seed", f"AdamW + cosine, {epochs} epochs", f"to {TARGET:.0%}", "at the end"),
            *("bessemer", "at the end", "share of the time"),
        )
        for seed in seeds:
            mine = ours(dataset, train, test, seed)
            sys.stderr.write(f"bessemer: {mine[0]:.0f} s, {mine[1]:.2%}\n")
            theirs = plain(dataset, train, test, epochs, seed)
            whole, last = theirs[-1]
            needed = next((seconds for seconds, found in theirs if found >= TARGET), None)
            cells = f"{whole:.0f} s", f"{needed:.0f} s" if needed else "not reached", f"{last:.2%}"
            print_row(
                str(seed), *cells, f"{mine[0]:.0f} s", f"{mine[1]:.2%}", f"{mine[0] / (needed or whole):.0%}"
            )


if __name__ == "__main__":
    given = [int(one) for one in sys.argv[1:]]
    bench_quality_fashion(given[0] if given else 20, tuple(given[1:]) or (0,))
