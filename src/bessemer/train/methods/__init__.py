"""Training methods: plain functions, and the hooks that put them into a run.

A method is one folder, listed in `methods.METHODS`. Its first file says what it is to a recipe (a `Technique`);
`hooks.py` beside it says what it does in a run.

It has any of five hooks, called in the order of METHODS: `prepare(model)` once, `batch(batch)` on a rank's share
of a batch, `before_forward(batch)` and `loss(loss, outputs, batch)` around the forward pass of each micro-batch of
it, `after_step(model, step)` after the optimizer. One that keeps averages also has `state()` and
`load_state(tensors)`; one that holds on to the model lets go in `release()`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn

    from bessemer.data.dataset import Batch


class Method:
    """A method that changes nothing: the base of the others."""

    name = "none"
    averages = False  # one that averages weights comes last, behind methods that a caller adds
    floor = 0.0  # nats that no loss can fall below, because of what the method makes of targets
    chooses = False  # one that looks at each validation, on every rank

    def prepare(self, model: nn.Module) -> None:
        """Look at the model before the first step."""

    def batch(self, batch: Batch) -> Batch:
        """Change a batch before the forward pass."""
        return batch

    def before_forward(self, batch: Batch) -> None:
        """Look at a micro-batch before the model does; `batch.first` is its place in the global batch."""

    def loss(self, loss: Tensor, outputs: Tensor, batch: Batch) -> Tensor:
        """Change the loss."""
        return loss

    def after_step(self, model: nn.Module, step: int) -> None:
        """Act after the optimizer's step number `step`, counted from 0."""

    def state(self) -> dict[str, Tensor]:
        """Tensors to keep in a checkpoint."""
        return {}

    def load_state(self, tensors: dict[str, Tensor]) -> None:
        """Take back what `state` gave."""

    def validated(self, model: nn.Module, score: float) -> None:
        """Look at the model that would be the result, and at its validation; a higher score is better."""

    def chosen(self) -> dict[str, Tensor] | None:
        """The weights to end with in place of the last ones, if the method has kept better."""
        return None

    def release(self) -> None:
        """Let go of the model after training: called once, also when training fails."""

    def result(self) -> dict[str, Tensor] | None:
        """The weights to use after training in place of the trained ones, if the method has better."""
        return None
