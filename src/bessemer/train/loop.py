"""The training loop: what a run is made of, and the order in which it happens."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from bessemer.data.dataset import Batch, Batches
from bessemer.errors import StoppedError, UsageError
from bessemer.model.layers import set_ghost
from bessemer.parallel.agree import any_ranks, from_main
from bessemer.parallel.data import refuse_own_statistics, replicate
from bessemer.runtime import SILENT, Progress, Runtime
from bessemer.task.task import Objective
from bessemer.train.clock import Clock
from bessemer.train.config import TrainConfig
from bessemer.train.curve import Validate, record, tell, use_result
from bessemer.train.execution import (
    Execution,
    choose_execution,
    compiled_form,
    compiled_loss,
    recorded_execution,
)
from bessemer.train.guard import Guard, check_ranks
from bessemer.train.memory.heap import freed_memory_kept
from bessemer.train.memory.limit import limit_memory
from bessemer.train.methods import Method
from bessemer.train.methods.batch_warmup import growing
from bessemer.train.methods.early_stopping import gains_no_more
from bessemer.train.methods.standard import averages_last, prepare_methods, refuse_twins, standard_methods
from bessemer.train.optimizer import build_optimizer
from bessemer.train.precision import choose_precision
from bessemer.train.resume import newest_state, restore, resume, state_of
from bessemer.train.saver import Saver
from bessemer.train.signals import stop_signals
from bessemer.train.step import Training, changed, forward, micro_batches, train_step


@dataclass(frozen=True)
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
    """Train a model in place for `config.epochs` epochs of `batches`.

    With `work`, checkpoints go there and a later call with the same arguments goes on from the newest one, to
    bit-identical weights. `methods` come after those that `config` switches on, but before averages. `validate`
    maps the model that would be the result to a number, of which `higher_is_better` says the good end; it is asked
    about ten times.

    Raises TrainingError on a loss that is not finite, and StoppedError on SIGTERM or Ctrl-C, after saving.
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
    batches = growing(batches, config)
    training = _set_up(model, task, batches, config, methods, seed, runtime, precision)
    try:
        guard = Guard(config.guard, work / "guard.json" if work else None, runtime.is_main)
        start, history = resume(training, work, guard, progress)
        limit_memory(training, batches, work, progress)
        _carry_out(training, batches, start, work, progress)
        saver = Saver(work, config.checkpoint_seconds, progress, runtime.is_main)
        with Clock(batches.order, runtime, work) as clock, saver, freed_memory_kept():
            _take_steps(
                training, batches, start, history, guard, saver, clock, validate, higher_is_better, progress, label
            )
        use_result(training)
    finally:
        for method in training.methods:
            method.release()
    return FitResult(
        model.eval(),
        history,
        training.precision,
        {**guard.facts(), **saver.facts()},
        {"steps": training.steps, **clock.cost()},
    )


def _take_steps(
    training: Training,
    batches: Batches,
    start: int,
    history: list[dict[str, Any]],
    guard: Guard,
    saver: Saver,
    clock: Clock,
    validate: Validate | None,
    higher_is_better: bool,
    progress: Progress,
    label: str,
) -> None:
    """All steps from `start` on, with checkpoints, the learning curve and a clean stop on signals."""
    runtime = training.runtime
    if start == training.steps or gains_no_more(history, training.config, higher_is_better):
        return  # as decided before it was saved
    progress.begin(label, start)
    with stop_signals() as stop:
        for batch in clock.watch(batches.from_step(start, training.steps, runtime.rank, runtime.world)):
            step = batch.step + 1
            loss = _guarded_step(training, batch, guard, progress)
            if loss is not None:
                clock.took(batch.step)
            if guard.must_rewind(batch.step):
                back = _go_back(training, batch.step, history, guard, saver, progress)
                progress.begin(label, back)
                for left_out in range(back + 1, step):  # the curve is that of a run that resumes from there
                    record(training, history, left_out, None, validate)
                    tell(history, left_out, progress, label)
            record(training, history, step, loss, validate)
            tell(history, step, progress, label)
            progress.step(label, step, training.steps, clock.line(step, training.steps, loss))
            due = saver.is_due() and loss is not None  # in bad times the checkpoint before is the better one
            ended = gains_no_more(history, training.config, higher_is_better)  # rank 0, which validates, says so
            due, stopping, ended = any_ranks([due, stop.is_set(), ended], runtime)
            if due or stopping or ended or step == training.steps:
                check_ranks(training, step)  # so what is saved is what all ranks hold
            if stopping:
                saver.save_now(state_of(training, step, history, guard))
                state = "state saved" if saver.folder else "nothing was saved, since no work folder was given"
                problem = f"stopped at step {step} of {training.steps}; {state}"
                raise StoppedError(problem, "run the same command to go on")
            if due:
                saver.save(state_of(training, step, history, guard))
            if ended:
                progress.note(f"{label}: stopped early at step {step} of {training.steps}")
                return


def _guarded_step(training: Training, batch: Batch, guard: Guard, progress: Progress) -> float | None:
    """Take a step if it is sound; returns its loss, or None where it was skipped, now or in an earlier attempt."""
    if guard.has_skipped(batch.step):
        return None
    loss, moved = train_step(training, batch, guard.limit)
    if moved:
        guard.took(loss)
        return loss
    if training.runtime.is_main:
        is_of_gradient = math.isfinite(loss) and loss <= guard.limit
        why = "a gradient is not finite" if is_of_gradient else f"the loss is {loss:.4g}"
        progress.note(f"step {batch.step} skipped: {why}")
    guard.skip(batch.step)
    return None


def _go_back(
    training: Training,
    step: int,
    history: list[dict[str, Any]],
    guard: Guard,
    saver: Saver,
    progress: Progress,
) -> int:
    """Put the newest checkpoint in place of the weights; returns its step.

    Raises TrainingError where there is none, or that was tried often enough.
    """
    saver.wait()
    state = newest_state(training, saver.folder, progress)
    guard.refuse(step, training.config.optimizer.learning_rate, state is not None)
    assert state is not None
    guard.rewind(step, state.step)
    history[:] = restore(training, state, guard)
    if training.runtime.is_main:
        progress.note(f"weights of step {state.step} are back; steps {state.step} to {step} are left out")
    return state.step


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
    model.to(runtime.device).train()
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
    )


def _carry_out(training: Training, batches: Batches, start: int, work: Path | None, progress: Progress) -> None:
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
