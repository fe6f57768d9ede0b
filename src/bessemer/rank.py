"""One rank of a training job: `python -m bessemer.rank JOB.json`, started by torchrun.

A rank cannot speak to the terminal or hand an exit code through torchrun, so it leaves its progress and its error
in files, which the launcher reads.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bessemer.artifact import write_atomic
from bessemer.errors import BessemerError
from bessemer.jobs import ERROR, POINTS, PROGRESS, FitJob, train
from bessemer.parallel.launch import WATCH_SECONDS, end_rank, leave_with_launcher
from bessemer.runtime import SILENT, Progress, detect, use


class FileProgress(Progress):
    """Keeps the latest step in a file, and adds each note and each point of the learning curve to another."""

    def __init__(self, work: Path) -> None:
        self.path, self.points = work / PROGRESS, work / POINTS
        self.last = 0.0

    def note(self, text: str) -> None:
        sys.stderr.write(text + "\n")
        self._add({"note": text})

    def step(self, label: str, done: int, total: int, facts: str = "") -> None:
        if time.monotonic() - self.last >= WATCH_SECONDS or done == total:
            self.last = time.monotonic()
            state = {"label": label, "done": done, "total": total, "facts": facts}
            temporary = self.path.with_suffix(".tmp")
            temporary.write_text(json.dumps(state), encoding="utf-8")
            temporary.replace(self.path)

    def begin(self, label: str, step: int) -> None:
        self._add({"label": label, "step": step})

    def point(self, label: str, step: int, values: Mapping[str, float | None]) -> None:
        self._add({"label": label, "step": step, "values": dict(values)})

    def _add(self, told: dict[str, Any]) -> None:
        with self.points.open("a", encoding="utf-8") as file:
            file.write(json.dumps(told) + "\n")


def main() -> None:
    """Train as the rank that torchrun's environment names."""
    leave_with_launcher()
    job = FitJob(**json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    runtime = detect()
    use(runtime)
    work = Path(job.work)
    try:
        train(job, runtime, FileProgress(work) if runtime.is_main else SILENT)
    except BessemerError as error:
        told = {"kind": type(error).__name__, "problem": error.problem, "remedy": error.remedy}
        if runtime.is_main or not (work / ERROR).exists():  # the main rank knows best: it is the one that saves
            write_atomic(work / ERROR, json.dumps(told))  # and a clean exit: starting again would not help


if __name__ == "__main__":
    main()
    end_rank()
