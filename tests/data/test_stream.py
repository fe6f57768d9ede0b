"""A stream of tokens on disk, and its windows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bessemer.data.stream import IGNORED, ROW, Stream, Windows, write_stream
from bessemer.errors import ArtifactError

END = 9


def documents(count: int, seed: int = 0) -> list[np.ndarray]:
    generator = np.random.default_rng(seed)
    return [generator.integers(0, END, generator.integers(0, 700), dtype=np.int32) for _ in range(count)]


def expected(found: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.append([END], one) for one in found] + [np.array([END])])


@pytest.mark.parametrize("count", [0, 1, 12, 60])
def test_documents_stand_behind_each_other_between_ends(count: int, tmp_path: Path) -> None:
    found = documents(count)
    about = write_stream(tmp_path, "train", found, END, "<u2", ROW * 4 / 2**20)  # two rows a shard
    stream = Stream(tmp_path, about)
    assert np.array_equal(stream.read(0, 10**9), expected(found))
    assert about["tokens"] == stream.tokens == sum(map(len, found)) + count + 1
    assert len(about["shards"]) == -(-stream.tokens // (2 * ROW))
    assert np.array_equal(stream.read(2 * ROW - 3, 2 * ROW + 5), expected(found)[2 * ROW - 3 : 2 * ROW + 5])


@pytest.mark.parametrize("size", [7, 64, 100_000])
def test_windows_say_every_token_but_the_first_once(size: int, tmp_path: Path) -> None:
    found = documents(12)
    stream = Stream(tmp_path, write_stream(tmp_path, "test", found, END, "<i4", 1))
    inputs, targets = Windows(stream, size, 0, 0, "i4"), Windows(stream, size, 1, IGNORED, "i8")
    whole = expected(found)
    said = targets[:]
    assert len(inputs) == len(targets) == -(-(len(whole) - 1) // size)
    assert np.array_equal(said[said != IGNORED], whole[1:])
    assert np.array_equal(inputs[:][said != IGNORED], whole[:-1])
    assert inputs.shape == (len(inputs), size)
    assert np.array_equal(inputs[0], inputs[:1][0])
    assert np.array_equal(inputs[np.array([len(inputs) - 1, 0])], inputs[:][[-1, 0]])


def test_a_changed_shard_is_refused(tmp_path: Path) -> None:
    about = write_stream(tmp_path, "train", documents(12), END, "<u2", 1)
    path = tmp_path / about["shards"][0]["file"]
    raw = bytearray(path.read_bytes())
    raw[5] ^= 1
    path.write_bytes(raw)
    with pytest.raises(ArtifactError, match="SHA-256"):
        Stream(tmp_path, about).read(0, 3)
