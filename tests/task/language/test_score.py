"""Bits per byte from windows of a stream."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from bessemer.data.dataset import Samples
from bessemer.data.stream import IGNORED, Stream, Windows, write_stream
from bessemer.task.language.score import Scores, score, some_windows, summary

END = 5
LENGTHS = np.array([0, 1, 2, 3, 4, 0])


def windows(folder: Path, documents: list[list[int]], size: int) -> Samples:
    stream = Stream(
        folder, write_stream(folder, "test", [np.array(one, np.int32) for one in documents], END, "<u2", 1)
    )
    inputs, targets = Windows(stream, size, 0, 0, "i4"), Windows(stream, size, 1, IGNORED, "i8")
    return Samples(inputs, targets, np.arange(len(inputs), dtype=np.uint64))  # type: ignore[arg-type]


def nats(inputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """A made-up cost that tells where it was asked: the target, and a hundredth of the token before."""
    return np.where(targets >= 0, targets + inputs / 100, 1e9)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 100])
def test_costs_and_bytes_fall_to_their_documents_however_windows_lie(size: int, tmp_path: Path) -> None:
    documents = [[1, 2, 3], [4], [2, 2, 1, 4, 3]]
    found = score(nats, windows(tmp_path, documents, size), LENGTHS, END)
    for number, one in enumerate(documents):
        chain = [END, *one, END]
        cost = sum(after + before / 100 for before, after in pairwise(chain))
        assert found.nats[number] == pytest.approx(cost)
        assert found.bytes[number] == sum(LENGTHS[one])
    assert found.tokens == 12
    assert found.bits_per_byte == pytest.approx(found.nats.sum() / math.log(2) / 22)


def test_a_document_without_bytes_costs_for_the_one_before(tmp_path: Path) -> None:
    found = score(nats, windows(tmp_path, [[1], [], [2]], 2), LENGTHS, END)
    assert found.bytes.tolist() == [1, 2]
    assert found.nats.sum() == pytest.approx(1 + 2 + 3 * END + (2 * END + 1 + 2 + END) / 100)


def test_the_interval_is_over_documents() -> None:
    generator = np.random.default_rng(0)
    many = Scores(generator.normal(200, 20, 400), np.full(400, 100), 1)
    few = Scores(many.nats[:10], many.bytes[:10], 1)
    wide, narrow = summary(few), summary(many)
    assert narrow["low"] < narrow["value"] < narrow["high"]
    assert wide["high"] - wide["low"] > 3 * (narrow["high"] - narrow["low"])
    assert summary(many) == narrow
    assert summary(Scores(many.nats[:1], many.bytes[:1], 1)).keys() == {"value"}


def test_some_windows_are_evenly_spread(tmp_path: Path) -> None:
    every = windows(tmp_path, [[1, 2, 3, 4] * 50], 4)
    some = some_windows(every, 40)
    assert some.inputs.shape == (10, 4)
    assert np.array_equal(some.inputs[0], every.inputs[0])
    assert np.array_equal(some.inputs[-1], every.inputs[len(every) - 1])
    assert len(some_windows(every, 10**9)) == len(every)
