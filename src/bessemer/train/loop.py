"""The training loop: what a run is made of, and the order in which it happens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from bessemer.data.dataset import Batches
from bessemer.errors import BessemerError, UsageError
from bessemer.model.layers import set_ghost
from bessemer.model.modes import wake
from bessemer.parallel.agree import from_main
from bessemer.parallel.data import refuse_own_statistics, replicate
from bessemer.report.format import plural, seconds, significant
from bessemer.runtime import SILENT, Progress, Runtime
from bessemer.task.task import Objective
from bessemer.train.budget import epochs_in, record_epochs, recorded_epochs, seconds_a_step
from bessemer.train.clock import Clock
from bessemer.train.config import TrainConfig
from bessemer.train.curve import Validate, end
from bessemer.train.execution import (
    Execution,
    choose_execution,
    compiled_form,
    compiled_loss,
    recorded_execution,
)
from bessemer.train.guard import Guard
from bessemer.train.identity import claim, identity_of
from bessemer.train.memory.heap import freed_memory_kept
from bessemer.train.memory.limit import limit_memory
from bessemer.train.methods import Method
from bessemer.train.methods.batch_warmup import growing
from bessemer.train.methods.standard import averages_last, prepare_methods, refuse_twins, standard_methods
from bessemer.train.optimizer import build_optimizer
from bessemer.train.precision import choose_precision
from bessemer.train.resume import resume
from bessemer.train.run import Run, Watch
from bessemer.train.saver import Saver
from bessemer.train.step import Training, changed, forward, micro_batches


@dataclass(frozen=True, repr=False)
class FitResult:
    """The trained model (averaged weights where EMA is on), its learning curve, and what its safety did and cost.

    `safety` has the steps `skipped`, the `rewinds`, the number of `checkpoints`, and their `share` of the time.
    `cost` has the planned `steps` and what all attempts took: `seconds`, `attempts`, the steps at which they
    `resumed`, the `stall` (share of the time that training waited for data), and the peak `memory` in bytes.
    """

    model: nn.Module
    history: list[dict[str, Any]]
    precision: str
    safety: dict[str, Any] = field(default_factory=dict)
    cost: dict[str, Any] = field(default_factory=dict)

    @property
    def loss(self) -> float | None:
        """The loss of the last step that is on the curve; None where all were skipped."""
        return self._last("loss")

    @property
    def validation(self) -> float | None:
        """What the last validation said; None where there was none."""
        return self._last("validation")

    def __repr__(self) -> str:
        told = [plural(self.history[-1]["step"] if self.history else 0, "step")]
        if "seconds" in self.cost:
            told[0] += f" in {seconds(self.cost['seconds'])}"
        for name in ("loss", "validation"):
            value = self._last(name)
            if value is not None:
                told.append(f"{name} {significant(value)}")
        told.append(self.precision)
        if self.safety.get("skipped"):
            told.append(f"{plural(len(self.safety['skipped']), 'step')} skipped")
        return f"FitResult({', '.join(told)})"

    def _last(self, name: str) -> float | None:
        return next((point[name] for point in reversed(self.history) if point[name] is not None), None)


def fit(
    model: nn.Module,
    task: Objective,
    batches: Batches,
    config: TrainConfig,
    *,
    methods: Sequence[Method] = (),
    seed: int = 0,
    runtime: Runtime | None = None,
    precision: str | None = None,
    work: Path | None = None,
    validate: Validate | None = None,
    higher_is_better: bool = True,
    progress: Progress = SILENT,
    label: str = "train",
) -> FitResult:
    """Train a model in place for `config.epochs` epochs of `batches`; it is given back in evaluation mode.

    Where `config.minutes` would not suffice for these epochs on this machine, there are fewer.

    With `work`, checkpoints go there and a later call with the same arguments goes on from the newest one, to
    bit-identical weights. `methods` come after those that `config` switches on, but before averages. `validate`
    maps the model that would be the result to a number, of which `higher_is_better` says the good end; it is asked
    about ten times. A model with a layer in training mode keeps the mode of each layer while it trains, so what is
    frozen by evaluation mode stays so; one wholly in evaluation mode is woken. Torch's random numbers go on
    afterwards as if nothing had been drawn.

    Raises UsageError where `work` holds another training, TrainingError on a loss that is not finite, and
    StoppedError on SIGTERM or Ctrl-C, after saving.
    """
    runtime = runtime or Runtime(str(next(model.parameters()).device), torch.get_num_threads())
    if batches.order.batch_size != config.batch_size:
        problem = (
            f"the batches hold {batches.order.batch_size} samples, but config.batch_size is {config.batch_size}"
        )
        raise UsageError(problem, "make both the same")
    if config.setting("early_stopping") and validate is None:
        raise UsageError("early_stopping needs validations", "pass `validate`, or set early_stopping to None")
    config.check_processes(runtime.world)
    if work is not None:
        _claim(work, lambda: identity_of(model, task, batches.samples, config, seed), runtime)
    with random_numbers_kept(runtime):

        def set_up(network: nn.Module, own: Sequence[Method]) -> Training:
            return _set_up(network, task, batches, config, own, seed, runtime, precision)

        config = _within_minutes(
            config, batches, lambda: set_up(*deepcopy((model, methods))), runtime, work, progress
        )
        batches = growing(batches, config)
        training = set_up(model, methods)
        watch = Watch(validate, higher_is_better, progress, label)
        try:
            run = _carry_out(training, batches, work, watch)
        finally:
            for method in training.methods:
                method.release()
    safety, cost = {**run.guard.facts(), **run.saver.facts()}, {"steps": training.steps, **run.clock.cost()}
    return FitResult(model.eval(), run.history, training.precision, safety, cost)


def random_numbers_kept(runtime: Runtime) -> AbstractContextManager[None]:
    """Inside a block torch's random numbers may be seeded; afterwards the caller's go on where they were."""
    devices = [torch.device(runtime.device)] if runtime.kind == "cuda" else []
    return torch.random.fork_rng(devices)


def _claim(work: Path, identity: Callable[[], dict[str, str]], runtime: Runtime) -> None:
    """Make the folder this training's; all ranks refuse it where the main one does."""
    refusal: BessemerError | None = None
    if runtime.is_main:
        try:
            claim(work, identity())
        except BessemerError as error:
            refusal = error
    if from_main(int(refusal is not None), runtime):
        raise refusal or UsageError(f"the main process refused the work folder {work}", "see what it said")


def _set_up(
    model: nn.Module,
    task: Objective,
    batches: Batches,
    config: TrainConfig,
    methods: Sequence[Method],
    seed: int,
    runtime: Runtime,
    precision: str | None,
) -> Training:
    model.to(runtime.device)
    wake(model)
    set_ghost(model, config.ghost_batch)
    steps = batches.order.steps(config.epochs)
    every = averages_last([*standard_methods(config, task, seed, steps), *methods])
    prepare_methods(every, model)
    refuse_twins(every)
    if runtime.world > 1:
        refuse_own_statistics(model)
    return Training(
        model=model,
        replica=model,
        optimizer=build_optimizer(model, config.optimizer),
        loss=task.loss,
        methods=every,
        config=config,
        runtime=runtime,
        precision=precision or choose_precision(config.precision, runtime.kind),
        steps=steps,
        seed=seed,
        count=getattr(task, "count", None),
    )


def _within_minutes(
    config: TrainConfig,
    batches: Batches,
    copied: Callable[[], Training],
    runtime: Runtime,
    work: Path | None,
    progress: Progress,
) -> TrainConfig:
    """The settings with as many epochs as the minutes allow, found by steps of `copied`, whose weights move."""
    if config.minutes is None:
        return config
    epochs = from_main(recorded_epochs(work) if runtime.is_main else 0.0, runtime)
    if not epochs:
        trial = copied()
        trial.replica = replicate(trial.model, runtime)
        try:
            seconds = from_main(seconds_a_step(trial, batches), runtime)
        finally:
            for method in trial.methods:
                method.release()
        epochs = epochs_in(config, batches, seconds)
        if runtime.is_main:
            record_epochs(work, epochs)
    if epochs < config.epochs and runtime.is_main:
        progress.note(f"{epochs:g} of {config.epochs:g} epochs fit into {config.minutes:g} minutes here")
    return config.model_copy(update={"epochs": epochs})


def _carry_out(training: Training, batches: Batches, work: Path | None, watch: Watch) -> Run:
    """The whole training, from the newest checkpoint on."""
    config, runtime, progress = training.config, training.runtime, watch.progress
    guard = Guard(config.guard, work / "guard.json" if work else None, runtime.is_main)
    start, history = resume(training, work, guard, progress)
    with training.buffers.unmoved():
        limit_memory(training, batches, work, progress)
        _choose_form(training, batches, start, work, progress)
    saver = Saver(work, config.checkpoint_seconds, progress, runtime.is_main)
    with Clock(batches.order, runtime, work) as clock, saver, freed_memory_kept():
        run = Run(training, batches, guard, saver, clock, history, watch)
        run.take_steps(start)
    end(training)
    return run


def _choose_form(training: Training, batches: Batches, start: int, work: Path | None, progress: Progress) -> None:
    """Choose how steps are carried out, on the first batch, before anything is learned."""
    runtime, config = training.runtime, training.config

    def choose() -> Execution:
        batch = batches.batch(start, runtime.rank, runtime.world).to(runtime.device)
        part = next(micro_batches(changed(training, batch), config.accumulate))[0]

        def trial(form: nn.Module) -> None:
            loss = training.loss if form is training.model else compiled_loss(training.loss)
            forward(replace(training, replica=form, loss=loss), part).backward()  # type: ignore[no-untyped-call]

        steps = training.steps - start
        return choose_execution(
            training.model, trial, steps, compile=config.compile, autotune=config.autotune, progress=progress
        )

    compiled, threads = False, torch.get_num_threads()
    if runtime.is_main:
        execution = recorded_execution(work, choose)
        compiled, threads = execution.compiled, execution.threads
    compiled, threads = bool(from_main(int(compiled), runtime)), from_main(threads, runtime)
    training.optimizer.zero_grad()
    if threads != torch.get_num_threads():
        torch.set_num_threads(threads)
    if compiled:
        training.loss = compiled_loss(training.loss)
    training.replica = replicate(compiled_form(training.model) if compiled else training.model, runtime)
