"""Lines repeated over documents."""

from __future__ import annotations

import pickle
import random

import numpy as np
import pytest

from bessemer.data.text import boilerplate
from bessemer.data.text.boilerplate import LineCounter, drop_lines, line_hash, line_hashes

LICENSE = "Licensed under the Apache License, Version 2.0 (the License)"


def test_hashes_are_fixed_and_alike_for_lines_alike() -> None:
    assert line_hash("  Copyright 2019  The Authors of it") == line_hash("copyright 2024 the authors OF it")
    assert line_hash("short line") is None
    assert line_hash("-" * 60) is None
    hashes = line_hashes(f"{LICENSE}\n{LICENSE}\nx\nAnother line, also long enough")
    assert hashes.dtype == np.uint64
    assert len(hashes) == 2
    assert (np.diff(hashes.astype(object)) > 0).all()


def documents(n: int, share: float) -> list[str]:
    rng = random.Random(0)
    marked = set(rng.sample(range(n), int(n * share)))
    return [
        "\n".join(
            [LICENSE] * (i in marked)
            + [f"own line of document {rng.choices('abcdefghij', k=30)}" for _ in range(5)]
        )
        for i in range(n)
    ]


@pytest.mark.parametrize(("share", "found"), [(0.25, True), (0.15, False)])
@pytest.mark.parametrize("at_once", [1, 100, 10**6])
def test_lines_from_a_share_on(share: float, found: bool, at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boilerplate, "AT_ONCE", at_once)
    counter = LineCounter(0.2)
    for text in documents(400, share):
        counter.add(line_hashes(text))
    assert counter.documents == 400
    assert counter.repeated() == ([line_hash(LICENSE)] if found else [], 0)


def test_fewer_than_ten_documents_are_not_enough() -> None:
    counter = LineCounter(0.2)
    for _ in range(9):
        counter.add(line_hashes(LICENSE))
    assert counter.repeated() == ([], 0)
    counter.add(line_hashes(LICENSE))
    assert counter.repeated() == ([line_hash(LICENSE)], 0)


def test_order_and_candidates_stay_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boilerplate, "MOST_CANDIDATES", 3)
    texts = documents(200, 0.5)
    forward, backward = LineCounter(0.2), LineCounter(0.2)
    for text in texts:
        forward.add(line_hashes(text))
    for text in reversed(texts):
        backward.add(line_hashes(text))
    assert forward.repeated() == backward.repeated() == ([line_hash(LICENSE)], 0)
    assert len(pickle.dumps(forward._candidates)) < 200


def test_drops_long_lines_and_runs_but_not_telling_lines() -> None:
    nav = ["Home and the latest news", "About us and our people", "Contact and directions"]
    telling = "import unittest.mock as mock"
    repeated = frozenset(h for line in [LICENSE, *nav, telling] if (h := line_hash(line)) is not None)
    text = "\n".join([LICENSE.upper(), "body", telling, "more", nav[0], "", nav[1], nav[2], "end", nav[0]])
    assert drop_lines(text, repeated).split("\n") == ["body", telling, "more", "", "end", nav[0]]
    assert drop_lines(text, frozenset()) == text
