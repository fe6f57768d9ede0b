"""How figures of a measure are written."""

from __future__ import annotations

import pytest

from bessemer.report.units import Unit, unit_for


@pytest.mark.parametrize(
    ("spread", "error", "written"),
    [
        (77.0, 52.08, "52.1"),
        (1.0, 0.3142, "0.314"),
        (0.0021, 0.00063, "0.000630"),
        (1e6, 312_345.6, "312,346"),
        (1e-20, 1e-21, "0.000000000000"),  # nobody reads more
    ],
)
def test_numbers_have_the_digits_of_their_spread(spread: float, error: float, written: str) -> None:
    assert unit_for(spread).value(error) == written


@pytest.mark.parametrize("spread", [0.0, float("nan"), float("inf")])
def test_an_unknown_spread_gives_three_decimals(spread: float) -> None:
    assert unit_for(spread) == Unit(decimals=3)
