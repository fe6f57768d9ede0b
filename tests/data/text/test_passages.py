"""Texts that share long passages are found; forms that all share, and chance, are not."""

from __future__ import annotations

import numpy as np
import pytest

from bessemer.data.text.passages import WINDOW, share_passages, windows

LETTERS = np.array(list("aeioudgklmnprst"))
FORM = "to be signed by all who come into the office of the town before the end of the month. " * 20


@pytest.fixture(scope="module")
def works() -> list[str]:
    rng = np.random.default_rng(0)
    words = ["".join(one) for one in rng.choice(LETTERS, (2000, 6))]
    return [" ".join(rng.choice(words, 1500)) for _ in range(30)]


def pairs(texts: list[str]) -> list[list[int]]:
    return share_passages((text.encode() for text in texts), sum(map(len, texts))).tolist()


def test_works_of_their_own_share_nothing(works):
    assert pairs(works) == []
    assert pairs([]) == []
    assert pairs(["short"] * 3) == []


def test_two_editions_of_one_work_are_a_pair(works):
    rng = np.random.default_rng(1)
    changed = [word.upper() if rng.random() < 0.1 else word for word in works[4].split()]
    changed = [word if rng.random() > 0.02 else "other" for word in changed]
    edition = "PREFACE.\n\n" + ",\n".join(changed)
    assert pairs([*works, edition]) == [[4, 30]]


def test_a_part_that_stands_in_a_longer_text_is_a_pair_with_it(works):
    assert pairs([*works, works[7][2000:6000]]) == [[7, 30]]


def test_a_quotation_is_none(works):
    assert pairs([*works[:10], works[10] + works[3][:300]]) == []


def test_a_form_that_all_share_says_nothing(works):
    assert pairs([FORM + work for work in works]) == []


def test_a_hash_depends_on_all_of_its_window_and_nothing_else():
    rng = np.random.default_rng(2)
    one = rng.integers(0, 256, WINDOW, np.uint8)
    line = np.concatenate([rng.integers(0, 256, 50, np.uint8), one, rng.integers(0, 256, 9, np.uint8)])
    (alone,) = windows(one)
    assert len(windows(line)) == len(line) - WINDOW + 1
    assert windows(line)[50] == alone
    for place in (0, WINDOW // 2, WINDOW - 1):
        other = one.copy()
        other[place] ^= 1
        assert windows(other)[0] != alone
