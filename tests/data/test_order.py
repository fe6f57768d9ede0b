"""The order of samples is arithmetic: every sample once an epoch, the same for any number of ranks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bessemer.data.order import BLOCK, Order, doubling_phases, permute
from bessemer.draws import Stream, chained, key

LAW = settings(max_examples=40, deadline=None, derandomize=True)
SEEDS = st.integers(0, 2**32 - 1)


@LAW
@given(n=st.integers(1, 3000), seed=SEEDS)
def test_permute_is_a_bijection(n, seed):
    out = permute(np.arange(n), n, chained(seed))
    assert out.dtype == np.int64
    assert np.array_equal(np.sort(out), np.arange(n))


@LAW
@given(n=st.integers(2, 3000), seed=SEEDS, data=st.data())
def test_a_sample_s_place_does_not_depend_on_what_else_is_asked(n, seed, data):
    some = np.array(data.draw(st.lists(st.integers(0, n - 1), min_size=1, max_size=20)))
    assert np.array_equal(permute(some, n, chained(seed)), permute(np.arange(n), n, chained(seed))[some])


@LAW
@given(n=st.integers(1, 60), batch_size=st.integers(1, 100), seed=SEEDS, epochs=st.integers(1, 4))
def test_each_sample_stands_once_in_every_epoch_and_batches_run_over_its_edge(n, batch_size, seed, epochs):
    order = Order(n, batch_size, seed)
    batches = [order.batch(step) for step in range(order.steps(epochs))]
    assert all(len(positions) == batch_size for positions, _ in batches)
    positions, when = np.concatenate([b[0] for b in batches]), np.concatenate([b[1] for b in batches])
    assert np.array_equal(when, np.sort(when))
    for epoch in range(epochs):
        assert np.array_equal(np.sort(positions[when == epoch]), np.arange(n))


@LAW
@given(n=st.integers(1, 500), share=st.integers(1, 16), seed=SEEDS, step=st.integers(0, 10**6))
def test_any_number_of_ranks_shares_the_same_global_batch_in_order(n, share, seed, step):
    order = Order(n, share * 4, seed)
    whole = order.batch(step)
    for world in (1, 2, 4):
        parts = [order.batch(step, rank, world) for rank in range(world)]
        assert {len(part[0]) for part in parts} == {share * 4 // world}
        for index in (0, 1):
            assert np.array_equal(np.concatenate([part[index] for part in parts]), whole[index])


@LAW
@given(n=st.integers(20, 3000), seed=SEEDS)
def test_seeds_and_epochs_differ(n, seed):
    order, other = Order(n, n, seed), Order(n, n, seed + 1)
    first, second = order.batch(0)[0], order.batch(1)[0]
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, other.batch(0)[0])


@pytest.mark.parametrize("place", [0, 4, 9])
def test_what_stands_at_a_place_is_roughly_uniform_over_seeds(place):
    """Chi-square with 9 degrees of freedom; a fair shuffle exceeds 40 once in 100,000 times."""
    n, trials = 10, 2000
    found = [int(permute(np.array([place]), n, chained(seed, 0))[0]) for seed in range(trials)]
    counts = np.bincount(found, minlength=n)
    assert ((counts - trials / n) ** 2 / (trials / n)).sum() < 40


def test_neighbors_are_not_kept_together():
    out = permute(np.arange(1000), 1000, chained(5))
    assert np.mean(np.abs(np.diff(out)) == 1) < 0.02


def test_a_billion_samples_need_no_stored_permutation():
    order = Order(10**9, 64, seed=3)
    last = order.steps(1) - 1
    positions, epochs = order.batch(last)
    assert positions.min() >= 0
    assert positions.max() < 10**9
    assert len(np.unique(positions)) == 64
    assert set(epochs) == {0}
    assert set(order.batch(last + 1)[1]) == {1}


@pytest.mark.parametrize(
    ("n", "batch_size", "epochs", "steps"), [(10, 5, 2, 4), (10, 4, 1, 3), (10, 4, 0.1, 1), (3, 100, 1, 1)]
)
def test_steps_are_rounded_up_and_at_least_one(n, batch_size, epochs, steps):
    assert Order(n, batch_size, 0).steps(epochs) == steps


@pytest.mark.parametrize(("n", "batch_size"), [(0, 1), (1, 0), (-1, 1)])
def test_an_empty_order_is_refused(n, batch_size):
    with pytest.raises(ValueError, match="at least one sample"):
        Order(n, batch_size, 0)


def test_batches_over_the_edges_of_blocks_and_epochs_are_those_of_single_places():
    n, batch_size = 2 * BLOCK + 5, BLOCK - 3
    order = Order(n, batch_size, 7)
    for step in (0, 5, 1, 4):  # in any order, also of blocks that were let go
        positions, epochs = order.batch(step)
        places = np.arange(step * batch_size, (step + 1) * batch_size)
        assert np.array_equal(epochs, places // n)
        for epoch in np.unique(epochs):
            here = epochs == epoch
            expected = permute(places[here] % n, n, key(Stream.ORDER, 7, int(epoch)))
            assert np.array_equal(positions[here], expected)


# --- batches that grow ----------------------------------------------------------------------------------

PHASES = st.lists(st.tuples(st.integers(1, 6), st.integers(1, 8).map(lambda size: 4 * size)), max_size=4)


@LAW
@given(n=st.integers(1, 300), share=st.integers(1, 8), phases=PHASES, seed=SEEDS)
def test_growing_batches_read_the_same_endless_order_in_other_pieces(n, share, phases, seed):
    order, plain = Order(n, 4 * share, seed, phases), Order(n, 1, seed)
    sizes = [size for count, size in phases for _ in range(count)] + [4 * share] * 3
    start = 0
    for step, size in enumerate(sizes):
        assert (order.size(step), order.offset(step)) == (size, start)
        expected = [plain.batch(place) for place in range(start, start + size)]
        for index in (0, 1):
            assert np.array_equal(order.batch(step)[index], np.concatenate([one[index] for one in expected]))
        start += size


@LAW
@given(n=st.integers(1, 60), batch_size=st.integers(1, 40), phases=PHASES, seed=SEEDS, epochs=st.floats(0.1, 4))
def test_with_growing_batches_each_sample_stands_once_in_every_epoch(n, batch_size, phases, seed, epochs):
    order = Order(n, batch_size, seed, phases)
    steps = order.steps(epochs)
    assert order.offset(steps) >= epochs * n - 1e-6
    assert steps == 1 or order.offset(steps - 1) < epochs * n
    batches = [order.batch(step) for step in range(steps)]
    positions, when = (np.concatenate([batch[index] for batch in batches]) for index in (0, 1))
    for epoch in range(int(epochs)):
        assert np.array_equal(np.sort(positions[when == epoch]), np.arange(n))


@LAW
@given(n=st.integers(1, 500), share=st.integers(1, 16), phases=PHASES, seed=SEEDS, step=st.integers(0, 40))
def test_growing_batches_are_shared_in_order_by_any_number_of_ranks(n, share, phases, seed, step):
    order = Order(n, share * 4, seed, phases)
    for index in (0, 1):
        for world in (2, 4):
            parts = [order.batch(step, rank, world)[index] for rank in range(world)]
            assert np.array_equal(np.concatenate(parts), order.batch(step)[index])


@LAW
@given(samples=st.floats(1, 1e6), level=st.integers(1, 64), doublings=st.integers(1, 8))
def test_doubling_phases_spend_even_shares_of_the_samples(samples, level, doublings):
    batch_size = level << doublings
    phases = doubling_phases(samples, batch_size, doublings)
    assert [size for _, size in phases] == [level << turn for turn in range(doublings)]
    for count, size in phases:
        assert count >= 1
        assert count == 1 or abs(count * size - samples / doublings) <= size / 2


def test_a_phase_without_batches_is_refused():
    with pytest.raises(ValueError, match="at least one sample"):
        Order(10, 4, 0, [(0, 2)])
