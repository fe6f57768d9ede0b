"""Rows of a table: cells to numbers, seconds and names, as the settings say.

A row is kept as its numbers (float64), then its dates in seconds, then the names of its categories. Codes of
categories and scales of numbers come later: they are the training split's (bessemer.data.table.prepare).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from bessemer.data.record import FILTERED, Clean, Cleaner, Raw, Rejected
from bessemer.data.table.cells import Number, as_category, as_number, as_seconds
from bessemer.data.table.config import TableConfig
from bessemer.data.table.guess import Guess, guess, looks_of, settings_of
from bessemer.errors import DataError

BETWEEN = "\x1f"  # names of categories
NO_NUMBER = "cells that are no numbers, taken as missing"
NO_DATE = "cells that are no dates, taken as missing"
INFINITE = "infinite numbers, taken as missing"


class TableCleaner(Cleaner):
    """Cells to values; `settled` holds the settings, as written or as the columns were sorted."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.settled = {"settings": TableConfig(**settings).model_dump(), "notes": {}}
        self.rows = RowReader(self.settled["settings"])

    @property
    def needs_survey(self) -> bool:
        return TableConfig(**self.settled["settings"]).is_open

    def survey(self, raw: Raw) -> Any:
        return raw.value

    def settle(self, looks: Iterable[Any]) -> None:
        guesses = {name: guess(look) for name, look in looks_of(looks).items()}
        found = settings_of(guesses)
        if found.is_open:
            told = "; ".join(f"{name} {one.note}" for name, one in list(guesses.items())[:5])
            raise DataError(f"no column of numbers, categories or dates in it ({told})", "check data.columns")
        self.settled = {"settings": found.model_dump(), "notes": notes_of(guesses)}
        self.rows = RowReader(self.settled["settings"])

    def clean(self, raw: Raw) -> Iterator[Clean | Rejected]:
        assert isinstance(raw.value, Mapping)
        values, names, repairs = self.rows.read(raw.value)
        known = int(np.count_nonzero(~np.isnan(values))) + sum(map(bool, names))
        if not known:
            raise Rejected("no value in the row", kind=FILTERED)
        payload = values.tobytes() + BETWEEN.join(names).encode("utf-8", "replace")
        yield Clean(payload, known, repairs=tuple(sorted(repairs)))


def notes_of(guesses: Mapping[str, Guess]) -> dict[str, str]:
    """What is to be said of columns: why one is left out, what in it is odd."""
    return {name: one.note for name, one in guesses.items() if one.note}


class RowReader:
    """From cells by name to numbers and dates float64 (N,) and names of categories."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        commas, units = set(settings["decimal_comma"]), settings["units"]
        self.numbers = [(name, Number(name in commas, units.get(name, ""))) for name in settings["numbers"]]
        self.dates = list(settings["dates"].items())
        self.categories = list(settings["categories"])

    def read(self, row: Mapping[str, Any]) -> tuple[np.ndarray[Any, Any], list[str], set[str]]:
        """Values, names, and what was mended."""
        repairs: set[str] = set()
        values = [self._number(row.get(name), form, repairs) for name, form in self.numbers]
        values += [self._date(row.get(name), form, repairs) for name, form in self.dates]
        return np.array(values, np.float64), [as_category(row.get(name)) for name in self.categories], repairs

    @staticmethod
    def _number(cell: Any, form: Number, repairs: set[str]) -> float:
        try:
            number = as_number(cell, form)
        except (ValueError, TypeError):
            repairs.add(NO_NUMBER)
            return math.nan
        if math.isinf(number):
            repairs.add(INFINITE)
            return math.nan
        return number

    @staticmethod
    def _date(cell: Any, form: str, repairs: set[str]) -> float:
        try:
            return as_seconds(cell, form)
        except (ValueError, OverflowError):
            repairs.add(NO_DATE)
            return math.nan
