"""Training state on disk: the step, weights, optimizer, averages and history. Nothing else is state.

Each checkpoint is a committed folder (see bessemer.artifact), so it is whole or not there. A damaged one is
set aside, said aloud, and the one before it is used.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from bessemer.artifact import commit, open_artifact, remove_leftovers
from bessemer.errors import ArtifactError
from bessemer.runtime import Progress

KEEP = 2
PREFIX = "checkpoint-"


@dataclass
class TrainState:
    """What a training run is made of after `step` steps."""

    step: int
    model: dict[str, Tensor]
    optimizer: dict[str, Any]
    methods: dict[str, dict[str, Tensor]] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)


def save_checkpoint(work: Path, state: TrainState) -> None:
    """Commit a checkpoint, then delete all but the newest two."""
    target = work / f"{PREFIX}{state.step:09d}"
    if target.exists():
        return
    commit(target, lambda folder: _write(folder, state))
    for old in _checkpoints(work)[KEEP:]:
        shutil.rmtree(old)


def load_checkpoint(work: Path, progress: Progress, is_main: bool = True) -> TrainState | None:
    """The newest whole checkpoint, or None; the main rank sets damaged ones aside."""
    if not work.exists():
        return None
    if is_main:
        remove_leftovers(work)
    for path in _checkpoints(work):
        try:
            open_artifact(path)
            return _read(path)
        except ArtifactError as error:
            if not is_main:
                continue
            aside = path.with_name(f"damaged-{path.name}")
            shutil.rmtree(aside, ignore_errors=True)
            path.rename(aside)
            progress.note(f"checkpoint set aside: {error.problem}; the one before it is used")
    return None


def _checkpoints(work: Path) -> list[Path]:
    return sorted(work.glob(f"{PREFIX}*"), reverse=True)


def _write(folder: Path, state: TrainState) -> None:
    save_file(_contiguous(state.model), folder / "model.safetensors")
    tensors, plain = _pack_optimizer(state.optimizer)
    save_file(_contiguous(tensors), folder / "optimizer.safetensors")
    averages = {f"{name}/{key}": value for name, part in state.methods.items() for key, value in part.items()}
    save_file(_contiguous(averages), folder / "methods.safetensors")
    values = {"step": state.step, "optimizer": plain, "history": state.history}
    (folder / "state.json").write_text(json.dumps(values), encoding="utf-8")


def _read(folder: Path) -> TrainState:
    values = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    methods: dict[str, dict[str, Tensor]] = {}
    for name, tensor in load_file(folder / "methods.safetensors").items():
        method, _, key = name.partition("/")
        methods.setdefault(method, {})[key] = tensor
    return TrainState(
        step=values["step"],
        model=load_file(folder / "model.safetensors"),
        optimizer=_unpack_optimizer(load_file(folder / "optimizer.safetensors"), values["optimizer"]),
        methods=methods,
        history=values["history"],
    )


def _contiguous(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}


def _pack_optimizer(state: dict[str, Any]) -> tuple[dict[str, Tensor], list[dict[str, Any]]]:
    """Split an optimizer's state_dict into tensors named `parameter/key` and plain parameter groups."""
    tensors = {
        f"{index}/{key}": value
        for index, values in state["state"].items()
        for key, value in values.items()
        if isinstance(value, torch.Tensor)
    }
    return tensors, state["param_groups"]


def _unpack_optimizer(tensors: dict[str, Tensor], groups: list[dict[str, Any]]) -> dict[str, Any]:
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        index, _, key = name.partition("/")
        state.setdefault(int(index), {})[key] = tensor
    return {"state": state, "param_groups": groups}
