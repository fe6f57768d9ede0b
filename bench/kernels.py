"""Forward and backward passes of attention and of the loss, in the forms that training chooses between.

    python bench/kernels.py

The choices stand in model/attention.py (BLOCKS_UP_TO) and task/language.py (LARGE_VOCABULARY).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from tables import print_head, print_row
from torch import Tensor
from torch.nn import functional as F

from bessemer.measure.benchmark import interleave, speedup, summarize
from bessemer.model import attention
from bessemer.runtime import Runtime, available_threads, use
from bessemer.task.language.objective import linear_cross_entropy

TOKENS, HEADS, HEAD_WIDTH = 4096, 6, 64
LENGTHS, VOCABULARIES = (64, 128, 256, 512, 1024, 2048), (1024, 8192, 32_768)
WIDTH = 256


def passes(function: Callable[..., Tensor], leaves: list[Tensor], *others: Tensor) -> None:
    """Forward and back."""
    out = function(*leaves, *others)
    torch.autograd.grad(out, leaves, torch.ones_like(out))


def plain_loss(hidden: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
    """All logits at once."""
    return F.cross_entropy((hidden @ weight.T).float(), targets)


def row(name: str, reference: Callable[[], object], other: Callable[[], object], seconds: float = 3.0) -> None:
    """Two forms in turns; the ratio says how many times as fast the second is."""
    times = interleave({"reference": reference, "other": other}, seconds)
    ratio = speedup(times["reference"], times["other"])
    medians = [f"{summarize(taken)['median_ms']:.1f}" for taken in times.values()]
    print_row(name, *medians, f"{ratio['value']:.2f} ({ratio['low']:.2f} to {ratio['high']:.2f})")


def bench_kernels() -> None:
    """Attention by torch's kernel against written-out products in blocks; the loss plain against in chunks."""
    use(Runtime(threads=available_threads()))
    attention.BLOCKS_UP_TO = max(LENGTHS)
    title = f"attention, {TOKENS} tokens in {HEADS} heads of {HEAD_WIDTH}, both passes"
    print_head(title, "type and length", "kernel, ms", "blocks, ms", "times as fast (95%)")
    for length in LENGTHS:
        shape = (TOKENS // length, HEADS, length, HEAD_WIDTH)
        drawn = [F.rms_norm(torch.randn(shape), shape[-1:]) for _ in range(3)]
        inputs = [x.to(torch.bfloat16).requires_grad_() for x in drawn]
        forms = partial(F.scaled_dot_product_attention, is_causal=True), attention.causal_attention
        row(f"bf16, {length}", *(partial(passes, form, inputs) for form in forms))
    title = f"loss, {TOKENS} tokens of width {WIDTH}, both passes, fp32"
    print_head(title, "vocabulary", "plain, ms", "in chunks, ms", "times as fast (95%)")
    for vocabulary in VOCABULARIES:
        leaves = [torch.randn(size, WIDTH).mul(0.05).requires_grad_() for size in (TOKENS, vocabulary)]
        targets = torch.randint(vocabulary, (TOKENS,))
        forms = [partial(passes, form, leaves, targets) for form in (plain_loss, linear_cross_entropy)]
        row(f"{vocabulary:,}", *forms)


if __name__ == "__main__":
    bench_kernels()
