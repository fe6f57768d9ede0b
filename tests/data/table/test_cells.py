"""Cells as people write them: numbers, dates, categories, and what says nothing."""

from __future__ import annotations

import datetime as dt
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bessemer.data.table.cells import Number, as_category, as_number
from bessemer.data.table.dates import as_seconds

PLAIN, COMMA = Number(), Number(comma=True)


@pytest.mark.parametrize(
    ("cell", "form", "number"),
    [
        ("3.5", PLAIN, 3.5),
        (" -1e3 ", PLAIN, -1000),
        (7, PLAIN, 7),
        ("1,234,567.8", PLAIN, 1_234_567.8),
        ("1 234.5", PLAIN, 1234.5),
        ("1'234", PLAIN, 1234),
        ("3,5", COMMA, 3.5),
        ("1.234,5", COMMA, 1234.5),
        ("12 kg", Number(unit="kg"), 12),
        ("$1,200", Number(unit="$"), 1200),
        ("45%", Number(unit="%"), 45),
        ("\u22127,5", COMMA, -7.5),
        ("\u22127.5", PLAIN, -7.5),
        ("1e999", PLAIN, math.inf),
        (10**400, PLAIN, math.inf),
    ],
)
def test_a_number_as_it_is_written(cell: object, form: Number, number: float) -> None:
    assert as_number(cell, form) == number


@pytest.mark.parametrize("cell", ["", "  ", "NA", "n/a", "?", "-", "NaN", "null", None, math.nan])
def test_nothing_known_is_no_number_no_date_and_no_category(cell: object) -> None:
    assert math.isnan(as_number(cell, PLAIN))
    assert math.isnan(as_seconds(cell))
    assert as_category(cell) == ""


@pytest.mark.parametrize(
    ("cell", "form"),
    [
        ("3,5", PLAIN),
        ("12 kg", PLAIN),
        ("12 g", Number(unit="kg")),
        ("1_000", PLAIN),
        ("many", PLAIN),
        ([3], PLAIN),
    ],
)
def test_what_could_mean_something_else_is_no_number(cell: object, form: Number) -> None:
    with pytest.raises((ValueError, TypeError)):
        as_number(cell, form)


@given(st.floats(-1e12, 1e12))
def test_a_number_comes_back_in_every_form(number: float) -> None:
    assert as_number(repr(number), PLAIN) == number
    assert as_number(f"{number:,.3f}", PLAIN) == float(f"{number:.3f}")
    continental = f"{number:,.3f}".translate(str.maketrans(",.", ".,"))
    assert as_number(continental, COMMA) == float(f"{number:.3f}")
    assert as_number(f"{number:.3f} km/h", Number(unit="km/h")) == float(f"{number:.3f}")


@pytest.mark.parametrize(
    ("cell", "form", "moment"),
    [
        ("2020-02-29", "iso", dt.datetime(2020, 2, 29)),
        ("2020-02-29T12:30:00+02:00", "iso", dt.datetime(2020, 2, 29, 10, 30)),
        ("29.02.2020", "%d.%m.%Y", dt.datetime(2020, 2, 29)),
        ("29.02.2020 12:30", "%d.%m.%Y", dt.datetime(2020, 2, 29, 12, 30)),
        (dt.date(1969, 12, 31), "iso", dt.datetime(1969, 12, 31)),
    ],
)
def test_a_date_is_seconds_since_1970(cell: object, form: str, moment: dt.datetime) -> None:
    assert as_seconds(cell, form) == (moment - dt.datetime(1970, 1, 1)).total_seconds()


@pytest.mark.parametrize(("cell", "form"), [("29.02.2020", "iso"), ("2020", "iso"), ("30.02.2020", "%d.%m.%Y")])
def test_what_is_no_date_in_this_form(cell: str, form: str) -> None:
    with pytest.raises(ValueError, match=cell):
        as_seconds(cell, form)


def test_one_category_has_one_name() -> None:
    assert as_category(3.0) == as_category(3) == as_category(" 3 ") == "3"
    assert as_category(True) == "true"
    assert as_category("New York ") == "New York"


@pytest.mark.parametrize(
    ("cell", "form"),
    [
        ("+49 30 1234", PLAIN),
        ("12 7", PLAIN),
        ("3'5", PLAIN),
        ("1.5", COMMA),
        ("2.75", COMMA),
        ("12,34,567", PLAIN),
    ],
)
def test_marks_that_do_not_stand_between_thousands_are_not_left_out(cell: str, form: Number) -> None:
    with pytest.raises(ValueError, match="is no number"):
        as_number(cell, form)
