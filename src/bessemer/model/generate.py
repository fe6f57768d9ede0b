"""Text that goes on: one token after the other, drawn from what a decoder says.

The decoder reads its beginning once and keeps keys and values of all it has read, so a new token costs one
position. Where its context is full, it forgets the older half, reads the newer half again from the start of its
positions, and goes on: each position is read about twice, whatever the length.
"""

from __future__ import annotations

import torch
from torch import Tensor

from bessemer.model.gpt.network import GPT, Cache


@torch.no_grad()
def generate(
    model: GPT, tokens: Tensor, count: int, *, temperature: float = 1.0, top_k: int | None = None, seed: int = 0
) -> Tensor:
    """`count` tokens int64 (B, count) that follow `tokens` int (B, T), T at least 1.

    Of a beginning longer than the model's context its end is read. `temperature` 0 takes the likeliest token,
    `top_k` draws among so many. The same seed, model and beginning give the same tokens.
    """
    model.eval()
    generator = torch.Generator(tokens.device).manual_seed(seed)
    every = tokens.to(torch.int64)
    read = every[:, -model.context :]
    caches: list[Cache] = []
    for _ in range(count):
        if not caches:
            caches = [Cache() for _ in model.blocks]
        logits = model.head(model.features(read, caches)[:, -1])
        chosen = choose(logits, temperature, top_k, generator)
        every, read = torch.cat([every, chosen], 1), chosen
        if held(caches) == model.context:
            read, caches = every[:, -max(1, model.context // 2) :], []
    return every[:, tokens.shape[1] :]


def held(caches: list[Cache]) -> int:
    """Positions that the caches hold."""
    keys = caches[0].keys
    return 0 if keys is None else int(keys.shape[2])


def choose(logits: Tensor, temperature: float, top_k: int | None, generator: torch.Generator) -> Tensor:
    """A token (B, 1) for each row of logits (B, V)."""
    if temperature == 0:
        return logits.argmax(1, keepdim=True)
    logits = logits.float() / temperature
    if top_k is not None and top_k < logits.shape[1]:
        least = logits.topk(top_k, 1).values[:, -1:]
        logits = logits.masked_fill(logits < least, -torch.inf)
    return torch.multinomial(logits.softmax(1), 1, generator=generator)
