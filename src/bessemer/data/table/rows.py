"""Rows of a table by the settings: numbers and dates float64, names of categories, and what could not be read."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bessemer.data.table.cells import Number, as_category, as_number
from bessemer.data.table.dates import as_seconds

NO_NUMBER = "cells that are no numbers, taken as missing"
NO_DATE = "cells that are no dates, taken as missing"
INFINITE = "infinite numbers, taken as missing"


@dataclass(frozen=True)
class Odd:
    """A cell that is taken as missing, since it does not say what its column holds."""

    column: str
    cell: Any
    why: str  # NO_NUMBER, INFINITE or NO_DATE


class RowReader:
    """From cells by name to numbers and dates float64 (N,) and names of categories."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        commas, units = set(settings["decimal_comma"]), settings["units"]
        self.missing = settings.get("missing", {})  # exported by an earlier version: none
        self.numbers = [(name, Number(name in commas, units.get(name, ""))) for name in settings["numbers"]]
        self.dates = list(settings["dates"].items())
        self.categories = list(settings["categories"])

    def read(self, row: Mapping[str, Any]) -> tuple[np.ndarray[Any, Any], list[str], list[Odd]]:
        """Values, names, and the cells that could not be read."""
        odd: list[Odd] = []
        values = [self._number(name, row.get(name), form, odd) for name, form in self.numbers]
        values += [self._date(name, row.get(name), form, odd) for name, form in self.dates]
        return np.array(values, np.float64), [as_category(row.get(name)) for name in self.categories], odd

    def _number(self, name: str, cell: Any, form: Number, odd: list[Odd]) -> float:
        try:
            number = as_number(cell, form)
        except (ValueError, TypeError):
            odd.append(Odd(name, cell, NO_NUMBER))
            return math.nan
        if math.isinf(number):
            odd.append(Odd(name, cell, INFINITE))
            return math.nan
        return math.nan if number == self.missing.get(name) else number

    @staticmethod
    def _date(name: str, cell: Any, form: str, odd: list[Odd]) -> float:
        try:
            return as_seconds(cell, form)
        except (ValueError, OverflowError):
            odd.append(Odd(name, cell, NO_DATE))
            return math.nan
