"""The rule that says which copy stays, case by case and as laws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bessemer.prepare import accounts
from bessemer.prepare.dedup.survivors import DUPLICATE, KEPT, LEAK, choose_survivors

LAW = settings(max_examples=150, deadline=None, derandomize=True)
TRAIN, VALIDATION, TEST, NONE = 0, 1, 2, 255


def choose(root, splits=None, labels=None, lengths=None):
    count = len(root)
    return choose_survivors(
        np.array(root, np.int64),
        np.array(splits or [NONE] * count, np.uint8),
        np.array(labels or [0] * count, np.int32),
        np.array(lengths or [1.0] * count, np.float32),
    )


def test_states_are_those_of_the_accounts():
    assert (KEPT, DUPLICATE, LEAK) == (accounts.KEPT, accounts.DUPLICATE, accounts.LEAK)


@pytest.mark.parametrize(
    ("case", "states", "survivors"),
    [
        ({"root": [0, 1, 2]}, [KEPT] * 3, [-1] * 3),
        ({"root": [0, 1, 0, 1]}, [KEPT, KEPT, DUPLICATE, DUPLICATE], [-1, -1, 0, 1]),  # the first
        ({"root": [0, 0, 0], "lengths": [1.0, 3.0, 2.0]}, [DUPLICATE, KEPT, DUPLICATE], [1, -1, 1]),  # the longest
        (  # the commonest label before the longest
            {"root": [0, 0, 0], "labels": [4, 5, 5], "lengths": [9.0, 1.0, 2.0]},
            [DUPLICATE, DUPLICATE, KEPT],
            [2, 2, -1],
        ),
        (  # rows without a label have no vote
            {"root": [0, 0, 0], "labels": [-1, -1, 5], "lengths": [9.0, 8.0, 1.0]},
            [DUPLICATE, DUPLICATE, KEPT],
            [2, 2, -1],
        ),
        (  # a tie of labels is decided by length
            {"root": [0, 0], "labels": [1, 7], "lengths": [1.0, 2.0]},
            [DUPLICATE, KEPT],
            [1, -1],
        ),
        ({"root": [0, 0], "splits": [TRAIN, TEST], "lengths": [9.0, 1.0]}, [LEAK, KEPT], [1, -1]),
        ({"root": [0, 0], "splits": [NONE, TEST]}, [LEAK, KEPT], [1, -1]),
        ({"root": [0, 0], "splits": [TRAIN, VALIDATION]}, [LEAK, KEPT], [1, -1]),
        ({"root": [0, 0], "splits": [VALIDATION, VALIDATION]}, [KEPT, DUPLICATE], [-1, 0]),
        ({"root": [0, 0], "splits": [TEST, TEST]}, [KEPT, KEPT], [-1, -1]),  # a given test split stays whole
        (
            {"root": [0] * 6, "splits": [TRAIN, VALIDATION, TEST, TEST, NONE, VALIDATION]},
            [LEAK, LEAK, KEPT, KEPT, LEAK, LEAK],
            [2, 2, -1, -1, 2, 2],
        ),
    ],
)
def test_the_rule_case_by_case(case, states, survivors):
    found = choose(**case)
    assert found.states.tolist() == states
    assert found.survivors.tolist() == survivors


def test_clusters_of_different_labels_are_listed_unknown_labels_aside():
    found = choose([0, 0, 2, 2, 4, 4, 6], labels=[1, 2, 3, -1, 5, 5, 6])
    assert (found.conflicting, found.conflicts) == (1, [[0, 1]])


def test_the_list_of_conflicts_is_short_however_many_there_are():
    found = choose([0] * 1000 + sorted(list(range(1000, 1100)) * 2), labels=[0, 1] * 600)
    assert found.conflicting > 20
    assert len(found.conflicts) == 20
    assert max(map(len, found.conflicts)) == 20


def test_no_rows_are_no_copies():
    found = choose([])
    assert len(found.states) == len(found.survivors) == found.conflicting == 0


CLUSTERS = st.lists(
    st.tuples(
        st.integers(0, 4), st.sampled_from([TRAIN, VALIDATION, TEST, NONE]), st.integers(-1, 2), st.integers(0, 3)
    ),
    min_size=1,
    max_size=25,
)


@LAW
@given(rows=CLUSTERS)
def test_the_rule_equals_its_plain_statement(rows):
    first: dict[int, int] = {}
    root = [first.setdefault(name, row) for row, (name, *_) in enumerate(rows)]
    _, splits, labels, lengths = map(list, zip(*rows, strict=True))
    found = choose(root, splits, labels, [float(one) for one in lengths])
    for name in set(root):
        members = [row for row, one in enumerate(root) if one == name]
        known = [labels[row] for row in members if labels[row] >= 0]
        best = min(
            members,
            key=lambda row: (
                {TEST: 0, VALIDATION: 1}.get(splits[row], 2),
                -(known.count(labels[row])),
                -lengths[row],
                row,
            ),
        )
        tested, validated = (
            TEST in [splits[row] for row in members],
            VALIDATION in [splits[row] for row in members],
        )
        for row in members:
            if row == best or splits[row] == TEST:
                assert (found.states[row], found.survivors[row]) == (KEPT, -1)
            else:
                leak = tested or (validated and splits[row] != VALIDATION)
                assert (found.states[row], found.survivors[row]) == (LEAK if leak else DUPLICATE, best)
