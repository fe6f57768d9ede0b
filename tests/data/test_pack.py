"""Sequence packing."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bessemer.data.pack import pack, pack_batch, pack_stream

LENGTHS = st.lists(st.integers(0, 16), max_size=40)


@given(LENGTHS, st.integers(16, 40))
def test_no_token_lost_or_doubled_and_none_crosses(lengths: list[int], capacity: int) -> None:
    width = max([*lengths, 1])
    tokens = np.zeros((len(lengths), width), np.int32)
    for i, length in enumerate(lengths):
        tokens[i, :length] = 1 + 100 * i + np.arange(length)
    rows, segments, positions = pack_batch(tokens, np.array(lengths, np.int64), capacity)
    assert rows.dtype == segments.dtype == positions.dtype == np.int32
    assert rows.shape == segments.shape == positions.shape == (len(rows), capacity)
    filled = segments >= 0
    assert sorted(rows[filled]) == sorted(tokens[tokens != 0])
    assert (rows[~filled] == 0).all()
    assert (rows[filled] == 1 + 100 * segments[filled] + positions[filled]).all()
    for i, length in enumerate(lengths):
        row, place = np.nonzero(segments == i)
        assert len(set(row.tolist())) <= 1
        assert place.tolist() == list(range(place[0], place[0] + length)) if length else len(place) == 0


@given(LENGTHS)
def test_rows_are_few_and_counted(lengths: list[int]) -> None:
    packing = pack(np.array(lengths, np.int64), 16)
    least = -(-sum(lengths) // 16)
    # First-fit of any order leaves at most one row half empty.
    assert packing.rows <= max(1, 2 * least) if lengths else packing.rows == 0
    assert packing.efficiency == pytest.approx(sum(lengths) / max(1, packing.rows * 16))
    used = np.bincount(packing.row, weights=packing.lengths, minlength=packing.rows)
    assert (used <= 16).all()


def test_by_hand() -> None:
    packing = pack(np.array([3, 7, 5, 5]), 10)
    assert packing.row.tolist() == [0, 0, 1, 1]
    assert packing.offset.tolist() == [7, 0, 0, 5]
    assert (packing.rows, packing.efficiency) == (2, 1.0)


def test_batches_of_512_are_fast_and_full() -> None:
    lengths = np.random.default_rng(0).integers(1, 257, 512)
    start = time.perf_counter()
    packing = pack(lengths, 256)
    assert time.perf_counter() - start < 0.5  # 3 ms when nothing else runs
    assert packing.efficiency > 0.95


def test_too_long() -> None:
    with pytest.raises(ValueError, match="0 to 8"):
        pack(np.array([9]), 8)


@given(LENGTHS, st.integers(1, 20))
def test_streams_keep_every_token_in_order(lengths: list[int], capacity: int) -> None:
    starts = np.cumsum([0, *lengths])
    documents = [np.arange(start, start + n, dtype=np.int32) for start, n in zip(starts, lengths, strict=False)]
    owner = np.repeat(np.arange(len(lengths)), lengths)
    rows = list(pack_stream(iter(documents), capacity))
    assert all(tokens.shape == segments.shape == (capacity,) for tokens, segments in rows)
    assert all((segments >= 0).all() for _, segments in rows[:-1])
    kept = [tokens[segments >= 0] for tokens, segments in rows]
    assert np.concatenate([np.empty(0, np.int32), *kept]).tolist() == list(range(sum(lengths)))
    for tokens, segments in rows:
        here = segments >= 0
        same_piece = segments[here][:-1] == segments[here][1:]
        same_document = owner[tokens[here]][:-1] == owner[tokens[here]][1:]
        assert (same_piece == same_document).all()


def test_streams_need_room() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        list(pack_stream([], 0))
