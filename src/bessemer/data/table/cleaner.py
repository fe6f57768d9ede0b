"""Rows of a table: cells to numbers, seconds and names, as the settings say.

A row is kept as its numbers (float64), then its dates in seconds, then the names of its categories. Codes of
categories and scales of numbers come later: they are the training split's (bessemer.data.table.prepare).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from bessemer.data.record import FILTERED, Clean, Cleaner, Raw, Rejected
from bessemer.data.table.config import TableConfig
from bessemer.data.table.guess import Guess, guess, settings_of
from bessemer.data.table.look import looks_of
from bessemer.data.table.rows import RowReader
from bessemer.data.table.tellers import Sample, telling_alone
from bessemer.errors import DataError

BETWEEN = "\x1f"  # names of categories


class TableCleaner(Cleaner):
    """Cells to values; `settled` holds the settings, as written or as the columns were sorted."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.settled = {"settings": TableConfig(**settings).model_dump(), "notes": {}}
        self.rows = RowReader(self.settled["settings"])

    @property
    def needs_survey(self) -> bool:
        return TableConfig(**self.settled["settings"]).is_open

    def survey(self, raw: Raw) -> Any:
        return raw.value, raw.label

    def settle(self, looks: Iterable[Any]) -> None:
        sample = Sample()
        guesses = {name: guess(look) for name, look in looks_of(sample.of(looks)).items()}
        found = settings_of(guesses)
        if found.is_open:
            told = "; ".join(f"{name} {one.note}" for name, one in list(guesses.items())[:5])
            raise DataError(f"no column of numbers, categories or dates in it ({told})", "check data.columns")
        settings = found.model_dump()
        self.rows = RowReader(settings)
        notes = [notes_of(guesses), telling_alone(self.rows, sample.rows)]
        said = {name: "; ".join(one[name] for one in notes if name in one) for name in guesses}
        self.settled = {"settings": settings, "notes": {name: words for name, words in said.items() if words}}

    def clean(self, raw: Raw) -> Iterator[Clean | Rejected]:
        assert isinstance(raw.value, Mapping)
        values, names, odd = self.rows.read(raw.value)
        known = int(np.count_nonzero(~np.isnan(values))) + sum(map(bool, names))
        if not known:
            raise Rejected("no value in the row", kind=FILTERED)
        payload = values.tobytes() + BETWEEN.join(names).encode("utf-8", "replace")
        yield Clean(payload, known, repairs=tuple(sorted({one.why for one in odd})))


def notes_of(guesses: Mapping[str, Guess]) -> dict[str, str]:
    """What is to be said of columns: why one is left out, what in it is odd."""
    return {name: one.note for name, one in guesses.items() if one.note}
