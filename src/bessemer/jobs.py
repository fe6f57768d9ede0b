"""One training job, described by files, so that it runs in this process or under torchrun all the same.

`python -m bessemer.jobs JOB.json` is what each rank runs.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from bessemer.artifact import commit
from bessemer.compress.config import DistillConfig
from bessemer.compress.distill import Distillation
from bessemer.data.config import AugmentConfig
from bessemer.data.dataset import Batches, Dataset
from bessemer.errors import BessemerError
from bessemer.export.parity import torch_logits
from bessemer.model.state import load_model, read_architecture, save_model
from bessemer.parallel.data import check_shares, process_group
from bessemer.parallel.launch import launch
from bessemer.report.terminal import TerminalProgress
from bessemer.runtime import Progress, detect, use
from bessemer.task.classify import Classify
from bessemer.train.config import TrainConfig
from bessemer.train.loop import fit

RESULT, START, JOB = "result", "start", "job.json"


@dataclass(frozen=True)
class FitJob:
    """What to train: the folders of the data, the starting model and perhaps a teacher, and all settings."""

    label: str
    data: str
    work: str
    augment: dict[str, Any]
    train: dict[str, Any]
    seed: int
    precision: str
    threads: int
    teacher: str | None = None
    distill: dict[str, Any] | None = None


def run_job(job: FitJob, processes: int, progress: Progress) -> Path:
    """Train and return the folder that holds the model and `history.json`; a finished job is not run again."""
    work = Path(job.work)
    result = work / RESULT
    if not result.exists():
        if processes == 1:
            train(job, progress)
        else:
            config = TrainConfig(**job.train)
            check_shares(config.batch_size, config.accumulate, config.ghost_batch, processes)
            (work / JOB).write_text(json.dumps(asdict(job)), encoding="utf-8")
            launch("bessemer.jobs", [str(work / JOB)], processes, work / "torchrun.log")
    return result


def train(job: FitJob, progress: Progress) -> None:
    """Run a job as this process's rank; rank 0 writes the result."""
    work = Path(job.work)
    runtime = detect()
    runtime = type(runtime)(runtime.device, max(1, job.threads // runtime.world), runtime.rank, runtime.world)
    use(runtime)
    dataset = Dataset(Path(job.data))
    architecture, model = read_architecture(work / START), load_model(work / START)
    task = Classify(len(dataset.about["classes"]))
    config = TrainConfig(**job.train)
    batches = Batches(dataset.split("train"), config.batch_size, job.seed, AugmentConfig(**job.augment))
    held_out = dataset.split("validation")

    def accuracy(network: nn.Module) -> float:
        decided = torch_logits(network, held_out.images).argmax(1)
        network.to(runtime.device)
        return float(np.mean(decided == held_out.labels))

    methods = []
    if job.teacher is not None:
        taps = list(getattr(model, "taps", []))
        methods.append(Distillation(load_model(Path(job.teacher)), DistillConfig(**(job.distill or {})), taps))
    with process_group(runtime):
        done = fit(
            model,
            task,
            batches,
            config,
            methods=methods,
            seed=job.seed,
            runtime=runtime,
            precision=job.precision,
            work=work / "checkpoints",
            validate=accuracy,
            progress=progress,
            label=job.label,
        )

    def write(folder: Path) -> None:
        save_model(folder / "model", architecture, done.model)
        (folder / "history.json").write_text(json.dumps(done.history), encoding="utf-8")

    if runtime.is_main:
        commit(work / RESULT, write)


def main() -> None:
    """Run the job file given as the only argument, as one rank."""
    job = FitJob(**json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    silent = Progress()
    try:
        train(job, TerminalProgress() if detect().is_main else silent)
    except BessemerError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
