"""Forks trainings that kill themselves at seeded file operations: `python kills.py OUT KILLS SEED`.

One process imports torch and never computes; each training is a fork of it, so a kill is cheap. The
killed one has a thread that saves, and dies in it or in the thread that trains.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tiny
import torch
import torch._dynamo  # the first optimizer imports it, and would do so in each fork

from bessemer.train import saver

OPERATIONS = ("fsync", "rename", "mkdir", "rmdir", "unlink")


def armed(fatal: int) -> dict[str, int]:
    """Make this process kill itself at its `fatal`-th operation, in whatever thread; returns the count so far."""
    count, one_at_a_time = {"operations": 0}, threading.Lock()

    def counted(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            with one_at_a_time:
                count["operations"] += 1
                if count["operations"] == fatal:
                    os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments, **options)

        return call

    for name in OPERATIONS:
        setattr(os, name, counted(getattr(os, name)))
    return count


def train_in_fork(work: Path, fatal: int, told: Path, waits: bool) -> bool:
    """Train in a fork, which dies at operation `fatal`; whether it lived to the end. `told` gets the steps."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1] == 0
    torch.set_num_threads(1)
    saver.EVERY_STEP = saver.EVERY_STEP if waits else 0.0  # else training goes on while the thread writes
    count = armed(fatal)

    def at_step(step: int) -> None:
        with told.open("a") as file:
            file.write(f"{step}\n")

    result = tiny.train(work, at_step)
    facts = {"weights": tiny.bits(result.model.state_dict()), "history": result.history}
    told.with_suffix(".end").write_text(json.dumps({"digest": repr(facts), **count}))
    os._exit(0)


def newest(work: Path) -> int:
    """The step of the newest committed checkpoint, by its name."""
    return max((int(path.name.split("-")[1]) for path in work.glob("checkpoint-*")), default=0)


def main() -> None:
    out, kills, chance = Path(sys.argv[1]), int(sys.argv[2]), random.Random(int(sys.argv[3]))
    told = out / "told"
    assert train_in_fork(out / "whole", -1, told, True)
    whole = json.loads((out / "told.end").read_text())
    rows: list[dict[str, Any]] = []
    attempt = 0
    while len(rows) < kills:
        attempt += 1
        work, waits = out / f"run-{attempt}", bool(attempt % 2)
        while True:
            before = newest(work)
            told.write_text(f"{before}\n")
            if train_in_fork(work, chance.randint(1, whole["operations"] // 2), told, waits):
                break
            found = {
                "waits": waits,
                "before": before,
                "done": int(told.read_text().split()[-1]),
                "saved": newest(work),
            }
            rows.append({**found, "leftovers": len(list(work.glob(".*")))})
        same = json.loads((out / "told.end").read_text())["digest"] == whole["digest"]
        rows[-1]["ended_the_same"] = same
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
