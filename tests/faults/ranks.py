"""What each rank does in test_ranks.py: `python -m torch.distributed.run ... ranks.py OUT [finish]`."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import tiny
import torch
from torch import Tensor, nn

from bessemer.data.dataset import Batch
from bessemer.errors import BessemerError
from bessemer.parallel.data import process_group
from bessemer.parallel.launch import end_rank
from bessemer.runtime import Runtime
from bessemer.train.methods import Method

OUT = Path(sys.argv[1])
RUNTIME = Runtime(rank=int(os.environ["RANK"]), world=int(os.environ["WORLD_SIZE"]))
ATTEMPT = int(os.environ["TORCHELASTIC_RESTART_COUNT"])


class Die(Method):
    """Kills rank 1 between the forward and the backward pass of a step, once."""

    name = "die"

    def loss(self, loss: Tensor, outputs: Tensor, batch: Batch) -> Tensor:
        if batch.step == 5 and RUNTIME.rank == 1 and ATTEMPT == 0:
            (OUT / "killed_at").write_text(str(time.time()))
            os.kill(os.getpid(), signal.SIGKILL)
        return loss


class Flip(Method):
    """Flips the lowest bit of one weight on one rank after a step."""

    name = "flip"

    def after_step(self, model: nn.Module, step: int) -> None:
        if step == 3 and RUNTIME.rank == 1:
            weight = next(model.parameters()).data.view(-1)
            weight[:1].view(torch.int32).bitwise_xor_(torch.ones(1, dtype=torch.int32))


class Broken(tiny.Poison):
    """A fault on rank 1 only."""

    def loss(self, loss: Tensor, outputs: Tensor, batch: Batch) -> Tensor:
        return super().loss(loss, outputs, batch) if RUNTIME.rank == 1 else loss


def run(name: str, methods: list[Method] | None = None, cut: int = 0, **changes: Any) -> dict[str, Any]:
    """Train in the folder `name`; what came of it, with the samples of each step on this rank."""
    seen, steps = tiny.Seen(), list[tuple[int, float]]()

    def at_step(step: int) -> None:
        steps.append((step, time.time()))
        if step == cut:
            raise tiny.PowerCut

    watch = tiny.Watch(at_step)
    facts: dict[str, Any] = {"ids": seen.ids, "steps": steps, "said": watch.said}
    try:
        result = tiny.train(OUT / name, None, [seen, *(methods or [])], watch, RUNTIME, **changes)
    except (BessemerError, tiny.PowerCut) as error:
        return {**facts, "error": f"{type(error).__name__}: {error}"}
    weights = hashlib.sha256(repr(tiny.bits(result.model.state_dict())).encode()).hexdigest()
    return {**facts, "losses": tiny.losses(result), "weights": weights, "safety": result.safety}


def everything() -> dict[str, Any]:
    facts = {"killed": run("killed", [Die()]), "clean": run("clean")}
    for name, value in (("nan", float("nan")), ("inf", float("inf"))):
        facts[name] = run(name, [Broken([4], value)])
    facts["alone"] = run("alone", [tiny.Poison([4])])
    facts["row"] = run("row", [Broken([3, 4, 5])])
    facts["flip"] = run("flip", [Flip()])
    facts["flip, seldom saved"] = run("seldom", [Flip()], checkpoint_seconds=tiny.NEVER)
    facts["two"] = run("world", cut=4)
    return facts


def main() -> None:
    torch.set_num_threads(1)
    with process_group(RUNTIME):
        facts = {"four": run("world")} if "finish" in sys.argv else everything()
    (OUT / f"{RUNTIME.world}-{RUNTIME.rank}.json").write_text(json.dumps(facts), encoding="utf-8")


if __name__ == "__main__":
    main()
    end_rank()
