"""Attention in blocks against torch's kernel, values and gradients."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from bessemer.model.attention import BlockAttention, blocks, causal_attention

LENGTHS = [1, 5, 128, 129, 300, 700]


def inputs(time: int, width: int = 16) -> list[Tensor]:
    """Normalized queries, normalized keys, values and a gradient: fp32 (2, 3, T, E)."""
    random = torch.Generator().manual_seed(time)
    drawn = [torch.randn(2, 3, time, width, generator=random) for _ in range(4)]
    return [F.rms_norm(x, (width,)) for x in drawn[:2]] + drawn[2:]


def passes(function: object, query: Tensor, key: Tensor, value: Tensor, gradient: Tensor) -> list[Tensor]:
    """What comes out, and the gradients of all three."""
    assert callable(function)
    leaves = [x.detach().requires_grad_() for x in (query, key, value)]
    out = function(*leaves)
    return [out.detach(), *torch.autograd.grad(out, leaves, gradient)]


def kernel(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    return F.scaled_dot_product_attention(query, key, value, is_causal=True)


def in_blocks(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """The function behind causal_attention in any type."""
    flat = [x.flatten(0, 1) for x in (query * query.shape[-1] ** -0.5, key, value)]
    mixed: Tensor = BlockAttention.apply(*flat)
    return mixed.view_as(query)


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


@given(st.integers(1, 3000))
def test_each_query_is_in_one_block_of_at_most_four(time: int) -> None:
    ranges = blocks(time)
    assert [query for start, stop in ranges for query in range(start, stop)] == list(range(time))
    assert len(ranges) <= 4
