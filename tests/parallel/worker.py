"""What each rank runs in test_data.py: `python -m torch.distributed.run ... worker.py OUT`."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from safetensors.torch import save_file

from bessemer.data.config import AugmentConfig
from bessemer.data.dataset import Batches, Samples
from bessemer.data.image import IMAGE
from bessemer.data.stream import IGNORED
from bessemer.errors import BessemerError
from bessemer.model.state import Architecture
from bessemer.parallel.data import mean_over_ranks, process_group
from bessemer.parallel.launch import end_rank
from bessemer.runtime import Progress, Runtime
from bessemer.task.classify.objective import Classify
from bessemer.task.language.objective import Language
from bessemer.train.config import OptimizerConfig, TrainConfig
from bessemer.train.loop import FitResult, fit

BATCH, STEPS = 16, 8


class Watch(Progress):
    """Calls `at_step(step)` at each step."""

    def __init__(self, at_step: Callable[[int], None] | None = None) -> None:
        self.at_step = at_step

    def step(self, label: str, done: int, total: int, facts: str = "") -> None:
        if self.at_step is not None:
            self.at_step(done)


class PowerCut(Exception):
    """Stands for processes that die."""


def batches() -> Batches:
    """32 samples of three classes, augmented."""
    generator = np.random.default_rng(0)
    labels = np.arange(32, dtype=np.int64) % 3
    images = generator.integers(0, 90, (32, 8, 8, 1), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[1 + 2 * label : 3 + 2 * label] += 120
    samples = Samples(images, labels, generator.permutation(32).astype(np.uint64))
    return Batches(samples, BATCH, 1, IMAGE.augmenter(AugmentConfig(crop=1), {}))


def train(runtime: Runtime, work: Path | None = None, at_step: Callable[[int], None] | None = None) -> FitResult:
    """Eight steps with every method, two micro-batches each."""
    torch.manual_seed(0)
    settings = {"stem": "small", "stem_width": 8, "widths": [8, 16], "blocks": [1, 1], "strides": [1, 2]}
    model = Architecture("resnet", {"classes": 3, "mean": [0.3], "std": [0.3], **settings}).build()
    config = TrainConfig(
        epochs=STEPS * BATCH / 32,
        batch_size=BATCH,
        ghost_batch=4,
        accumulate=2,
        optimizer=OptimizerConfig(learning_rate=0.02),
        label_smoothing=0.1,
        mixup=0.4,
        stochastic_depth=0.3,
        ema=0.5,
        precision="fp32",
    ).model_copy(update={"checkpoint_seconds": 1e-9})
    progress = Watch(at_step)
    return fit(model, Classify(3), batches(), config, runtime=runtime, work=work, progress=progress, seed=1)


def ragged(runtime: Runtime) -> list[float]:
    """Weights of a head after two steps on windows of which every other one has a single target."""
    tokens = np.random.default_rng(0).integers(0, 20, (32, 8))
    targets = (tokens * 7 + 3) % 20
    targets[::2, 1:] = IGNORED
    samples = Samples(tokens, targets, np.arange(32, dtype=np.uint64))
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Embedding(20, 8), torch.nn.Linear(8, 20))
    more: dict[str, Any] = {"precision": "fp32", "compile": False, "optimizer": OptimizerConfig(learning_rate=0.5)}
    config = TrainConfig(epochs=1, batch_size=BATCH, ghost_batch=4, accumulate=2, **more)
    weight: torch.Tensor = (
        fit(model, Language(), Batches(samples, BATCH, 0), config, runtime=runtime).model[1].weight
    )
    return weight.detach().flatten().tolist()


def outcome(call: Callable[[], object]) -> str:
    """The name of the error that a call ends with, or `done`."""
    try:
        call()
    except (BessemerError, PowerCut, RuntimeError) as error:
        return type(error).__name__
    return "done"


def cut(step: int) -> None:
    if step == 5:
        raise PowerCut


def check(runtime: Runtime, out: Path) -> dict[str, Any]:
    """Everything that the tests look at, from this rank."""
    facts: dict[str, Any] = {"backend": dist.get_backend(), "world": dist.get_world_size()}
    values = [torch.tensor([float(runtime.rank), 10.0]), torch.tensor(2.0 * runtime.rank)]
    facts["means"] = [tensor.tolist() for tensor in mean_over_ranks(values, runtime)]
    facts["shares"] = [batches().batch(step, runtime.rank, runtime.world).ids.tolist() for step in range(STEPS)]
    result = train(runtime)
    facts["losses"] = [point["loss"] for point in result.history]
    save_file({name: t.contiguous() for name, t in result.model.state_dict().items()}, out / f"{runtime.rank}.st")
    facts["ragged"] = ragged(runtime)
    facts["cut"] = outcome(lambda: train(runtime, out / "cut", cut))
    dist.barrier()

    def one_is_told_to_stop(step: int) -> None:
        if step == 3 and runtime.rank == 1:
            signal.raise_signal(signal.SIGTERM)

    facts["stopped"] = outcome(lambda: train(runtime, out / "stopped", one_is_told_to_stop))
    return facts


def main() -> None:
    torch.set_num_threads(1)
    out = Path(sys.argv[1])
    runtime = Runtime(rank=int(os.environ["RANK"]), world=int(os.environ["WORLD_SIZE"]))
    with process_group(runtime):
        facts = check(runtime, out)
    facts["left"] = dist.is_initialized()
    (out / f"{runtime.rank}.json").write_text(json.dumps(facts), encoding="utf-8")


if __name__ == "__main__":
    main()
    end_rank()
