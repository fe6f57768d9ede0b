"""Prepared samples on disk against plain arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bessemer.artifact import file_digest
from bessemer.data import rows
from bessemer.data.rows import FixedRows, RaggedRows, View, positions, write_fixed, write_ragged
from bessemer.errors import ArtifactError

IMAGES = np.random.default_rng(0).integers(0, 256, (23, 4, 3, 1), np.uint8)
TOKENS = [np.arange(1, n + 1) for n in (3, 1, 7, 2, 5, 0, 4)]
SMALL = 60 / 2**20  # five images of 12 bytes


@pytest.fixture
def images(tmp_path: Path) -> FixedRows:
    blocks = (IMAGES[start : start + 4] for start in range(0, 23, 4))
    return FixedRows(tmp_path, write_fixed(tmp_path, "inputs", blocks, (4, 3, 1), "|u1", SMALL))


@pytest.fixture
def tokens(tmp_path: Path) -> RaggedRows:
    return RaggedRows(tmp_path, write_ragged(tmp_path, "inputs", TOKENS, "<u2", 3))


def test_shards_are_of_equal_size_but_the_last(images: FixedRows) -> None:
    assert [shard.rows for shard in images.shards] == [5, 5, 5, 5, 3]
    assert images.shape == (23, 4, 3, 1)


@pytest.mark.parametrize(
    "index", [slice(2, 19), slice(None), slice(20, 2, -3), [4, 4, 22, 0], np.arange(23) % 2 == 0]
)
def test_rows_are_read_as_from_an_array(images: FixedRows, index: object) -> None:
    np.testing.assert_array_equal(images[index], IMAGES[index])
    np.testing.assert_array_equal(View(images, np.arange(23))[index], IMAGES[index])


def test_one_row_is_read_as_from_an_array(images: FixedRows) -> None:
    np.testing.assert_array_equal(images[7], IMAGES[7])
    np.testing.assert_array_equal(images[-1], IMAGES[-1])


@given(st.lists(st.integers(0, 22), min_size=1, max_size=40))
def test_a_view_of_a_view_is_one_choice_after_the_other(chosen: list[int]) -> None:
    view = View(View(IMAGES, np.arange(22, -1, -1)), np.array(chosen))
    np.testing.assert_array_equal(np.asarray(view), IMAGES[::-1][chosen])
    assert len(view) == len(list(view)) == len(chosen)


def test_few_mapped_shards_give_the_same_rows(images: FixedRows) -> None:
    images.most_open = 1
    np.testing.assert_array_equal(images[:], IMAGES)
    assert len(images._open) == 1


def test_few_mapped_shards_give_the_same_ragged_rows(tokens: RaggedRows) -> None:
    tokens.most_open = 1
    assert [tokens.values(i).tolist() for i in range(7)] == [one.tolist() for one in TOKENS]
    assert len(tokens._open) == 1


def test_ragged_rows_are_padded_with_zeros_to_the_longest(tokens: RaggedRows) -> None:
    found = tokens[[2, 5, 0]]
    assert found.tolist() == [[1, 2, 3, 4, 5, 6, 7], [0] * 7, [1, 2, 3, 0, 0, 0, 0]]
    assert tokens.lengths(slice(None)).tolist() == [len(one) for one in TOKENS]
    assert tokens[5:6].shape == (1, 1)  # never without a column


@given(st.lists(arrays(np.uint16, st.integers(0, 9)), min_size=1, max_size=20), st.integers(1, 5))
def test_no_value_is_lost_or_doubled(
    tmp_path_factory: pytest.TempPathFactory, samples: list, capacity: int
) -> None:
    folder = tmp_path_factory.mktemp("ragged")
    rows = RaggedRows(folder, write_ragged(folder, "inputs", samples, "<u2", capacity))
    assert len(rows) == len(samples)
    for i, sample in enumerate(samples):
        np.testing.assert_array_equal(rows.values(i), sample)


@pytest.mark.faults
@pytest.mark.parametrize("damage", ["flip", "cut", "remove"])
def test_a_shard_that_was_changed_is_refused(images: FixedRows, damage: str) -> None:
    path = images.folder / images.shards[2].file
    raw = bytearray(path.read_bytes())
    if damage == "flip":
        raw[17] ^= 4
        path.write_bytes(raw)
    elif damage == "cut":
        path.write_bytes(raw[:-1])
    else:
        path.unlink()
    assert images[0].shape == (4, 3, 1)  # the others can be read
    with pytest.raises(ArtifactError, match=r"00002\.bin.*SHA-256"):
        images[12]


def test_an_index_of_any_kind_is_positions() -> None:
    assert positions(slice(1, 7, 2), 5).tolist() == [1, 3]
    assert positions([-1, 0], 5).tolist() == [4, 0]
    assert positions(np.array([True, False, True]), 3).tolist() == [0, 2]


def test_a_shard_is_hashed_once_in_a_process_and_again_when_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[Path] = []

    def digest(path: Path) -> str:
        hashed.append(path)
        return file_digest(path)

    monkeypatch.setattr(rows, "file_digest", digest)
    about = write_fixed(tmp_path, "inputs", [np.zeros((4, 2), np.uint8)], (2,), "|u1", 1.0)
    for _ in range(3):
        FixedRows(tmp_path, about)[0]
    (path,) = set(hashed)
    assert len(hashed) == 1
    path.write_bytes(b"\1" * path.stat().st_size)
    with pytest.raises(ArtifactError, match="its SHA-256 differs"):
        FixedRows(tmp_path, about)[0]
