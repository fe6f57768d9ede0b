"""Settings of tables: what each column holds, and how its numbers and dates are written."""

from __future__ import annotations

from pydantic import Field, model_validator

from bessemer.config import Config


class TableConfig(Config):
    """The keys of `data.settings`; with none of the first three, columns are looked at and sorted."""

    numbers: list[str] = Field([], description="columns of numbers")
    categories: list[str] = Field([], description="columns of few different values")
    dates: dict[str, str] = Field(
        {}, description="columns of dates or times of day, each with its form: iso, or as in strptime (%d/%m/%Y)"
    )
    decimal_comma: list[str] = Field([], description="columns of numbers that are written as 1.234,5")
    units: dict[str, str] = Field({}, description="what stands beside each number of a column, such as kg or $")
    missing: dict[str, float] = Field({}, description="numbers that stand for nothing known, such as -999")

    @model_validator(mode="after")
    def _each_once(self) -> TableConfig:
        named = [*self.numbers, *self.categories, *self.dates]
        twice = next((name for name in named if named.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"column {twice!r} is named twice; leave it in one of numbers, categories and dates")
        of_numbers = (*self.decimal_comma, *self.units, *self.missing)
        strange = next((name for name in of_numbers if name not in self.numbers), None)
        if strange is not None:
            raise ValueError(f"decimal_comma, units and missing are of numbers, and {strange!r} is not among them")
        return self

    @property
    def is_open(self) -> bool:
        """Whether the data has to say which columns there are."""
        return not (self.numbers or self.categories or self.dates)
