"""Generation with kept keys and values says what a model without memory says."""

from __future__ import annotations

import pytest
import torch

from bessemer.model.generate import choose, generate
from bessemer.model.gpt.network import GPT, Cache

CONTEXT, VOCABULARY = 12, 30


@pytest.fixture(scope="module", params=[0, 4], ids=["plain", "with a convolution"])
def model(request: pytest.FixtureRequest) -> GPT:
    torch.manual_seed(0)
    network = GPT(VOCABULARY, 16, 2, 2, 32, 0.1, CONTEXT, request.param).eval()
    with torch.no_grad():  # far from uniform, so that the likeliest token is clear
        network.tokens.weight.mul_(20)
        for block in network.blocks:
            for layer in (block.attention.query_key_value, block.attention.out, block.up, block.down):
                layer.weight.mul_(10)
    return network


def beginning(length: int, batch: int = 2) -> torch.Tensor:
    return torch.randint(0, VOCABULARY, (batch, length), generator=torch.Generator().manual_seed(length))


@torch.no_grad()
def test_cached_logits_are_those_of_a_whole_pass(model: GPT) -> None:
    tokens = beginning(CONTEXT)
    caches = [Cache() for _ in model.blocks]
    parts = [model.head(model.features(part, caches)) for part in tokens.split([5, 1, 4, 2], 1)]
    assert torch.allclose(torch.cat(parts, 1), model(tokens), atol=1e-5)


@torch.no_grad()
def test_the_likeliest_tokens_are_those_of_whole_passes(model: GPT) -> None:
    tokens = beginning(4)
    whole = tokens
    for _ in range(CONTEXT - 4):
        whole = torch.cat([whole, model(whole)[:, -1].argmax(1, keepdim=True)], 1)
    assert torch.equal(generate(model, tokens, CONTEXT - 4, temperature=0), whole[:, 4:])


@torch.no_grad()
def test_past_the_context_the_newer_half_is_read_again(model: GPT) -> None:
    tokens = beginning(3)
    every = tokens
    read = tokens
    for _ in range(3 * CONTEXT):
        said = model(read)[:, -1].argmax(1, keepdim=True)
        every = torch.cat([every, said], 1)
        read = every[:, -CONTEXT // 2 :] if read.shape[1] == CONTEXT else torch.cat([read, said], 1)
    assert torch.equal(generate(model, tokens, 3 * CONTEXT, temperature=0), every[:, 3:])


def test_of_a_long_beginning_the_end_is_read(model: GPT) -> None:
    tokens = beginning(3 * CONTEXT)
    assert torch.equal(
        generate(model, tokens, 5, temperature=0), generate(model, tokens[:, -CONTEXT:], 5, temperature=0)
    )


def test_the_seed_decides(model: GPT) -> None:
    one, same, other = (generate(model, beginning(4), 20, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert one.shape == (2, 20)


def test_top_k_draws_among_the_likeliest() -> None:
    logits = torch.arange(10.0).repeat(200, 1)
    drawn = choose(logits, 5.0, 3, torch.Generator().manual_seed(0))
    assert set(drawn.flatten().tolist()) == {7, 8, 9}
    assert set(choose(logits, 5.0, None, torch.Generator().manual_seed(0)).flatten().tolist()) > {6, 7, 8, 9}
