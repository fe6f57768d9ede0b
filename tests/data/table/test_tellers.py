"""Columns that tell the target alone are named; strong ones are not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bessemer.data.record import Raw
from bessemer.data.table.cleaner import TableCleaner
from bessemer.data.table.tellers import NOTE, ROWS, Sample

N = 400


def notes(columns: dict[str, Any], labels: Any) -> dict[str, str]:
    """What is said of the columns of a table."""
    cleaner = TableCleaner({})
    rows = [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
    raws = [
        Raw("t.csv", f"row {i}", str(label), "", row)
        for i, (row, label) in enumerate(zip(rows, labels, strict=True))
    ]
    cleaner.settle(cleaner.survey(raw) for raw in raws)
    return dict(cleaner.settled["notes"])


@pytest.fixture
def draws() -> np.random.Generator:
    return np.random.default_rng(0)


def test_a_copy_of_the_class_in_other_words_is_named(draws: np.random.Generator) -> None:
    yes = draws.random(N) < 0.3
    columns = {
        "left": np.where(yes, "J", "N"),
        "code": np.where(yes, 3, 7) + draws.integers(0, 2, N),
        "score": np.where(yes, 1.0, -1.0) + draws.normal(0, 0.9, N),
        "city": draws.choice(["Rom", "Oslo"], N),
    }
    assert notes(columns, np.where(yes, "yes", "no")) == {"left": NOTE, "code": NOTE}


def test_a_rare_class_does_not_make_every_column_a_teller(draws: np.random.Generator) -> None:
    fraud = draws.random(N) < 0.02
    assert notes({"amount": draws.gamma(2, 50, N), "hour": draws.integers(0, 24, N)}, fraud) == {}


def test_a_target_of_numbers_in_another_unit_is_named(draws: np.random.Generator) -> None:
    price = draws.gamma(4, 50_000, N)
    columns = {"in_thousands": price / 1000, "size": price / 2000 + draws.normal(0, 20, N)}
    assert notes(columns, price) == {"in_thousands": NOTE}


def test_rows_are_taken_evenly() -> None:
    sample = Sample()
    assert len(list(sample.of(({"x": place}, "a") for place in range(5 * ROWS)))) == 5 * ROWS
    places = [row["x"] for row, _ in sample.rows]
    assert ROWS <= len(places) < 2 * ROWS
    assert len(set(np.diff(places))) == 1
