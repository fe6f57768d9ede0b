"""A training under way: step after step, with what watches over it and whoever looks on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from bessemer.data.dataset import Batch, Batches
from bessemer.errors import StoppedError
from bessemer.parallel.agree import any_ranks
from bessemer.runtime import Progress
from bessemer.train.clock import Clock
from bessemer.train.curve import Validate, record, tell
from bessemer.train.guard import Guard, check_ranks
from bessemer.train.methods import Method
from bessemer.train.methods.early_stopping import gains_no_more
from bessemer.train.resume import newest_state, restore, state_of
from bessemer.train.saver import Saver
from bessemer.train.signals import stop_signals
from bessemer.train.step import Training, train_step


@dataclass(frozen=True)
class Watch:
    """Who looks on: what validates and which of its ends is the good one, whom to tell, and under what name."""

    validate: Validate | None
    higher_is_better: bool
    progress: Progress
    label: str


@dataclass
class Run:
    """All that one call of `fit` works with; `history` is the learning curve so far."""

    training: Training
    batches: Batches
    guard: Guard
    saver: Saver
    clock: Clock
    history: list[dict[str, Any]]
    watch: Watch

    def take_steps(self, start: int) -> None:
        """All steps from `start` on, with checkpoints, the learning curve and a clean stop on signals."""
        steps, runtime = self.training.steps, self.training.runtime
        if start == steps or self.gains_no_more:
            return  # as decided before it was saved
        self.watch.progress.begin(self.watch.label, start)
        with stop_signals() as stop:
            for batch in self.clock.watch(self.batches.from_step(start, steps, runtime.rank, runtime.world)):
                loss = self._step(batch)
                if self._save_or_stop(batch.step + 1, loss, stop.is_set()):
                    return

    @property
    def gains_no_more(self) -> bool:
        """Whether early stopping ends the run here; the main rank, which validates, knows."""
        return gains_no_more(self.history, self.training.config, self.watch.higher_is_better)

    @property
    def floor(self) -> float:
        """Nats that the loss cannot fall below; 0 where a method has a loss of its own."""
        methods = self.training.methods
        if any(type(method).loss is not Method.loss for method in methods):
            return 0.0
        return max((method.floor for method in methods), default=0.0)

    def _step(self, batch: Batch) -> float | None:
        """Take a step and tell of it; returns its loss, or None where it was skipped."""
        watch, step = self.watch, batch.step + 1
        loss = self._guarded(batch)
        if loss is not None:
            self.clock.took(batch.step)
        if self.guard.must_rewind(batch.step):
            back = self._go_back(batch.step)
            watch.progress.begin(watch.label, back)
            for left_out in range(back + 1, step):  # the curve is that of a run that resumes from there
                self._record(left_out, None)
        self._record(step, loss)
        steps = self.training.steps
        watch.progress.step(watch.label, step, steps, self.clock.line(step, steps, loss, self.floor))
        return loss

    def _record(self, step: int, loss: float | None) -> None:
        record(self.training, self.history, step, loss, self.watch.validate, self.watch.higher_is_better)
        tell(self.history, step, self.watch.progress, self.watch.label)

    def _guarded(self, batch: Batch) -> float | None:
        """Take a step if it is sound; returns its loss, None where it was skipped now or in an earlier attempt."""
        training, guard = self.training, self.guard
        if guard.has_skipped(batch.step):
            return None
        loss, moved = train_step(training, batch, guard.limit)
        if moved:
            guard.took(loss)
            return loss
        if training.runtime.is_main:
            is_of_gradient = math.isfinite(loss) and loss <= guard.limit
            why = "a gradient is not finite" if is_of_gradient else f"the loss is {loss:.4g}"
            self.watch.progress.note(f"step {batch.step} skipped: {why}")
        guard.skip(batch.step)
        return None

    def _go_back(self, step: int) -> int:
        """Put the newest checkpoint in place of the weights; returns its step.

        Raises TrainingError where there is none, or that was tried often enough.
        """
        training, guard = self.training, self.guard
        self.saver.wait()
        state = newest_state(training, self.saver.folder, self.watch.progress)
        guard.refuse(step, training.config.optimizer.learning_rate, state is not None)
        assert state is not None
        guard.rewind(step, state.step)
        self.history[:] = restore(training, state, guard)
        if training.runtime.is_main:
            told = f"weights of step {state.step} are back; steps {state.step} to {step} are left out"
            self.watch.progress.note(told)
        return state.step

    def _save_or_stop(self, step: int, loss: float | None, stopping: bool) -> bool:
        """Save after a step where it is time for it; returns whether training gains no more.

        Raises StoppedError where any rank was told to stop, after saving.
        """
        training, saver, steps = self.training, self.saver, self.training.steps
        due = saver.is_due() and loss is not None  # in bad times the checkpoint before is the better one
        due, stopping, ended = any_ranks([due, stopping, self.gains_no_more], training.runtime)
        if due or stopping or ended or step == steps:
            check_ranks(training, step)  # so what is saved is what all ranks hold
        if stopping:
            saver.save_now(state_of(training, step, self.history, self.guard))
            state = "state saved" if saver.folder else "nothing was saved, since no work folder was given"
            raise StoppedError(f"stopped at step {step} of {steps}; {state}", "run the same command to go on")
        if due:
            saver.save(state_of(training, step, self.history, self.guard))
        if ended:
            self.watch.progress.note(f"{self.watch.label}: stopped early at step {step} of {steps}")
        return ended
