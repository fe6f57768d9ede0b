"""Choices are stratified by class and depend on each sample's id, not on the order of the files."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bessemer.data.config import SplitConfig
from bessemer.data.split import class_ranks, take_count, take_share
from bessemer.prepare.splits import choose_splits
from bessemer.prepare.staging import UNSET

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


# --- splits of staged rows ------------------------------------------------------------------------------


def staged(groups: np.ndarray, given_splits: np.ndarray | None = None) -> SimpleNamespace:
    unset = np.full(len(groups), UNSET, np.uint8)
    return SimpleNamespace(groups=groups, splits=unset if given_splits is None else given_splits)


def split_of(rows: SimpleNamespace, labels: np.ndarray, seed: int = 0, **shares: float) -> np.ndarray:
    every = np.arange(len(labels))
    return choose_splits(SplitConfig(**shares), rows, every, labels.astype(np.int32), seed)


@LAW
@given(sizes=st.lists(st.integers(3, 30), min_size=1, max_size=4), seed=SEEDS, data=st.data())
def test_groups_are_never_parted_and_every_class_is_in_every_split(sizes, seed, data):
    """Files of a class are cut into one to five parts each."""
    file_labels, file_ids = samples(sizes)
    parts = np.array(data.draw(st.lists(st.integers(1, 5), min_size=len(file_ids), max_size=len(file_ids))))
    order = np.random.default_rng(seed).permutation(parts.sum())
    groups, labels = np.repeat(file_ids, parts)[order], np.repeat(file_labels, parts)[order]
    split = split_of(staged(groups), labels, seed)
    of_group = {group: set(split[groups == group].tolist()) for group in file_ids}
    assert all(len(found) == 1 for found in of_group.values())
    for label, size in enumerate(sizes):
        counts = np.bincount([min(of_group[group]) for group in file_ids[file_labels == label]], minlength=3)
        test = min(max(round(0.2 * size), 1), size - 1)
        validation = min(max(round(0.1 * (size - test)), 1), size - test - 1)
        assert counts.tolist() == [size - test - validation, validation, test]


@LAW
@given(sizes=st.lists(st.integers(4, 30), min_size=1, max_size=4), seed=SEEDS, data=st.data())
def test_given_splits_are_kept(sizes, seed, data):
    labels, ids = samples(sizes)
    codes = st.lists(st.sampled_from([0, 1, 2, UNSET]), min_size=len(ids), max_size=len(ids))
    wanted = np.array(data.draw(codes), np.uint8)
    split = split_of(staged(ids, wanted), labels, seed)
    for code in (1, 2):
        assert (split[wanted == code] == code).all()
        if (wanted == code).any():
            assert (split == code).sum() == (wanted == code).sum()  # nothing is added
    if (wanted == 2).any() and (wanted == 1).any():
        assert (split[(wanted == 0) | (wanted == UNSET)] == 0).all()


def test_the_validation_split_is_taken_of_what_the_test_split_leaves():
    labels, ids = samples([100])
    split = split_of(staged(ids), labels, test=0.5, validation=0.2)
    assert np.bincount(split).tolist() == [40, 10, 50]


def test_only_the_rows_that_are_kept_are_split():
    labels, ids = samples([30, 20])
    rows = np.flatnonzero(np.arange(50) % 3 != 0)
    split = choose_splits(SplitConfig(), staged(ids), rows, labels.astype(np.int32), 0)
    alone = split_of(staged(ids[rows]), labels[rows])
    assert np.array_equal(split, alone)


@LAW
@given(sizes=st.lists(st.integers(3, 30), min_size=1, max_size=4), seed=SEEDS)
def test_splits_do_not_depend_on_the_order_of_the_files(sizes, seed):
    labels, ids = samples(sizes)
    order = np.random.default_rng(seed).permutation(len(ids))
    split = split_of(staged(ids), labels, seed)
    assert np.array_equal(split[order], split_of(staged(ids[order]), labels[order], seed))


# --- groups ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sizes", "low", "high"), [([4] * 20, 16, 16), ([1] * 40 + [5] * 8, 14, 18), ([30, 10, 10, 10], 10, 10)]
)
def test_a_share_of_groups_is_one_of_rows(sizes, low, high):
    sizes = np.array(sizes)
    for seed in range(5):
        ids = np.arange(len(sizes), dtype=np.uint64) * np.uint64(977)
        chosen = take_share(np.zeros(len(sizes), np.int64), ids, 0.2, seed, sizes)
        assert low <= sizes[chosen].sum() <= high


def test_groups_of_one_row_are_chosen_like_rows():
    labels, ids = np.arange(60) % 3, np.arange(60, dtype=np.uint64)
    plain = take_share(labels, ids, 0.2, 7)
    assert (take_share(labels, ids, 0.2, 7, np.ones(60, np.int64)) == plain).all()
    assert not take_share(np.zeros(2, np.int64), ids[:2], 0.9, 7, np.array([1, 3])).all()
