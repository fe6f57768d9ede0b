"""Causal attention, on processors without the half of the products that the mask would hide.

Queries go in blocks, each against the keys up to its own end (Dao et al., "FlashAttention", 2022). As there, sums
are divided out after the last product, and the backward pass needs no sums over keys. Unlike there, no maximum is
subtracted from the scores: normalized queries and keys (Henry et al., "Query-key normalization for transformers",
2020) bound them by the root of their width.

Shapes: N sequences of each head, T tokens, E width of a head.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

BLOCK = 128  # queries at least
BLOCKS_UP_TO = 1024  # positions


def blocks(time: int) -> list[tuple[int, int]]:
    """First and last (exclusive) query of each block; at most four, for the sake of compilation."""
    size = max(BLOCK, math.ceil(time / 4))
    return [(start, min(start + size, time)) for start in range(0, time, size)]


def join(parts: list[Tensor]) -> Tensor:
    """Blocks one after the other along T; a single one is not copied."""
    return parts[0] if len(parts) == 1 else torch.cat(parts, 1)


def add_overlapping(parts: list[Tensor]) -> Tensor:
    """The sum (N, T, E) of gradients that begin at the first key alike and end at those of `blocks`."""
    ranges = blocks(parts[-1].shape[1])
    pieces = []
    for index, (start, stop) in enumerate(ranges):
        piece = parts[index][:, start:stop]
        for longer in parts[index + 1 :]:
            piece = piece + longer[:, start:stop]
        pieces.append(piece)
    return join(pieces)


class BlockAttention(torch.autograd.Function):
    """Causal attention of queries (N, T, E), scaled already, to keys and values (N, T, E).

    With a backward pass of its own: autograd's makes gradients of the keys in the order (E, T), which costs a slow
    product and a slow copy.
    """

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        mixed, weights, inverses = [], [], []
        for start, stop in blocks(query.shape[1]):
            scores = torch.bmm(query[:, start:stop], key[:, :stop].transpose(1, 2))
            hidden = torch.full(scores.shape[1:], -math.inf, dtype=scores.dtype).triu(start + 1)
            weight = scores.add_(hidden).exp_()
            inverse = weight.sum(-1, keepdim=True, dtype=torch.float32).reciprocal()
            mixed.append(torch.bmm(weight, value[:, :stop]).mul_(inverse))
            weights.append(weight)
            inverses.append(inverse)
        out = join(mixed)
        ctx.save_for_backward(query, key, value, out, *weights, *inverses)
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        query, key, value, out, *rest = ctx.saved_tensors
        ranges = blocks(query.shape[1])
        of_queries, of_keys, of_values = [], [], []
        for (start, stop), weight, inverse in zip(ranges, rest[: len(ranges)], rest[len(ranges) :], strict=True):
            gradient = (gradients[0][:, start:stop] * inverse).to(query.dtype)
            mean = (gradient * out[:, start:stop]).sum(-1, keepdim=True)
            of_weights = torch.bmm(gradient, value[:, :stop].transpose(1, 2))
            of_scores = of_weights.sub_(mean).mul_(weight)
            of_queries.append(torch.bmm(of_scores, key[:, :stop]))
            of_keys.append(torch.bmm(of_scores.transpose(1, 2), query[:, start:stop]))
            of_values.append(torch.bmm(weight.transpose(1, 2), gradient))
        return join(of_queries), add_overlapping(of_keys), add_overlapping(of_values)


def causal_attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Attention of each position to those up to itself: (B, H, T, E) for queries, keys and values alike.

    Queries and keys must be normalized (root mean square 1). On processors, in bf16, products in blocks beat
    torch's kernel (bench/kernels.py). They keep the (B, H, T, T) probabilities but for hidden blocks, so sequences
    of over 1,024 positions take the kernel; fp32 does too.
    """
    batch, heads, time, width = query.shape
    if query.device.type != "cpu" or query.dtype != torch.bfloat16 or time > BLOCKS_UP_TO:
        return F.scaled_dot_product_attention(query, key, value, is_causal=True)
    flat = (x.reshape(batch * heads, time, width) for x in (query * width**-0.5, key, value))
    mixed: Tensor = BlockAttention.apply(*flat)  # type: ignore[no-untyped-call]
    return mixed.view(batch, heads, time, width)
