"""Attention in blocks against torch's kernel, values and gradients."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bessemer.model.attention import block_attention, causal_attention
from bessemer.train.memory.int8 import int8_activations, signal_to_noise

LENGTHS = [1, 3, 64, 128, 129, 300, 1024]
KINDS = ["random", "peaked", "shifted"]


def inputs(time: int, kind: str = "random", width: int = 64) -> list[Tensor]:
    """Normalized queries, normalized keys, values and a gradient: fp32 (2, 3, T, E)."""
    random = torch.Generator().manual_seed(time)
    query, key, value, gradient = (torch.randn(2, 3, time, width, generator=random) for _ in range(4))
    if kind == "peaked":  # every other query finds a key like itself
        key[..., ::2, :] = query[..., ::2, :] + 0.3 * key[..., ::2, :]
    if kind == "shifted":
        value += 4
    return [F.rms_norm(query, (width,)), F.rms_norm(key, (width,)), value, gradient]


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


def error(found: Tensor, right: Tensor) -> float:
    """Relative."""
    return float((found.double() - right).norm() / right.norm().clamp_min(1e-9))


@pytest.mark.parametrize("time", LENGTHS)
def test_blocks_are_torchs_attention_forward_and_back(time: int) -> None:
    for ours, torchs in zip(passes(in_blocks, *inputs(time)), passes(kernel, *inputs(time)), strict=True):
        torch.testing.assert_close(ours, torchs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("time", LENGTHS[1:])  # gradients of a single position's scores are zero: rounding is all
def test_in_bf16_they_round_little_more_than_torchs_kernel(time: int, kind: str) -> None:
    half = [x.bfloat16() for x in inputs(time, kind)]
    exact = passes(kernel, *(x.double() for x in half))
    both = zip(passes(causal_attention, *half), passes(kernel, *half), exact, strict=True)
    for ours, torchs, right in both:
        assert ours.dtype == torch.bfloat16
        assert error(ours, right) < 2.5 * error(torchs, right)


@pytest.mark.parametrize("kind", KINDS)
def test_compiled_code_rounds_as_little(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)  # its arithmetic, without the compiler
    test_in_bf16_they_round_little_more_than_torchs_kernel(200, kind)


@pytest.mark.parametrize("time", [64, 256])
def test_in_8_bits_gradients_of_sharp_attention_survive(time: int) -> None:
    query, key, value, gradient = (x.bfloat16() for x in inputs(time, "peaked"))
    exact = passes(causal_attention, query, key, value, gradient)

    def rounded(*leaves: Tensor) -> Tensor:
        with int8_activations(nn.Module(), smallest=0):
            return causal_attention(*leaves)

    for ours, right in zip(passes(rounded, query, key, value, gradient)[1:], exact[1:], strict=True):
        assert signal_to_noise(right, ours) > 20
    assert not torch.equal(passes(rounded, query, key, value, gradient)[1], exact[1])  # it did round


def test_the_largest_scores_of_normalized_queries_pass() -> None:
    width = 1024  # scores from -32 to 32: exponentials far beyond fp16
    signs = torch.tensor([1.0, -1.0, 1.0, -1.0])[:, None].expand(1, 1, 4, width).bfloat16()
    exact = passes(kernel, *[signs.double()] * 4)
    for ours, right in zip(passes(causal_attention, *[signs] * 4), exact, strict=True):
        assert ours.isfinite().all()
        torch.testing.assert_close(ours.double(), right, rtol=0.02, atol=0.02)


def test_an_empty_batch_passes_and_long_sequences_take_the_kernel() -> None:
    empty = torch.empty(0, 3, 130, 16, dtype=torch.bfloat16)
    assert causal_attention(empty, empty, empty).shape == empty.shape
    half = [x.bfloat16() for x in inputs(1025)[:3]]
    assert torch.equal(causal_attention(*half), kernel(*half))
