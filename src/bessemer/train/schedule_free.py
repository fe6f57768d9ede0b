"""Schedule-free learning: no schedule that must know the end of a run, an average in its place.

Defazio et al., "The road less scheduled", 2024. Three points: z moves along gradients, x is the weighted average
of all z, and gradients are taken between them, at y = (1 - share) z + share x. While training, the model holds y;
x is what is kept. Only z is stored beside y, since x = y + (1 - 1 / share) (z - y): one copy of the weights, no
more than momentum costs.

Statistics of batch normalization are gathered at y, a step's breadth away from x.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor


def schedule_free(
    y: list[Tensor], z: list[Tensor], directions: list[Tensor], *, rate: float, weight: float, share: float
) -> None:
    """One step of y and z (lists of tensors, in place) against directions (the like) taken at y.

    z <- z - rate d; x <- (1 - weight) x + weight z; y <- (1 - share) z + share x, with x never written out.
    `weight` is that of the new z in the average, in (0, 1].
    """
    torch._foreach_lerp_(y, z, weight)
    torch._foreach_add_(y, directions, alpha=-rate * (1 - share * (1 - weight)))
    torch._foreach_add_(z, directions, alpha=-rate)


class ScheduleFree(torch.optim.Optimizer):
    """Schedule-free SGD, or AdamW where `betas` has a second decay; `share` in (0, 1] is how near y is to x.

    Rates may rise at the start, from outside; each z weighs as much in the average as the square of its rate.
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float,
        *,
        share: float = 0.9,
        beta: float | None = None,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        """`beta` is the decay of squared gradients of AdamW; None is SGD."""
        defaults = {"lr": lr, "share": share, "beta": beta, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, {**defaults, "steps": 0, "weight_sum": 0.0})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Move all weights that have gradients."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            self._step(group)
        return loss

    def _step(self, group: dict[str, Any]) -> None:
        y = [weight for weight in group["params"] if weight.grad is not None]
        if not y:
            return
        group["steps"] += 1
        rate, directions = group["lr"], [weight.grad for weight in y]
        if group["beta"] is not None:
            rate *= math.sqrt(1 - group["beta"] ** group["steps"])
            squares = self._kept(y, "square", torch.zeros_like)
            directions = _scaled(directions, squares, group["beta"], group["eps"])
        if group["weight_decay"]:
            directions = list(torch._foreach_add(directions, y, alpha=group["weight_decay"]))
        group["weight_sum"] += rate**2
        weight = rate**2 / group["weight_sum"]
        schedule_free(
            y, self._kept(y, "z", torch.clone), directions, rate=rate, weight=weight, share=group["share"]
        )

    def _kept(self, weights: list[Tensor], key: str, start: Callable[[Tensor], Tensor]) -> list[Tensor]:
        for weight in weights:
            if key not in self.state[weight]:
                self.state[weight][key] = start(weight.detach())
        return [self.state[weight][key] for weight in weights]

    @torch.no_grad()
    def use_averages(self) -> None:
        """Write x over the model's weights, y; to go on training, put y back first."""
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if "z" in self.state[weight]]
            moving = [self.state[weight]["z"] for weight in weights]
            if weights:
                torch._foreach_lerp_(weights, moving, 1 - 1 / group["share"])


def _scaled(gradients: list[Tensor], squares: list[Tensor], beta: float, eps: float) -> list[Tensor]:
    """Gradients over the root of their mean squares, which move on in place."""
    torch._foreach_mul_(squares, beta)
    torch._foreach_addcmul_(squares, gradients, gradients, 1 - beta)
    roots = torch._foreach_sqrt(squares)
    torch._foreach_add_(roots, eps)
    return list(torch._foreach_div(gradients, roots))
