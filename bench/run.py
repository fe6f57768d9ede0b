"""`make bench`: what is fast and what helps, measured here, all variants in turns in one run.

    python bench/run.py [augment] [step] [techniques] [runtime]

Prints Markdown tables with machine, versions and trials; docs/benchmarks.md holds one such output.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from tables import print_head, print_row
from techniques import bench_techniques
from torch.nn import functional as F

from bessemer.data.augment.warp import BORDERS, Draws, draw, matrices, warp
from bessemer.data.config import AugmentConfig
from bessemer.evaluate.benchmark import interleave, speedup, summarize
from bessemer.export.bench import bench_models, bench_table
from bessemer.model.config import ResNetConfig
from bessemer.model.layers import set_ghost
from bessemer.model.state import Architecture
from bessemer.runtime import Runtime, available_threads, machine, use
from bessemer.train.precision import autocast

SEEDS = (0, 1, 2)


def table(title: str, runners: dict[str, Callable[[], object]], images: int, seconds: float = 6.0) -> None:
    """Time all runners in turns; ratios are against the first."""
    times = interleave(runners, seconds)
    reference = next(iter(times.values()))
    print_head(title, "variant", "median ms", "images/s", "times as fast (95%)", "trials")
    for name, taken in times.items():
        found, ratio = summarize(taken), speedup(reference, taken)
        rate = f"{1e3 * images / found['median_ms']:,.0f}"
        times_as_fast = f"{ratio['value']:.2f} ({ratio['low']:.2f} to {ratio['high']:.2f})"
        print_row(name, f"{found['median_ms']:.2f}", rate, times_as_fast, f"{found['trials']:.0f}")


# --- augmentation: one warp against the same changes one after another ------------------------------------


def bench_augment() -> None:
    """Crop, flip, rotation and scaling on one thread: composed, one after another, and by torch's grid_sample."""
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    config = AugmentConfig(crop=4, flip="horizontal", rotate=15, scale=[0.8, 1.2])
    for side, channels in ((28, 1), (224, 3)):
        generator = np.random.default_rng(0)
        images = generator.integers(0, 256, (64, side, side, channels), np.uint8)
        ids = np.arange(64, dtype=np.uint64)
        draws = draw(config, ids, np.zeros(64, np.int64), 0)
        inverse = matrices(draws, side, side)
        runners: dict[str, Callable[[], object]] = {
            "OpenCV, four passes": partial(four_passes, images, draws),
            "torch grid_sample, one pass": partial(by_grid_sample, images, inverse),
            "bessemer, one composed warp": partial(warp, images, inverse, "zero"),
        }
        table(f"augment: 64 images of {side}x{side}x{channels}, one thread", runners, 64)
    torch.set_num_threads(available_threads())


def four_passes(images: np.ndarray[Any, Any], draws: Draws) -> list[Any]:
    """Zoom, turn, mirror and shift, each resampled on its own."""
    side = images.shape[1]
    center, flags = ((side - 1) / 2, (side - 1) / 2), cv2.INTER_LINEAR
    out = []
    for i, image in enumerate(images):
        for angle, zoom in ((0.0, draws.zoom[i]), (np.rad2deg(draws.angle[i]), 1.0)):
            matrix = cv2.getRotationMatrix2D(center, float(angle), float(zoom))
            image = cv2.warpAffine(image, matrix, (side, side), flags=flags, borderMode=BORDERS["zero"])
        if draws.mirror_x[i] < 0:
            image = cv2.flip(image, 1)
        shift = np.array([[1, 0, draws.shift_x[i]], [0, 1, draws.shift_y[i]]])
        out.append(cv2.warpAffine(image, shift, (side, side), flags=flags, borderMode=BORDERS["zero"]))
    return out


def by_grid_sample(images: np.ndarray[Any, Any], inverse: np.ndarray[Any, Any]) -> torch.Tensor:
    """The same matrices through torch."""
    x = torch.from_numpy(images).permute(0, 3, 1, 2).float()
    theta = torch.from_numpy(inverse).float().clone()
    theta[:, :, 2] = 0
    grid = F.affine_grid(theta, list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, align_corners=False).round().to(torch.uint8)


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


SUITES = {"augment": bench_augment, "step": bench_step, "techniques": bench_techniques, "runtime": bench_runtime}


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
