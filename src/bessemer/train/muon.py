"""Muon: momentum whose matrices are made orthogonal before they move the weights, beside AdamW for the rest.

Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024. A gradient matrix has few large
singular values; with all of them near 1 the rare directions are learned as fast as the common ones. A filter of a
convolution (out, in, kh, kw) is the matrix (out, in * kh * kw).

Three polynomials take the place of Jordan's five: the minimax ones, each the best for the interval that the one
before it leaves (Amsel et al., "The Polar Express: optimal matrix sign methods and their application to the Muon
algorithm", 2025), from a closer bound of the largest singular value. Values from 0.01 of the bound up end between
0.73 and 1.27 in three fifths of the products; smaller ones stay smaller than after Jordan's. All else is as in
torch.optim.Muon (tests compare, to the bit), which takes matrices only; one optimizer for both kinds of weights
keeps one state, one list of groups and one schedule. The iteration runs in bfloat16 as Jordan's does: a quarter of
the time of float32 (`bench/optimizers.py cost`), and the same bits each time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.adamw import adamw

MINIMAX = (  # (a, b, c) of x -> a x + b x^3 + c x^5: in turn they take [0.01, 1] to [0.73, 1.27]
    (8.0934, -23.6205, 17.4462),
    (3.6367, -2.7221, 0.5366),
    (2.6613, -1.9771, 0.4526),
)
CUSHION = 1.01  # they are steep where their interval ends, and bfloat16 rounds: values stay so far below it
POLYNOMIALS = [(a / CUSHION, b / CUSHION**3, c / CUSHION**5) for a, b, c in MINIMAX]
HEADS = {"head", "lm_head", "classifier", "score", "fc"}
TABLES = (nn.Embedding, nn.EmbeddingBag, nn.LayerNorm)  # their rows or values do not multiply features


def newton_schulz(matrix: Tensor, dtype: torch.dtype = torch.bfloat16) -> Tensor:
    """The matrix (M, N) with all singular values moved to about 1, in `dtype`; zeros stay zeros.

    Of the decomposition U S V^T it approximates U V^T by iterating x <- a x + (b A + c A^2) x with A = x x^T. The
    first x has singular values of at most 1. The root of A's Frobenius norm bounds the largest one more closely
    than that of the matrix does (Schatten norms of order 4 and 2), and A is at hand.
    """
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.to(dtype)
    x = x.T if tall else x  # so that the product A is the smaller one
    x = x / x.norm().clamp(min=1e-7)
    for index, (a, b, c) in enumerate(POLYNOMIALS):
        gram = x @ x.T
        if index == 0:
            bound = gram.norm().clamp(min=1e-7)
            gram, x = gram / bound, x / bound.sqrt()
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.T if tall else x


def muon(
    weight: Tensor, gradient: Tensor, average: Tensor, *, rate: float, momentum: float, weight_decay: float
) -> None:
    """Move a weight (M, ...) in place, and its gradients' moving `average` of the same shape.

    g <- (1 - momentum) gradient + momentum average (Nesterov); weight <- (1 - rate weight_decay) weight - rate
    sqrt(max(1, M / N)) newton_schulz(g). The root keeps the length of a row's step the same in all shapes.
    """
    average.lerp_(gradient, 1 - momentum)
    matrix = gradient.lerp(average, momentum).reshape(len(weight), -1)
    reach = rate * math.sqrt(max(1.0, matrix.shape[0] / matrix.shape[1]))
    weight.mul_(1 - rate * weight_decay)
    weight.add_(newton_schulz(matrix).reshape(weight.shape), alpha=-reach)


def hidden_matrices(model: nn.Module) -> list[nn.Parameter]:
    """The trained weights that Muon takes: those that multiply features by a matrix between two hidden layers.

    They have two dimensions or more and a name with `weight` in it (of linear, convolutional, recurrent and
    attention layers; positions and class tokens have other names). Left out are embeddings, convolutions in groups
    (each filter stands alone), and the output: modules named as in HEADS, or the last linear layer without them.
    """
    modules = dict(model.named_modules())
    linear = [name for name, module in modules.items() if isinstance(module, nn.Linear)]
    heads = [name for name in modules if HEADS & set(name.split("."))] or linear[-1:]
    hidden: dict[int, nn.Parameter] = {}
    others: set[int] = set()  # a weight shared with an embedding or head is theirs
    for name, module in modules.items():
        outer = name in heads or isinstance(module, TABLES) or getattr(module, "groups", 1) > 1
        for key, parameter in module.named_parameters(recurse=False):
            if outer or parameter.ndim < 2 or "weight" not in key or not parameter.requires_grad:
                others.add(id(parameter))
            else:
                hidden[id(parameter)] = parameter
    return [parameter for key, parameter in hidden.items() if key not in others]


class Muon(torch.optim.Optimizer):
    """Muon for parameter groups with `muon: True`, AdamW for the others; each group has its own rate."""

    def __init__(
        self,
        groups: Iterable[dict[str, Any]],
        lr: float = 0.02,
        *,
        momentum: float = 0.95,
        betas: tuple[float, float] = (0.9, 0.95),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
        fused: bool = False,
    ) -> None:
        defaults = {"lr": lr, "momentum": momentum, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        super().__init__(groups, {**defaults, "muon": True, "fused": fused})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Move all weights that have gradients."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            if group["muon"]:
                self._muon(weights, group)
            else:
                self._adamw(weights, group)
        return loss

    def _muon(self, weights: list[Tensor], group: dict[str, Any]) -> None:
        settings = {"momentum": group["momentum"], "weight_decay": group["weight_decay"]}
        for weight in weights:
            state = self.state[weight]
            if not state:
                state["average"] = torch.zeros_like(weight)
            assert weight.grad is not None
            muon(weight, weight.grad, state["average"], rate=group["lr"], **settings)

    def _adamw(self, weights: list[Tensor], group: dict[str, Any]) -> None:
        for weight in weights:
            state = self.state[weight]
            if not state:
                device = weight.device if group["fused"] else "cpu"
                state["step"] = torch.zeros((), dtype=torch.float32, device=device)
                state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(weight), torch.zeros_like(weight)
        states = [self.state[weight] for weight in weights]
        adamw(
            weights,
            [weight.grad for weight in weights if weight.grad is not None],
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [],
            [state["step"] for state in states],
            fused=group["fused"],
            amsgrad=False,
            beta1=group["betas"][0],
            beta2=group["betas"][1],
            lr=group["lr"],
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            maximize=False,
        )
