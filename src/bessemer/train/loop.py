"""The training loop: steps, checkpoints, validation, and a clean stop on signals."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import nn

from bessemer.data.dataset import Batches
from bessemer.errors import StoppedError, UsageError
from bessemer.model.layers import set_ghost
from bessemer.parallel.data import any_rank, replicate
from bessemer.runtime import SILENT, Progress, Runtime
from bessemer.task.classify import Classify
from bessemer.train.checkpoint import TrainState, load_checkpoint, save_checkpoint
from bessemer.train.config import TrainConfig, check_shares
from bessemer.train.methods import Method
from bessemer.train.methods.cutmix import CutMix
from bessemer.train.methods.ema import Ema
from bessemer.train.methods.label_smoothing import LabelSmoothing
from bessemer.train.methods.mixup import Mixup
from bessemer.train.optimizer import build_optimizer
from bessemer.train.precision import choose_precision
from bessemer.train.step import Training, learning_rate, train_step

Validate = Callable[[nn.Module], float]
CURVE_POINTS = 200
VALIDATIONS = 10


@dataclass(frozen=True)
class FitResult:
    """The trained model (averaged weights where EMA is on) and its learning curve."""

    model: nn.Module
    history: list[dict[str, Any]]
    precision: str


def standard_methods(config: TrainConfig, task: Classify, seed: int) -> list[Method]:
    """The methods that the settings switch on, in their order."""
    methods: list[Method] = []
    if config.label_smoothing > 0:
        methods.append(LabelSmoothing(config.label_smoothing, task))
    if config.cutmix > 0:  # before mixup, while pixels still have 8 bits
        methods.append(CutMix(config.cutmix, task, config.ghost_batch, seed))
    if config.mixup > 0:
        methods.append(Mixup(config.mixup, task, config.ghost_batch, seed))
    if config.ema > 0:
        methods.append(Ema(config.ema))
    return methods


def fit(
    model: nn.Module,
    task: Classify,
    batches: Batches,
    config: TrainConfig,
    *,
    methods: Sequence[Method] = (),
    seed: int = 0,
    runtime: Runtime | None = None,
    precision: str | None = None,
    work: Path | None = None,
    validate: Validate | None = None,
    progress: Progress = SILENT,
    label: str = "train",
) -> FitResult:
    """Train a model in place for `config.epochs` epochs of `batches`.

    With `work`, checkpoints go there and a later call with the same arguments goes on from the newest one, to
    bit-identical weights. `methods` come after those that `config` switches on. `validate` maps the model that
    would be the result to a number; it is asked about ten times.

    Raises TrainingError on a loss that is not finite, and StoppedError on SIGTERM or Ctrl-C, after saving.
    """
    runtime = runtime or Runtime(str(next(model.parameters()).device), torch.get_num_threads())
    if batches.order.batch_size != config.batch_size:
        problem = (
            f"the batches hold {batches.order.batch_size} samples, but config.batch_size is {config.batch_size}"
        )
        raise UsageError(problem, "make both the same")
    check_shares(config.batch_size, config.accumulate, config.ghost_batch, runtime.world)
    training = _set_up(model, task, batches, config, methods, seed, runtime, precision)
    try:
        start, history = _resume(training, work, progress)
        _take_steps(training, batches, start, history, work, validate, progress, label)
        _use_result(training)
    finally:
        for method in training.methods:
            method.release()
    return FitResult(model.eval(), history, training.precision)


def _take_steps(
    training: Training,
    batches: Batches,
    start: int,
    history: list[dict[str, Any]],
    work: Path | None,
    validate: Validate | None,
    progress: Progress,
    label: str,
) -> None:
    """All steps from `start` on, with checkpoints, the learning curve and a clean stop on signals."""
    config, runtime, last_saved = training.config, training.runtime, time.monotonic()
    clock = _Clock(start, training.steps, config.batch_size)
    with _stop_signals() as stop:
        for batch in batches.from_step(start, training.steps, runtime.rank, runtime.world):
            loss = train_step(training, batch)
            step = batch.step + 1
            _record(training, history, step, loss, validate)
            progress.step(label, step, training.steps, clock.facts(step, loss))
            stopping = any_rank(stop.is_set(), runtime)
            due = time.monotonic() - last_saved > config.checkpoint_seconds
            if work and runtime.is_main and (due or stopping):
                save_checkpoint(work, _state(training, step, history))
                last_saved = time.monotonic()
            if stopping:
                state = "state saved" if work else "nothing was saved, since no work folder was given"
                problem = f"stopped at step {step} of {training.steps}; {state}"
                raise StoppedError(problem, "run the same command to go on")


def _set_up(
    model: nn.Module,
    task: Classify,
    batches: Batches,
    config: TrainConfig,
    methods: Sequence[Method],
    seed: int,
    runtime: Runtime,
    precision: str | None,
) -> Training:
    model.to(runtime.device).train()
    set_ghost(model, config.ghost_batch)
    every = [*standard_methods(config, task, seed), *methods]
    for method in every:
        method.prepare(model)
    return Training(
        model=model,
        replica=replicate(model, runtime),
        optimizer=build_optimizer(model, config.optimizer),
        task=task,
        methods=every,
        config=config,
        runtime=runtime,
        precision=precision or choose_precision(config.precision, runtime.kind),
        steps=batches.order.steps(config.epochs),
        seed=seed,
    )


def _resume(training: Training, work: Path | None, progress: Progress) -> tuple[int, list[dict[str, Any]]]:
    """Load the newest checkpoint; returns the step to go on from and the history up to it."""
    state = load_checkpoint(work, progress, training.runtime.is_main) if work else None
    if state is None:
        return 0, []
    training.model.load_state_dict(state.model)
    training.optimizer.load_state_dict(state.optimizer)
    for method in training.methods:
        if method.name in state.methods:
            method.load_state(state.methods[method.name])
    if training.runtime.is_main:
        progress.note(f"going on from step {state.step} of {training.steps}")
    return state.step, state.history


def _state(training: Training, step: int, history: list[dict[str, Any]]) -> TrainState:
    methods = {method.name: method.state() for method in training.methods}
    return TrainState(step, training.model.state_dict(), training.optimizer.state_dict(), methods, history)


def _record(
    training: Training, history: list[dict[str, Any]], step: int, loss: float, validate: Validate | None
) -> None:
    """Add a point to the learning curve at steps that depend on nothing but the number of steps."""
    steps = training.steps
    is_point = step == steps or step % max(1, steps // CURVE_POINTS) == 0
    is_validated = validate is not None and (step == steps or step % max(1, steps // VALIDATIONS) == 0)
    if not (is_point or is_validated):
        return
    rate = learning_rate(training, step - 1)
    point: dict[str, Any] = {"step": step, "loss": loss, "rate": rate, "validation": None}
    if is_validated and validate is not None and training.runtime.is_main:
        with _as_result(training) as model:
            point["validation"] = validate(model)
    history.append(point)


@contextmanager
def _as_result(training: Training) -> Iterator[nn.Module]:
    """The model as it would be returned now, for a block; training then goes on as if nothing had been."""
    trained = {name: tensor.clone() for name, tensor in training.model.state_dict().items()}
    _use_result(training)
    try:
        yield training.model.eval()
    finally:
        training.model.load_state_dict(trained)
        training.model.train()


def _use_result(training: Training) -> None:
    for method in training.methods:
        result = method.result()
        if result is not None:
            training.model.load_state_dict(result)


class _Clock:
    """Rate and time left, for people."""

    def __init__(self, start: int, steps: int, batch_size: int) -> None:
        self.start, self.steps, self.batch_size = start, steps, batch_size
        self.began = time.monotonic()

    def facts(self, step: int, loss: float) -> str:
        """`loss 0.512 · 1,240 samples/s · 3 min left`."""
        seconds = max(1e-9, time.monotonic() - self.began)
        rate = (step - self.start) / seconds
        left = (self.steps - step) / rate
        duration = f"{left / 60:.0f} min" if left >= 90 else f"{left:.0f} s"
        return f"loss {loss:.3f} · {rate * self.batch_size:,.0f} samples/s · {duration} left"


@contextmanager
def _stop_signals() -> Iterator[threading.Event]:
    """An event that SIGTERM and Ctrl-C set, for a block; only the main thread can listen."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def listen(number: int, frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, listen) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
