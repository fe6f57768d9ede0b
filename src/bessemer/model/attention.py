"""Causal attention, on processors without most of the products that the mask would hide.

Queries go in blocks, each against the keys up to its own end (Dao et al., "FlashAttention", 2022): a quarter of
the products and exponentials is left out at 256 positions, three eighths from 512 on. Normalized queries and keys
(Henry et al., "Query-key normalization for transformers", 2020) bound the scores by the root of their width, so
that compiled code need not find and subtract a maximum.

Shapes: N sequences of each head, S queries, T tokens, E width of a head.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

BLOCK, MOST_BLOCKS = 128, 4  # queries of a block; not more blocks, which would take long to compile
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


class Shares(torch.autograd.Function):
    """Softmax over the last dimension of scores that are at most some 80, beyond which exponentials overflow."""

    @staticmethod
    def forward(ctx: Any, scores: Tensor) -> Tensor:
        if torch.compiler.is_compiling():
            weights = scores.exp()
            shares = (weights / weights.sum(-1, keepdim=True, dtype=torch.float32)).to(scores.dtype)
        else:  # one kernel, which finds the maximum in passing
            shares = torch.softmax(scores, -1)
        ctx.save_for_backward(shares)
        return shares

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (shares,) = ctx.saved_tensors
        result: Tensor = torch.ops.aten._softmax_backward_data(gradients[0], shares, -1, shares.dtype)
        return result


def block_attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Causal attention of queries (N, T, E), scaled already, to keys and values (N, T, E)."""
    time = query.shape[1]
    size = max(BLOCK, math.ceil(time / MOST_BLOCKS))
    mixed, stop = [], 0
    for queries in torch.split(query, size, 1):
        start, stop = stop, stop + queries.shape[1]
        keys, values = (key, value) if stop == time else (key[:, :stop], value[:, :stop])
        scores: Tensor = Scores.apply(queries, keys)  # type: ignore[no-untyped-call]
        hidden = scores.new_full(scores.shape[1:], -math.inf).triu(start + 1)
        shares: Tensor = Shares.apply(scores + hidden)  # type: ignore[no-untyped-call]
        mixed.append(torch.bmm(shares, values))
    return mixed[0] if len(mixed) == 1 else torch.cat(mixed, 1)


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
