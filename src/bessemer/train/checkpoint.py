"""Training state on disk: the step, weights, optimizer, averages and history. Nothing else is state.

A checkpoint is a snapshot, which is a copy in memory, made into a committed folder (see bessemer.artifact), so it
is whole or not there. A damaged one is set aside, said aloud, and the one before it is used.
"""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from bessemer.artifact import commit, open_artifact, remove_leftovers
from bessemer.errors import ArtifactError
from bessemer.runtime import Progress

KEEP = 2
PREFIX = "checkpoint-"
Files = dict[str, dict[str, Tensor]]  # tensors by the name of their file


@dataclass
class TrainState:
    """What a training run is made of after `step` steps."""

    step: int
    model: dict[str, Tensor]
    optimizer: dict[str, Any]
    methods: dict[str, dict[str, Tensor]] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)  # the latest ones, where the guard looks for spikes


@dataclass(frozen=True)
class Snapshot:
    """A state as it was: tensors in memory that nobody else writes to, and all the rest as JSON."""

    step: int
    files: Files
    text: str


def take_snapshot(state: TrainState, buffers: Files | None = None) -> Snapshot:
    """Copy a state; `buffers` hold the tensors of an earlier snapshot, whose memory is used again."""
    old = buffers or {}
    tensors, plain = _pack_optimizer(state.optimizer)
    averages = {f"{name}/{key}": value for name, part in state.methods.items() for key, value in part.items()}
    wanted = {"model": state.model, "optimizer": tensors, "methods": averages}
    files = {
        file: {name: _copy(tensor, old.get(file, {}).get(name)) for name, tensor in part.items()}
        for file, part in wanted.items()
    }
    if any(tensor.is_cuda for tensor in state.model.values()):
        torch.cuda.synchronize()  # the copies are on their way until then
    values = {"step": state.step, "optimizer": plain, "history": state.history, "losses": state.losses}
    return Snapshot(state.step, files, json.dumps(values))


def save_checkpoint(work: Path, state: TrainState) -> None:
    """Commit a checkpoint, then delete all but the newest two."""
    save_snapshot(work, take_snapshot(state))


def save_snapshot(work: Path, snapshot: Snapshot) -> None:
    """Commit a snapshot as the checkpoint of its step, then delete all but the newest two."""
    target = work / f"{PREFIX}{snapshot.step:09d}"
    if not target.exists():
        commit(target, lambda folder: _write(folder, snapshot))
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
            return read_checkpoint(path)
        except ArtifactError as error:
            if not is_main:
                continue
            aside = path.with_name(f"damaged-{path.name}")
            shutil.rmtree(aside, ignore_errors=True)
            path.rename(aside)
            progress.note(f"checkpoint set aside: {error.problem}; the one before it is used")
    return None


def load_step(work: Path, step: int) -> TrainState:
    """The checkpoint of one step, which another rank has found whole; raises ArtifactError where it is not."""
    return read_checkpoint(work / f"{PREFIX}{step:09d}")


def read_checkpoint(folder: Path) -> TrainState:
    """Check and read one checkpoint; raises ArtifactError where anything about it is not as it was written."""
    try:
        open_artifact(folder)
        state = _read(folder)
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        raise ArtifactError(f"{folder}: cannot be read ({error})") from error
    if folder.name != f"{PREFIX}{state.step:09d}":
        raise ArtifactError(f"{folder}: holds step {state.step}; it was put in the place of another")
    return state


def _checkpoints(work: Path) -> list[Path]:
    return sorted(work.glob(f"{PREFIX}*"), reverse=True)


def _copy(tensor: Tensor, buffer: Tensor | None) -> Tensor:
    """A contiguous copy in the memory of the host, in `buffer` where that fits."""
    if buffer is None or (buffer.shape, buffer.dtype) != (tensor.shape, tensor.dtype):
        buffer = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=tensor.is_cuda)
    return buffer.copy_(tensor.detach(), non_blocking=True)


def _write(folder: Path, snapshot: Snapshot) -> None:
    for file, tensors in snapshot.files.items():
        path = folder / f"{file}.safetensors"
        save_file(tensors, path)
        _refuse_short(path, tensors.values())
    (folder / "state.json").write_text(snapshot.text, encoding="utf-8")


def _refuse_short(path: Path, tensors: Iterable[Tensor]) -> None:
    """The manifest pins what is on the disk, so a file that a disk cut short must not get that far."""
    with path.open("rb") as file:
        head = 8 + int.from_bytes(file.read(8), "little")
    if path.stat().st_size != head + sum(tensor.numel() * tensor.element_size() for tensor in tensors):
        raise OSError(errno.EIO, "a file is shorter than what was written to it", str(path))


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
        losses=values["losses"],
    )


def _pack_optimizer(state: dict[str, Any]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Split an optimizer's state_dict into tensors named `parameter/key` and plain values (groups, counts)."""
    every = {f"{index}/{key}": value for index, part in state["state"].items() for key, value in part.items()}
    tensors = {name: value for name, value in every.items() if isinstance(value, torch.Tensor)}
    plain = {name: value for name, value in every.items() if name not in tensors}
    return tensors, {"groups": state["param_groups"], "values": plain}


def _unpack_optimizer(tensors: dict[str, Tensor], plain: dict[str, Any]) -> dict[str, Any]:
    state: dict[int, dict[str, Any]] = {}
    for name, value in {**tensors, **plain["values"]}.items():
        index, _, key = name.partition("/")
        state.setdefault(int(index), {})[key] = value
    return {"state": state, "param_groups": plain["groups"]}
