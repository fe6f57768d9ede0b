"""`make bench`: what is fast and what helps, measured here, all variants in turns in one run.

    python bench/run.py [SUITE ...]        all of SUITES below by default

Prints Markdown tables with machine, versions and trials; docs/benchmarks.md holds one such output.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from activations import bench_activations
from adaptation import bench_adaptation
from augment import bench_augment
from checkpoint import bench_checkpoint
from dedup import bench_dedup
from kernels import bench_kernels
from kinds import bench_kinds
from memory import bench_memory
from optimizers import bench_optimizers
from perceptron import bench_perceptron
from quality_fashion import bench_quality_fashion
from quality_gpt import bench_quality_gpt
from tables import table
from techniques import bench_techniques
from torch.nn import functional as F
from trainers import bench_trainers

from bessemer.export.bench import bench_models, bench_table
from bessemer.model.layers import set_ghost
from bessemer.model.resnet import ResNetConfig
from bessemer.model.state import Architecture
from bessemer.runtime import Runtime, available_threads, machine, use
from bessemer.train.precision import autocast

SEEDS = (0, 1, 2)


# --- one training step ------------------------------------------------------------------------------------


def bench_step() -> None:
    """A step of the Fashion-MNIST parent: precision, and groups of batch normalization."""
    use(Runtime(threads=available_threads()))
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (256, 28, 28, 1), np.uint8))
    labels = torch.arange(256) % 10
    runners: dict[str, Callable[[], object]] = {}
    for precision, ghost in (("fp32", 256), ("bf16", 256), ("bf16", 64), ("bf16", 32)):
        network = build(ResNetConfig(), 10, [0.3], [0.3])
        set_ghost(network, ghost)
        optimizer = torch.optim.SGD(network.parameters(), 0.01, momentum=0.9, nesterov=True)
        runners[f"{precision}, statistics over {ghost}"] = partial(
            one_step, network, optimizer, images, labels, precision
        )
    table("step: parent of recipes/fashion_mnist.yaml, batch 256", runners, 256, seconds=15)


def one_step(
    network: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    images: torch.Tensor,
    labels: torch.Tensor,
    precision: str,
) -> None:
    """Forward, backward, optimizer."""
    with autocast(precision, "cpu"):
        loss = F.cross_entropy(network(images).float(), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    for module in network.modules():
        if hasattr(module, "pending"):
            module.pending.clear()


def build(config: ResNetConfig, classes: int, mean: list[float], std: list[float]) -> torch.nn.Module:
    """A fresh network."""
    arguments = {"classes": classes, "mean": mean, "std": std, **config.model_dump(exclude={"name"})}
    return Architecture("resnet", arguments).build()


# --- what ships -------------------------------------------------------------------------------------------


def bench_runtime() -> None:
    """The shipped digits model of `make demo` against its parent."""
    run = Path("runs/digits")
    if not (run / "export").exists():
        print("\n### runtime: not measured (run `make demo` first)")
        return
    print("\n### runtime: the model of `make demo`\n")
    print("```")
    print(bench_table(bench_models([run], [1, 64], 4.0, None)))
    print("```")


SUITES = {
    "activations": bench_activations,
    "adaptation": bench_adaptation,
    "augment": bench_augment,
    "checkpoint": bench_checkpoint,
    "dedup": bench_dedup,
    "kernels": bench_kernels,
    "kinds": bench_kinds,
    "memory": bench_memory,
    "optimizers": bench_optimizers,
    "perceptron": bench_perceptron,
    "quality_fashion": bench_quality_fashion,
    "quality_gpt": bench_quality_gpt,
    "step": bench_step,
    "techniques": bench_techniques,
    "trainers": bench_trainers,
    "runtime": bench_runtime,
}


def main() -> None:
    """Run the suites that are named, or all."""
    unknown = set(sys.argv[1:]) - SUITES.keys()
    if unknown:
        sys.exit(f"no suite {', '.join(sorted(unknown))}; known: {', '.join(SUITES)}")
    about = machine()
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    print(f"{about['processor']}, {about['cores']} cores ({', '.join(about['instructions'])}); {versions}")
    for name in sys.argv[1:] or SUITES:
        SUITES[name]()


if __name__ == "__main__":
    main()
