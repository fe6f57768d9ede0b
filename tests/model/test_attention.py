"""Attention in blocks against torch's kernel, values and gradients."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from bessemer.model.attention import block_attention, causal_attention

LENGTHS = [1, 5, 128, 129, 300, 700]


def inputs(time: int, width: int = 16) -> list[Tensor]:
    """Normalized queries, normalized keys, values and a gradient: fp32 (2, 3, T, E)."""
    random = torch.Generator().manual_seed(time)
    drawn = [torch.randn(2, 3, time, width, generator=random) for _ in range(4)]
    return [F.rms_norm(x, (width,)) for x in drawn[:2]] + drawn[2:]


def passes(
    function: Callable[..., Tensor], query: Tensor, key: Tensor, value: Tensor, gradient: Tensor
) -> list[Tensor]:
    """What comes out, and the gradients of all three."""
    leaves = [x.detach().requires_grad_() for x in (query, key, value)]
    out = function(*leaves)
    return [out.detach(), *torch.autograd.grad(out, leaves, gradient)]


def kernel(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    return F.scaled_dot_product_attention(query, key, value, is_causal=True)


def in_blocks(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """The function behind causal_attention in any type."""
    flat = [x.flatten(0, 1) for x in (query * query.shape[-1] ** -0.5, key, value)]
    return block_attention(*flat).view_as(query)


@pytest.mark.parametrize("time", LENGTHS)
def test_blocks_are_torchs_attention_forward_and_back(time: int) -> None:
    for ours, torchs in zip(passes(in_blocks, *inputs(time)), passes(kernel, *inputs(time)), strict=True):
        torch.testing.assert_close(ours, torchs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("time", LENGTHS[1:])  # a single position has gradients of zero: nothing to differ from
def test_in_bf16_they_differ_by_its_rounding(time: int) -> None:
    half = [x.bfloat16() for x in inputs(time)]
    exact = passes(kernel, *(x.float() for x in half))
    for ours, right in zip(passes(causal_attention, *half), exact, strict=True):
        assert ours.dtype == torch.bfloat16
        assert (ours.float() - right).norm() <= 0.01 * right.norm()


def test_the_largest_scores_of_normalized_queries_pass() -> None:
    width = 1024  # scores of 32 at most: their exponentials are far beyond fp16
    same = torch.ones(1, 1, 4, width, dtype=torch.bfloat16)
    for result in passes(causal_attention, same, same, same, same):
        assert result.isfinite().all()


def test_second_derivatives_are_torchs() -> None:
    query, key, value, gradient = inputs(140)

    def curvature(function: Callable[..., Tensor]) -> Tensor:
        leaf = key.detach().requires_grad_()
        (first,) = torch.autograd.grad(function(query, leaf, value), leaf, gradient, create_graph=True)
        return torch.autograd.grad(first.square().sum(), leaf)[0]

    def written_out(
        query: Tensor, key: Tensor, value: Tensor
    ) -> Tensor:  # torch's kernel has no second derivative
        scores = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5
        seen = torch.ones(scores.shape[-2:], dtype=torch.bool).tril()
        return torch.softmax(scores.masked_fill(~seen, -torch.inf), -1) @ value

    torch.testing.assert_close(curvature(in_blocks), curvature(written_out), rtol=1e-3, atol=1e-4)
