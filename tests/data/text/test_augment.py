"""Augmentation of tokens."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bessemer.data.config import AugmentConfig
from bessemer.data.text.augment import augment_tokens

Tokens = NDArray[np.int32]
MASK = 2
ALL = {"token_mask": 0.2, "token_delete": 0.2, "token_swap": 0.2, "span_corrupt": 0.2}


def batch(lengths: list[int], width: int) -> NDArray[np.int32]:
    out = np.zeros((len(lengths), width), np.int32)
    for i, length in enumerate(lengths):
        out[i, :length] = 10 + np.arange(length)
    return out


def run(
    tokens: NDArray[np.int32], epoch: int = 0, seed: int = 7, first: int = 0, **shares: Any
) -> NDArray[np.int32]:
    ids = np.arange(first, first + len(tokens), dtype=np.uint64) * np.uint64(2**40 + 7)
    epochs = np.full(len(tokens), epoch, np.int64)
    return augment_tokens(tokens, AugmentConfig(**shares), ids, epochs, seed, MASK)


def row(tokens: NDArray[np.int32]) -> list[int]:
    return [int(t) for t in tokens if t]


@given(st.lists(st.integers(1, 30), min_size=1, max_size=8), st.integers(0, 20), st.integers(0, 3))
def test_a_sample_depends_on_nothing_but_itself(lengths: list[int], padding: int, epoch: int) -> None:
    together = run(batch(lengths, max(lengths) + padding), epoch, **ALL)
    for i, length in enumerate(lengths):
        alone = run(batch([length], length), epoch, first=i, **ALL)
        assert row(alone[0]) == row(together[i])
        assert not together[i, len(row(together[i])) :].any()  # padding stands at the end


@given(st.lists(st.integers(1, 12), min_size=1, max_size=8), st.sampled_from(list(ALL)))
def test_a_token_stays_even_at_the_highest_share(lengths: list[int], name: str) -> None:
    out = run(batch(lengths, 12), **{name: 0.999})
    assert ((out != 0) & (out != MASK)).any(axis=1).all()
    everything = run(batch(lengths, 12), **dict.fromkeys(ALL, 0.999))
    assert ((everything != 0) & (everything != MASK)).any(axis=1).all()


TOKENS = batch([200] * 300, 200)


def test_masks() -> None:
    out = run(TOKENS, token_mask=0.3)
    assert out.shape == TOKENS.shape
    assert (out == MASK).mean() == pytest.approx(0.3, abs=0.01)
    assert (out[out != MASK] == TOKENS[out != MASK]).all()


def test_deletions_keep_the_order() -> None:
    out = run(TOKENS, token_delete=0.3)
    assert (out != 0).sum() / TOKENS.size == pytest.approx(0.7, abs=0.01)
    assert all((np.diff(row(tokens)) > 0).all() for tokens in out)
    assert out.shape[1] < 200


def test_swaps_move_tokens_by_one_place() -> None:
    out = run(TOKENS, token_swap=0.2)
    assert set(np.unique(np.abs(out - TOKENS)).tolist()) == {0, 1}
    assert (np.sort(out, axis=1) == TOKENS).all()
    assert (out != TOKENS).mean() == pytest.approx(0.2, abs=0.02)


def test_spans_have_mean_length_three_and_one_mask_each() -> None:
    out = run(TOKENS, span_corrupt=0.15)
    kept = ((out != 0) & (out != MASK)).sum()
    gone, spans = TOKENS.size - kept, (out == MASK).sum()
    assert gone / TOKENS.size == pytest.approx(0.15, abs=0.015)
    assert gone / spans == pytest.approx(3, abs=0.5)  # neighbors run together
    for tokens in out[:20]:
        assert (np.diff([t for t in row(tokens) if t != MASK]) > 0).all()
        assert not ((tokens[:-1] == MASK) & (tokens[1:] == MASK)).any() or Counter(row(tokens))[MASK] > 1


def test_keys() -> None:
    first = run(TOKENS, **ALL)
    assert np.array_equal(first, run(TOKENS.copy(), **ALL))
    for other in (run(TOKENS, epoch=1, **ALL), run(TOKENS, seed=8, **ALL), run(TOKENS, first=1, **ALL)):
        assert first.shape != other.shape or not np.array_equal(first, other)
    assert len({tuple(row(tokens)) for tokens in first}) == len(first)


def test_nothing_asked_or_nothing_there() -> None:
    assert run(TOKENS) is TOKENS
    assert run(np.zeros((2, 5), np.int32), **ALL).shape == (2, 1)
    assert run(np.zeros((0, 5), np.int32), **ALL).shape == (0, 5)
    assert run(batch([1, 1], 3), **ALL)[:, 0].tolist() == [10, 10]


def test_epochs_of_one_batch_may_differ() -> None:
    ids, config = np.arange(2, dtype=np.uint64), AugmentConfig(token_mask=0.5)
    out = augment_tokens(TOKENS[:2], config, ids, np.array([3, 4]), 7, MASK)
    for i, epoch in enumerate((3, 4)):
        alone = augment_tokens(TOKENS[:1], config, ids[i : i + 1], np.array([epoch]), 7, MASK)
        assert np.array_equal(alone[0], out[i])
