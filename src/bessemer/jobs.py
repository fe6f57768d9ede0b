"""One training job, described by files, so that it runs in this process or under torchrun all the same."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import nn

from bessemer import errors
from bessemer.artifact import commit, write_atomic
from bessemer.compress.config import DistillConfig
from bessemer.compress.distill import Distillation
from bessemer.data.config import AugmentConfig
from bessemer.data.dataset import Dataset
from bessemer.model.contract import set_packing, taps
from bessemer.model.state import load_model, read_architecture, save_model
from bessemer.parallel.data import process_group
from bessemer.parallel.launch import launch
from bessemer.runtime import Progress, Runtime
from bessemer.task import find_task
from bessemer.task.task import LessonSettings, Objective
from bessemer.train.config import TrainConfig
from bessemer.train.loop import fit
from bessemer.train.methods import Method

RESULT, START, CHECKPOINTS = "result", "start", "checkpoints"
JOB, PROGRESS, POINTS, ERROR, LOG = "job.json", "progress.json", "points.jsonl", "error.json", "torchrun.log"
TRAINING = "training.json"  # beside the result, not in it: the same model may take another time


@dataclass(frozen=True)
class FitJob:
    """What to train: the folders of the data, the work and perhaps a teacher, and all settings.

    `work/start` holds the network to begin with; `work/result` gets the trained one.
    """

    label: str
    task: str
    data: str
    work: str
    augment: dict[str, Any]
    train: dict[str, Any]
    seed: int
    precision: str
    teacher: str | None = None
    distill: dict[str, Any] | None = None


def run_job(job: FitJob, runtime: Runtime, processes: int, progress: Progress) -> Path:
    """Train and return the folder that holds the model and `history.json`; a finished job is not run again."""
    work = Path(job.work)
    if (work / RESULT).exists():
        return work / RESULT
    if processes == 1:
        train(job, runtime, progress)
    else:
        _train_in_ranks(job, processes, progress)
    return work / RESULT


def _train_in_ranks(job: FitJob, processes: int, progress: Progress) -> None:
    work = Path(job.work)
    for old in (ERROR, POINTS):
        (work / old).unlink(missing_ok=True)
    (work / JOB).write_text(json.dumps(asdict(job)), encoding="utf-8")

    points = PointsReader(work / POINTS, progress)

    def watch() -> None:
        points.pass_on()
        if (work / PROGRESS).exists():
            progress.step(**json.loads((work / PROGRESS).read_text(encoding="utf-8")))

    code = launch("bessemer.rank", [str(work / JOB)], processes, work / LOG, watch)
    if (work / ERROR).exists():
        told = json.loads((work / ERROR).read_text(encoding="utf-8"))
        raise getattr(errors, told["kind"])(told["problem"], told["remedy"])
    if not (work / RESULT).exists():
        problem = f"training on {processes} processes ended with code {code} and without a result"
        raise errors.TrainingError(problem, f"see {work / LOG}")


def train(job: FitJob, runtime: Runtime, progress: Progress) -> None:
    """Run a job as one rank of `runtime`; rank 0 commits the result."""
    work = Path(job.work)
    if (work / RESULT).exists():
        return  # a rank that is started again after the result was committed
    dataset = Dataset(Path(job.data))
    architecture, model = read_architecture(work / START), load_model(work / START)
    set_packing(model, True)
    config = TrainConfig(**job.train)
    task = find_task(job.task)
    settings = LessonSettings(
        config.epochs, config.batch_size, AugmentConfig(**job.augment), job.seed, job.teacher is not None
    )
    lesson = task.lesson(dataset, model, settings)
    with process_group(runtime):
        done = fit(
            model,
            lesson.objective,
            lesson.batches,
            config,
            methods=_teaching(job, model, lesson.objective),
            seed=job.seed,
            runtime=runtime,
            precision=job.precision,
            work=work / CHECKPOINTS,
            validate=lesson.validate,
            higher_is_better=task.headline.higher_is_better,
            progress=progress,
            label=job.label,
        )

    def write(folder: Path) -> None:
        save_model(folder / "model", architecture, done.model)
        (folder / "history.json").write_text(json.dumps(done.history), encoding="utf-8")

    if runtime.is_main:
        write_atomic(work / TRAINING, json.dumps({**done.safety, **done.cost}))
        commit(work / RESULT, write)


class PointsReader:
    """Notes and learning curves that a rank leaves in a file of JSON lines, passed on as they come."""

    def __init__(self, path: Path, progress: Progress) -> None:
        self.path, self.progress, self.read = path, progress, 0  # bytes

    def pass_on(self) -> None:
        """Pass on all lines that are whole and new."""
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            file.seek(self.read)
            whole, end, _ = file.read().rpartition(b"\n")
        self.read += len(whole) + len(end)
        for line in whole.splitlines():
            told = json.loads(line)
            if "note" in told:
                self.progress.note(told["note"])
            elif "values" in told:
                self.progress.point(**told)
            else:
                self.progress.begin(**told)


def _teaching(job: FitJob, model: nn.Module, task: Objective) -> list[Method]:
    if job.teacher is None:
        return []
    settings = DistillConfig(**(job.distill or {}))
    return [Distillation(load_model(Path(job.teacher)), settings, taps(model), task)]
