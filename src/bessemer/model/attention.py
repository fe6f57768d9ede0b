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

BLOCK, MOST_BLOCKS = 128, 4  # queries at least, and blocks at most, for the sake of compilation
BLOCKS_UP_TO = 1024  # positions


class Scores(torch.autograd.Function):
    """Products (N, S, T) of queries (N, S, E) with keys (N, T, E).

    torch's backward pass makes gradients of the keys in the order (E, T), which costs a slow product and a slow
    copy; this one makes them in the keys' own.
    """

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor) -> Tensor:
        ctx.save_for_backward(query, key)
        return torch.bmm(query, key.transpose(1, 2))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        query, key = ctx.saved_tensors
        return torch.bmm(gradients[0], key), torch.bmm(gradients[0].transpose(1, 2), query)


def block_attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Causal attention of queries (N, T, E), scaled already, to keys and values (N, T, E)."""
    time = query.shape[1]
    size = max(BLOCK, math.ceil(time / MOST_BLOCKS))
    mixed, stop = [], 0
    for queries in torch.split(query, size, 1):
        start, stop = stop, stop + queries.shape[1]
        keys, values = (key, value) if stop == time else (key[:, :stop], value[:, :stop])
        scores: Tensor = Scores.apply(queries, keys)  # type: ignore[no-untyped-call]
        weights = (scores + torch.full_like(scores[0], -math.inf).triu(start + 1)).exp()
        sums = weights.sum(-1, keepdim=True, dtype=torch.float32)
        mixed.append((torch.bmm(weights, values) / sums).to(query.dtype))
    return torch.cat(mixed, 1)


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
    return block_attention(*flat).view(batch, heads, time, width)
