"""Mixtures by weight: each source as often as its weight says, the same on any number of workers."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bessemer.data.dataset import Batches, Samples
from bessemer.data.mixture import Mixture

SIZES = st.lists(st.integers(1, 20), min_size=1, max_size=4)


def sources_of(sizes: list[int], seed: int = 0) -> np.ndarray:
    sources = np.repeat(np.arange(len(sizes), dtype=np.uint8), sizes)
    return np.random.default_rng(seed).permutation(sources)


def epoch_of(mixture: Mixture, epoch: int) -> np.ndarray:
    places = np.arange(len(mixture))
    return mixture.positions(places, np.full(len(places), epoch))


@given(SIZES, st.integers(1, 3), st.integers(0, 5))
def test_whole_weights_show_every_sample_so_often(sizes: list[int], weight: int, epoch: int) -> None:
    mixture = Mixture(sources_of(sizes), [weight] * len(sizes), 7)
    assert set(Counter(epoch_of(mixture, epoch).tolist()).values()) == {weight}


@given(SIZES, st.floats(0.05, 3), st.integers(0, 5))
def test_a_weight_is_the_share_of_a_source(sizes: list[int], weight: float, epoch: int) -> None:
    sources = sources_of(sizes)
    weights = [weight, *[1.0] * (len(sizes) - 1)]
    found = Counter(sources[epoch_of(Mixture(sources, weights, 7), epoch)].tolist())
    assert found[0] == max(1, round(weight * sizes[0]))
    assert all(found[number] == size for number, size in enumerate(sizes) if number)


def test_a_fraction_shows_other_samples_in_each_epoch() -> None:
    mixture = Mixture(np.zeros(100, np.uint8), [0.3], 1)
    seen = [set(epoch_of(mixture, epoch).tolist()) for epoch in range(12)]
    assert all(len(one) == 30 for one in seen)
    assert len(set.union(*seen)) > 95


@pytest.mark.parametrize("world", [1, 2, 4])
def test_batches_of_a_mixture_do_not_depend_on_the_number_of_ranks(world: int) -> None:
    sources = sources_of([30, 10])
    samples = Samples(
        np.arange(40, dtype=np.uint8).reshape(40, 1, 1, 1), np.arange(40), np.arange(40, dtype=np.uint64), sources
    )
    batches = Batches(samples, 8, 3, weights=[1.0, 3.0])
    assert batches.order.n == 60
    alone = np.concatenate([batches.batch(step).ids for step in range(15)])
    shared = np.concatenate([batches.batch(step, rank, world).ids for step in range(15) for rank in range(world)])
    np.testing.assert_array_equal(alone, shared)
    first = Counter(sources[alone[:56].astype(int)].tolist())
    assert 20 < first[1] < 36  # half of them, spread over the epoch
