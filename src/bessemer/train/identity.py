"""Whose training a work folder holds, so that another one does not go on from its weights without a word.

What is told apart: settings, seed, task, the model's architecture, and the data by all ids and labels and a few
inputs. The first weights are left out: a script that draws them anew must be able to go on after a stop. So are
methods that a caller adds: some only look on.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from bessemer.artifact import digest_of, place_errors, write_atomic
from bessemer.config import keyed
from bessemer.data.dataset import Samples
from bessemer.errors import UsageError
from bessemer.task.task import Objective
from bessemer.train.config import TrainConfig

FILE = "identity.json"
FEW = 32  # inputs that are looked at, and labels where they are on a disk
WORDS = {
    "settings": "the settings",
    "seed": "the seed",
    "task": "the task",
    "model": "the model's architecture",
    "ids": "the number of samples or their ids",
    "labels": "the labels",
    "inputs": "the inputs",
}


def identity_of(
    model: nn.Module,
    task: Objective,
    samples: Samples,
    config: TrainConfig,
    seed: int,
) -> dict[str, str]:
    """Digests of all that a training is told apart by; the model is as it was handed over."""
    plain = {name: repr(value) for name, value in vars(task).items() if isinstance(value, str | int | float)}
    shapes = [(name, str(tensor.dtype), list(tensor.shape)) for name, tensor in model.state_dict().items()]
    trained = [name for name, weight in model.named_parameters() if weight.requires_grad]
    settings = keyed(config)
    del settings["memory"]["limit_gib"]  # what came of it is recorded, and holds on another machine
    said = {
        "settings": settings,
        "seed": seed,
        "task": [_class(task), plain],
        "model": [re.sub(r"0x[0-9a-f]+", "", str(model)), shapes, trained],
    }
    return {**{name: digest_of(value) for name, value in said.items()}, **_of_samples(samples)}


def claim(work: Path, identity: dict[str, str]) -> None:
    """Make the folder this training's; one without a mark is taken over.

    Raises UsageError where another training stands in it, or it cannot be made.
    """
    with place_errors(work):
        work.mkdir(parents=True, exist_ok=True)
    path = work / FILE
    if not path.exists():
        with place_errors(path):
            write_atomic(path, json.dumps(identity))
        return
    found = _read(path)
    other = [words for name, words in WORDS.items() if found.get(name) != identity[name]]
    if other:
        problem = f"{work} holds another training, with a difference in {', '.join(other)}"
        raise UsageError(problem, "give a work folder of its own, or delete this one to begin anew")


def _read(path: Path) -> dict[str, Any]:
    """What the file says; nothing where it cannot be read, so that the training in it counts as another one."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _of_samples(samples: Samples) -> dict[str, str]:
    """Digests of ids, labels and a few inputs; inputs that differ from reading to reading say nothing."""
    few = np.linspace(0, len(samples) - 1, min(FEW, len(samples))).astype(np.int64)
    labels = samples.labels if isinstance(samples.labels, np.ndarray) else samples.labels[few]
    inputs = _digest(samples.inputs[few])
    is_steady = isinstance(samples.inputs, np.ndarray) or inputs == _digest(samples.inputs[few])
    return {"ids": _digest(samples.ids), "labels": _digest(labels), "inputs": inputs if is_steady else ""}


def _digest(values: Any) -> str:
    array = np.ascontiguousarray(values)
    head = f"{array.dtype.str} {array.shape}".encode()
    return hashlib.sha256(head + array.tobytes()).hexdigest()


def _class(value: object) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"
