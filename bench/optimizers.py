"""What a step of each optimizer costs, and what optimizers and schedules do with the rates they have by default.

`python bench/optimizers.py [cost] [accuracy]`
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable
from functools import partial

import torch
from tables import print_head, print_row, table
from techniques import AUGMENT, SEEDS, TRAIN, accuracy, halved_digits, shown, trained

from bessemer.data.dataset import Dataset, Samples
from bessemer.runtime import Runtime, available_threads, use
from bessemer.train.config import TrainConfig
from bessemer.train.muon import newton_schulz
from bessemer.train.optimizer import build_optimizer
from bessemer.train.optimizer_config import OPTIMIZER_KEYS, OptimizerConfig

EPOCHS = (5, 30)
PLAIN = {"batch_size": TRAIN.batch_size, "label_smoothing": TRAIN.label_smoothing}
VARIANTS: dict[str, dict[str, object]] = {
    "sgd, cosine": {},
    "adamw": {"optimizer": {"name": "adamw"}},
    "muon": {"optimizer": {"name": "muon"}},
    "schedule_free_sgd": {"optimizer": {"name": "schedule_free_sgd"}},
    "schedule_free_adamw": {"optimizer": {"name": "schedule_free_adamw"}},
    "sgd, gradients clipped at 1": {"clip": 1.0},
    "sgd, linear": {"schedule": {"name": "linear"}},
    "sgd, steps": {"schedule": {"name": "step"}},
    "sgd, exponential": {"schedule": {"name": "exponential"}},
    "sgd, one cycle": {"schedule": {"name": "one_cycle"}},
    "sgd, warm-up, stable, decay": {"schedule": {"name": "wsd"}},
    "sgd, constant": {"schedule": {"name": "constant"}},
}


def bench_cost() -> None:
    """A step of every optimizer on one thread, fused and not, and Muon's iteration in each precision."""
    use(Runtime(threads=1))
    torch.manual_seed(0)
    norms = [torch.nn.LayerNorm(384) for _ in range(10)]
    body = torch.nn.Sequential(torch.nn.Linear(384, 1536), torch.nn.Linear(1536, 384), *norms)
    model = torch.nn.ModuleDict({"body": body, "head": torch.nn.Linear(384, 10)})
    for weight in model.parameters():
        weight.grad = torch.randn_like(weight)
    steps: dict[str, Callable[[], object]] = {}
    for name in OPTIMIZER_KEYS:
        steps[name] = build_optimizer(model, OptimizerConfig(name=name, learning_rate=1e-9)).step
    steps["sgd, not fused"] = torch.optim.SGD(model.parameters(), 1e-9, 0.9, nesterov=True).step
    steps["adamw, not fused"] = torch.optim.AdamW(model.parameters(), 1e-9).step
    table("a step of 1.2 million weights, images/s are steps, one thread", steps, 1)
    matrix = torch.randn(384, 1536)
    precisions = {str(dtype): partial(newton_schulz, matrix, dtype) for dtype in (torch.bfloat16, torch.float32)}
    table("newton_schulz of a matrix of 384 x 1536, images/s are matrices, one thread", precisions, 1)


def bench_accuracy() -> None:
    """Accuracy on held-out training digits, without averages of weights; the test split is left alone."""
    use(Runtime(threads=available_threads()))
    dataset, train, held_out = halved_digits()
    for epochs in EPOCHS:
        compare(dataset, train, held_out, epochs)


def compare(dataset: Dataset, train: Samples, held_out: Samples, epochs: float) -> None:
    """One table: every variant with every seed."""
    print_head(
        f"optimizers: digits, {len(train)} to train on, {len(held_out)} held out, {epochs:g} epochs",
        *("variant", f"accuracy, mean of {len(SEEDS)} seeds", "difference", "each seed"),
    )
    base = None
    for label, settings in VARIANTS.items():
        config = TrainConfig(**{**PLAIN, **settings, "epochs": epochs})
        found = [accuracy(trained(dataset, config, AUGMENT, train, seed), held_out) for seed in SEEDS]
        base = statistics.mean(found) if base is None else base
        print_row(label, *shown(found, base))


def bench_optimizers() -> None:
    """Cost, then accuracy."""
    bench_cost()
    bench_accuracy()


if __name__ == "__main__":
    for suite in sys.argv[1:] or ["cost", "accuracy"]:
        {"cost": bench_cost, "accuracy": bench_accuracy}[suite]()
