"""One rank of a training job: `python -m bessemer.rank JOB.json`, started by torchrun.

A rank cannot speak to the terminal or hand an exit code through torchrun, so it leaves its progress and its error
in files, which the launcher reads.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from bessemer.artifact import write_atomic
from bessemer.errors import BessemerError
from bessemer.jobs import ERROR, PROGRESS, FitJob, train
from bessemer.parallel.launch import WATCH_SECONDS, end_rank, leave_with_launcher
from bessemer.runtime import SILENT, Progress, detect, use


class FileProgress(Progress):
    """Keeps the latest step in a file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.last = 0.0

    def note(self, text: str) -> None:
        sys.stderr.write(text + "\n")

    def step(self, label: str, done: int, total: int, facts: str = "") -> None:
        if time.monotonic() - self.last >= WATCH_SECONDS or done == total:
            self.last = time.monotonic()
            state = {"label": label, "done": done, "total": total, "facts": facts}
            temporary = self.path.with_suffix(".tmp")
            temporary.write_text(json.dumps(state), encoding="utf-8")
            temporary.replace(self.path)


def main() -> None:
    """Train as the rank that torchrun's environment names."""
    leave_with_launcher()
    job = FitJob(**json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    runtime = detect()
    use(runtime)
    work = Path(job.work)
    try:
        train(job, runtime, FileProgress(work / PROGRESS) if runtime.is_main else SILENT)
    except BessemerError as error:
        told = {"kind": type(error).__name__, "problem": error.problem, "remedy": error.remedy}
        write_atomic(work / ERROR, json.dumps(told))  # and a clean exit: starting again would not help


if __name__ == "__main__":
    main()
    end_rank()
