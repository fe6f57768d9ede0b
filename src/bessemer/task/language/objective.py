"""Saying what comes next: causal language modelling.

Shapes: B windows of T tokens, V vocabulary, D width. Logits are (B, T, V), targets int64 (B, T); IGNORED targets,
behind the end of the text, count for nothing.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bessemer.data.stream import IGNORED

# From here on chunks of logits pay: see the card in docs/techniques.md for what was measured.
LARGE_VOCABULARY = 8192
CHUNK = 256  # rows whose logits exist at once; more leave the cache and are slower


class Language:
    """The next token; with a `head`, outputs are features (B, T, D) that it would turn into logits."""

    def __init__(self, head: nn.Linear | None = None) -> None:
        self.head = head

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropy in nats, a mean over the tokens of the batch, in float32."""
        rows, targets = outputs.flatten(0, 1), targets.flatten()
        if self.head is not None and self.head.training:
            loss: Tensor = linear_cross_entropy(rows, self.head.weight, targets)
            return loss
        return F.cross_entropy(rows.float(), targets, ignore_index=IGNORED)

    def count(self, targets: Tensor) -> Tensor:
        """How many tokens of a batch are to be said, a scalar."""
        return (targets != IGNORED).sum()

    def losses(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The mean over the tokens of each window (B,), in nats and float32; 0 of a window without any."""
        if self.head is not None and self.head.training:
            outputs = self.head(outputs)
        losses = token_losses(outputs, targets)
        return losses.sum(1) / (targets != IGNORED).sum(1).clamp_min(1)


def token_losses(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy of each token (B, T) in nats and float32, 0 of ignored ones."""
    flat = F.cross_entropy(logits.flatten(0, 1).float(), targets.flatten(), ignore_index=IGNORED, reduction="none")
    return flat.reshape(targets.shape)


@torch.compiler.disable  # type: ignore[untyped-decorator]  # its loop would be unrolled
def linear_cross_entropy(hidden: Tensor, weight: Tensor, targets: Tensor, chunk: int = CHUNK) -> Tensor:
    """F.cross_entropy(hidden @ weight.T, targets) without ever holding all logits.

    `hidden` (N, D), `weight` (V, D), `targets` int64 (N,); a scalar, the mean over targets that are not IGNORED.
    Only `chunk` rows of logits exist at a time: their gradient is computed where they are, in the forward pass, so
    what is kept for the backward pass has the sizes of `hidden` and `weight`. Liger Kernel does it so (Hsu et al.,
    2024); see also Wijmans et al., "Cut your losses in large-vocabulary language models", 2024.
    """
    loss: Tensor = _LinearCrossEntropy.apply(hidden, weight, targets, chunk)  # type: ignore[no-untyped-call]
    return loss


class _LinearCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, targets: Tensor, chunk: int) -> Tensor:
        to_hidden = torch.empty_like(hidden)
        to_weight = torch.zeros_like(weight, dtype=torch.float32)
        total = torch.zeros((), device=hidden.device)
        weight = weight.to(hidden.dtype)  # under autocast features may have 16 bits where weights have 32
        count = (targets != IGNORED).sum().clamp_min(1)
        for start in range(0, len(hidden), chunk):
            rows, goals = hidden[start : start + chunk], targets[start : start + chunk]
            real = goals != IGNORED
            logits = (rows @ weight.T).float()
            goals = goals.where(real, 0).unsqueeze(1)
            norms = logits.logsumexp(1, keepdim=True)
            total += ((norms - logits.gather(1, goals)).squeeze(1) * real).sum()
            errors = logits.sub_(norms).exp_().scatter_add_(1, goals, -torch.ones_like(norms))
            errors = errors.mul_(real.unsqueeze(1) / count).to(hidden.dtype)
            to_hidden[start : start + chunk] = errors @ weight
            to_weight += errors.T @ rows
        ctx.save_for_backward(to_hidden, to_weight)
        return total / count

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None, None]:
        to_hidden, to_weight = ctx.saved_tensors
        return to_hidden * grad.to(to_hidden.dtype), to_weight * grad, None, None
