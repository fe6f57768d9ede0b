"""From training to the state that is saved, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bessemer.parallel.agree import from_main
from bessemer.runtime import Progress
from bessemer.train.checkpoint import TrainState, load_checkpoint, load_step
from bessemer.train.guard import Guard
from bessemer.train.step import Training


def resume(
    training: Training, work: Path | None, guard: Guard, progress: Progress
) -> tuple[int, list[dict[str, Any]]]:
    """Load the newest checkpoint; returns the step to go on from and the history up to it."""
    state = newest_state(training, work, progress)
    if state is None:
        return 0, []
    history = restore(training, state, guard)
    if training.runtime.is_main:
        progress.note(f"going on from step {state.step} of {training.steps}")
    return state.step, history


def newest_state(training: Training, work: Path | None, progress: Progress) -> TrainState | None:
    """The newest whole checkpoint, the same on all ranks: the main rank chooses."""
    if work is None:
        return None
    runtime = training.runtime
    state = load_checkpoint(work, progress) if runtime.is_main else None
    step = from_main(-1 if state is None else state.step, runtime)
    if runtime.is_main or step < 0:
        return state
    return load_step(work, step)


def restore(training: Training, state: TrainState, guard: Guard) -> list[dict[str, Any]]:
    """Make training what a checkpoint says; returns the history up to it."""
    training.model.load_state_dict(state.model)
    training.optimizer.load_state_dict(state.optimizer)
    for method in training.methods:
        if method.name in state.methods:
            method.load_state(state.methods[method.name])
    guard.losses = state.losses
    return state.history


def state_of(training: Training, step: int, history: list[dict[str, Any]], guard: Guard) -> TrainState:
    """What a checkpoint after `step` steps holds."""
    methods = {method.name: method.state() for method in training.methods}
    optimizer = training.optimizer.state_dict()
    return TrainState(step, training.model.state_dict(), optimizer, methods, history, guard.losses)
