"""When near copies are no copies: a class would lose most of itself, or their labels differ."""

from __future__ import annotations

import numpy as np
import pytest

from bessemer.prepare.dedup.doubt import doubt

NAMES = ["good", "bad"]


def asked(clusters: list[list[int]], labels: list[int]) -> str:
    """What is said of rows that are all different but for these clusters of near copies."""
    root = np.arange(len(labels))
    for rows in clusters:
        root[rows] = rows[0]
    return doubt(root, np.arange(len(labels)), np.array(labels, np.int32), NAMES)


@pytest.mark.parametrize(("alike", "said"), [(8, ""), (9, ""), (10, "'good' would lose 9 of its 16 samples")])
def test_a_class_that_would_lose_more_than_half(alike, said):
    assert asked([list(range(alike))], [0] * 16 + [1] * 16) == said


def test_few_samples_say_nothing():
    assert asked([list(range(6))], [0] * 6 + [1] * 30) == ""


def test_exact_copies_do_not_count():
    labels = np.zeros(20, np.int32)
    assert doubt(np.zeros(20, np.int64), np.zeros(20, np.int64), labels, NAMES) == ""


def test_near_copies_whose_labels_differ():
    pairs = [[i, 20 + i] for i in range(9)]
    assert asked(pairs, [0] * 20 + [1] * 20) == "9 of 9 have another label than what they are like"
    same = [[i, i + 1] for i in range(0, 18, 2)]
    assert asked(same, [0] * 20 + [1] * 20) == ""
    assert asked(same + pairs[19:], [0] * 20 + [-1] * 20) == ""
