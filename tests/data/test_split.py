"""Choices are stratified by class and depend on each sample's id, not on the order of the files."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bessemer.data.split import class_ranks, take_count, take_share

LAW = settings(max_examples=40, deadline=None, derandomize=True)
SIZES = st.lists(st.integers(2, 40), min_size=1, max_size=5)
SEEDS = st.integers(0, 2**32)


def samples(sizes: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Labels and distinct ids for classes of these sizes, mixed."""
    labels = np.repeat(np.arange(len(sizes)), sizes)
    rng = np.random.default_rng(sum(sizes))
    ids = rng.choice(2**40, len(labels), replace=False).astype(np.uint64)
    return rng.permutation(labels), ids


@LAW
@given(sizes=SIZES, share=st.floats(0.01, 0.99), seed=SEEDS)
def test_a_share_is_taken_of_every_class_at_least_one_and_never_all(sizes, share, seed):
    labels, ids = samples(sizes)
    chosen = take_share(labels, ids, share, seed)
    for label, size in enumerate(sizes):
        wanted = min(max(round(share * size), 1), size - 1)
        assert chosen[labels == label].sum() == wanted


@LAW
@given(sizes=SIZES, share=st.floats(0.01, 0.99), seed=SEEDS, shuffle=st.randoms(use_true_random=False))
def test_the_share_does_not_depend_on_the_order_of_the_files(sizes, share, seed, shuffle):
    labels, ids = samples(sizes)
    order = np.array(shuffle.sample(range(len(ids)), len(ids)))
    first = set(ids[take_share(labels, ids, share, seed)].tolist())
    assert first == set(ids[order][take_share(labels[order], ids[order], share, seed)].tolist())


def test_a_share_differs_by_seed():
    labels, ids = samples([50, 50])
    assert not np.array_equal(take_share(labels, ids, 0.5, 0), take_share(labels, ids, 0.5, 1))


def test_a_share_is_not_the_first_or_the_smallest_ids():
    labels, ids = np.zeros(1000, np.int64), np.arange(1000, dtype=np.uint64)
    chosen = np.flatnonzero(take_share(labels, ids, 0.5, 0))
    assert 440 < chosen.mean() < 560


def test_samples_of_one_class_do_not_change_the_choice_in_another():
    labels, ids = samples([30, 30])
    only = labels == 0
    assert np.array_equal(take_share(labels, ids, 0.3, 7)[only], take_share(labels[only], ids[only], 0.3, 7))


@LAW
@given(sizes=SIZES, seed=SEEDS, data=st.data())
def test_a_count_is_kept_exactly_in_ascending_positions(sizes, seed, data):
    labels, ids = samples(sizes)
    count = data.draw(st.integers(1, len(ids)))
    chosen = take_count(labels, ids, count, seed)
    assert len(np.unique(chosen)) == count
    assert np.array_equal(chosen, np.sort(chosen))


@pytest.mark.parametrize("seed", range(3))
def test_a_count_keeps_the_share_of_every_group(seed):
    labels, ids = samples([700, 200, 100])
    counts = np.bincount(labels[take_count(labels, ids, 50, seed)])
    assert np.abs(counts - [35, 10, 5]).max() <= 1


@LAW
@given(classes=st.integers(1, 8), each=st.integers(2, 30), seed=SEEDS, data=st.data())
def test_a_count_of_equal_groups_takes_equally_from_each(classes, each, seed, data):
    labels, ids = samples([each] * classes)
    count = data.draw(st.integers(1, each * classes))
    counts = np.bincount(labels[take_count(labels, ids, count, seed)], minlength=classes)
    assert counts.max() - counts.min() <= 1


@LAW
@given(sizes=SIZES, seed=SEEDS)
def test_ranks_count_each_class_from_zero(sizes, seed):
    labels, ids = samples(sizes)
    ranks, found = class_ranks(labels, ids, seed)
    for label, size in enumerate(sizes):
        assert sorted(ranks[labels == label]) == list(range(size))
        assert set(found[labels == label]) == {size}
