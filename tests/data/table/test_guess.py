"""What columns hold, told from their cells: a right guess or a clear word."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from bessemer.data.table import TABLE
from bessemer.data.table.guess import Guess, guess, looks_of, settings_of, target_of
from bessemer.errors import DataError

RANDOM = np.random.default_rng(0)
NUMBERS = [f"{value:.3f}" for value in RANDOM.normal(size=200)]


def of(cells: Sequence[Any]) -> Guess:
    return guess(looks_of({"x": cell} for cell in cells)["x"])


@pytest.mark.parametrize(
    ("cells", "holds", "note"),
    [
        (NUMBERS, "number", ""),
        ([*NUMBERS, "", "NA", "?"], "number", ""),
        ([*NUMBERS, "broken"], "number", "1 of 201 cells are no numbers"),
        ([*NUMBERS, "inf"], "number", "1 infinite"),
        ([cell.replace(".", ",") for cell in NUMBERS], "number", "decimal commas"),
        (["1,234", "5,678", "12,000"] * 20, "number", "1,234 is read as 1234"),
        ([f"{cell} kg" for cell in NUMBERS], "number", "in kg"),
        (
            [f"{cell} {'kg' if place % 2 else 'g'}" for place, cell in enumerate(NUMBERS)],
            "",
            "several units (g, kg)",
        ),
        (["red", "green", "blue"] * 40, "category", ""),
        (["1", "2", "few"] * 40, "category", "mixes numbers (67%) and words"),
        ([True, False, None] * 30, "category", ""),
        ([f"user-{place}" for place in range(200)], "", "a value of its own in most rows"),
        ([f"it was day {place} of all" for place in range(200)], "", "holds texts"),
        ([str(place) for place in range(1, 201)], "", "numbers the rows"),
        (["2020-01-05", "2021-12-30", "2020-02-01"] * 30, "date", ""),
        (["05.01.2020", "30.12.2021"] * 30, "date", ""),
        (["05/01/2020", "06/12/2021"] * 30, "date", "day or month may come first"),
        (["12/30/2020", "01/02/2021"] * 30, "date", ""),
        (["same"] * 50, "", "always says 'same'"),
        ([""] * 50, "", "is empty"),
        ([[1], [2]] * 50, "", "holds lists"),
    ],
)
def test_a_column(cells: Sequence[Any], holds: str, note: str) -> None:
    found = of(cells)
    assert found.holds == holds
    assert note in found.note
    assert bool(found.note) == bool(note)


def test_a_file_that_knows_of_dates_needs_no_form() -> None:
    found = of([dt.datetime(2020, 1 + place % 12, 5, tzinfo=dt.UTC) for place in range(60)])
    assert (found.holds, found.date, found.note) == ("date", "iso", "")


def test_a_target_with_units_is_refused_with_a_remedy() -> None:
    rows = [{"a": place % 7, "price": f"{place}.5 €"} for place in range(100)]
    with pytest.raises(DataError, match=r"'price', which is to be told, has a unit beside each number \(€\)"):
        TABLE.columns_of(rows)


def test_forms_of_dates_are_told_apart_by_days_over_twelve() -> None:
    assert of(["12/30/2020", "01/02/2021"] * 30).date == "%m/%d/%Y"
    assert of(["30/12/2020", "01/02/2021"] * 30).date == "%d/%m/%Y"


def test_settings_say_how_columns_are_written() -> None:
    columns = {"a": "1,5", "b": "2 kg", "c": "05.01.2020", "d": "red"}
    other = {"a": "2,5", "b": "3 kg", "c": "06.01.2020", "d": "blue"}
    found = settings_of({name: guess(look) for name, look in looks_of([columns, other] * 30).items()})
    assert (found.numbers, found.categories, found.dates) == (["a", "b"], ["d"], {"c": "%d.%m.%Y"})
    assert (found.decimal_comma, found.units) == (["a"], {"b": "kg"})


@pytest.mark.parametrize(
    ("names", "target"),
    [(["a", "Quality", "b"], "Quality"), (["a", "b", "c"], "c"), (["a", "b", "id"], "a"), (["id"], None)],
)
def test_the_target_is_named_so_or_stands_last(names: list[str], target: str | None) -> None:
    rows = [{name: f"row-{place}" if name == "id" else place % 7 for name in names} for place in range(200)]
    assert target_of(looks_of(rows)) == target


def test_a_table_needs_a_column_beside_its_target() -> None:
    rows = [{"id": f"row-{place}", "y": place % 2} for place in range(200)]
    assert TABLE.columns_of(rows) is None
    assert TABLE.columns_of([{**row, "x": place % 9} for place, row in enumerate(rows)]) == {
        "value": "*",
        "label": "y",
    }


@pytest.mark.parametrize(
    ("cells", "problem"),
    [
        ([f"person {place}" for place in range(200)], "has a value of its own in most rows"),
        (["same"] * 200, "always says 'same'"),
        ([f"2020-01-{1 + place % 28:02}" for place in range(200)], "holds dates"),
    ],
)
def test_a_target_that_cannot_be_told_is_refused_by_name(cells: list[str], problem: str) -> None:
    with pytest.raises(DataError, match=problem) as caught:
        target_of(looks_of({"x": place % 7, "Target": cell} for place, cell in enumerate(cells)))
    assert "'Target'" in caught.value.problem
