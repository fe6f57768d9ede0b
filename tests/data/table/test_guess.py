"""What columns hold, told from their cells: a right guess or a clear word."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from bessemer.data.table import TABLE
from bessemer.data.table.guess import Guess, guess, settings_of, target_of
from bessemer.data.table.look import looks_of
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
        ([*NUMBERS, *["-999"] * 9], "number", "9 of 209 cells say -999, far from all others"),
        (
            [f"({cell})" if place % 2 else cell.strip("-") for place, cell in enumerate(NUMBERS)],
            "number",
            "negative",
        ),
        ([f"{cell}{' kg' if place % 2 else ''}" for place, cell in enumerate(NUMBERS)], "number", "no unit"),
        ([f"-${cell.strip('-')}" for cell in NUMBERS], "number", "in $"),
        ([f"{cell}" if place % 2 else cell.replace(".", ",") for place, cell in enumerate(NUMBERS)], "", "mixes"),
        ([cell if place % 8 else f"ask {place}" for place, cell in enumerate(NUMBERS)], "", "numbers (88%) and"),
        (["1.234.567", "12.345", "123"] * 20, "number", "decimal commas"),
        (["1.234", "12.345", "123"] * 20, "number", "1.234 is read as 1.234"),
        ([str(2**53 + place % 9) for place in range(200)], "category", "beyond 2**53"),
        ([2**60 + 3 * place + 1 for place in range(200)], "", "beyond 2**53"),
        ([1003 + 7 * place for place in range(200)], "", "grows from each to the next"),
        (sorted(int(10**place) for place in RANDOM.uniform(2, 7, 200)), "number", ""),
        (["NA", "DE", "US", "FR", "IT", "ES"] * 30, "category", "NA is taken as missing"),
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
        (["03 January 2020", "28 May 2021"] * 30, "date", ""),
        (["01/31/2020 05:00 PM", "01/02/2021 11:30am"] * 30, "date", ""),
        (["31.01.20", "02.03.21"] * 30, "date", ""),
        (["05:10", "23:59", "7:00"] * 30, "date", ""),
        (["31.01.2020", "2021-03-02"] * 30, "", "dates in several forms (%d.%m.%Y, iso)"),
        (
            [f"{place % 28 + 1}.01.20{place:02}" if place % 3 else f"spring {place}" for place in range(99)],
            "",
            "mixes dates",
        ),
        ([dt.timedelta(seconds=place % 37) for place in range(99)], "number", ""),
        ([dt.time(place % 24) for place in range(99)], "number", ""),
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


def test_an_id_is_known_by_its_name_where_no_value_comes_back() -> None:
    shuffled = [3 + 7 * int(place) for place in RANDOM.permutation(60)]
    for name, holds in {"customerId": "", "Nr.": "", "amount": "number"}.items():
        assert guess(looks_of({name: cell} for cell in shuffled)[name]).holds == holds


def test_half_of_numbers_in_what_is_named_as_the_target_is_refused() -> None:
    rows = [{"rooms": place % 7, "price": place if place % 6 else f"ask {place}"} for place in range(200)]
    with pytest.raises(DataError, match=r"'price' is named as what is to be told, and mixes numbers \(83%\)"):
        target_of(looks_of(rows))


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
