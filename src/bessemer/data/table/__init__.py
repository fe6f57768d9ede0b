"""Tables: rows of numbers, categories and dates, some of them missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bessemer.data.kind import Kept, Kind, Line, Reader, RowsOf, Settled, Simple
from bessemer.data.table.config import TableConfig
from bessemer.errors import DataError

if TYPE_CHECKING:
    from bessemer.data.config import DataConfig
    from bessemer.data.record import Cleaner
    from bessemer.data.rows import Rows
    from bessemer.data.starter import Plan

NOTED = 12  # columns of which something is said
SHOWN = 6  # columns of a row that is shown
MOSTLY_DIFFERENT = 0.5  # share of different rows from which on equal ones are copies


class Table(Kind):
    """Inputs are float64 (N, D): numbers and seconds, NaN where nothing is known, then codes of categories."""

    Settings = TableConfig

    noun = "rows"
    unit = "known cells"
    sizes = "Known cells of a row"
    tag = "tabular"
    example = "rows.csv"
    readable = frozenset({".csv", ".tsv", ".jsonl", ".ndjson", ".parquet"})
    whole_rows = True
    alone = "bessemer.data.table.alone"
    optimizer = "adamw"
    simple = Simple(
        "logistic regression on scaled numbers and categories", (0.01, 0.1, 1.0, 10.0), 100_000, 20_000
    )

    def cleaner(self, config: DataConfig) -> Cleaner:
        from bessemer.data.table.cleaner import TableCleaner

        return TableCleaner(config.settings)

    def finish(self, config: DataConfig, settled: Settled, kept: Kept, out: Path) -> dict[str, Any]:
        from bessemer.data.table.prepare import finish_table

        return finish_table(config, settled, kept, out)

    def repeats(self, rows: int, distinct: int) -> bool:
        """Few columns of few values say the same thing of many: these are not copies."""
        return distinct < MOSTLY_DIFFERENT * rows

    def simple_network(
        self, shape: Sequence[int], arguments: Mapping[str, Any], outputs: int, classes: bool
    ) -> Line:
        from bessemer.data.simple import Linear
        from bessemer.data.table.simple import TableFeatures

        features = TableFeatures(arguments)
        return Linear(features, [1] * features.width, outputs)

    def columns(
        self, values: Any, arguments: Mapping[str, Any]
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]] | None:
        from bessemer.data.table.features import table_columns

        return table_columns(values, arguments)

    def reader(self, about: Mapping[str, Any], folder: Path) -> Reader:
        from bessemer.data.table.read import table_reader

        return table_reader(about)

    def rows(self, about: Mapping[str, Any]) -> RowsOf:
        from bessemer.data.table.read import table_rows

        return table_rows(about)

    def ship(self, folder: Path, about: Mapping[str, Any], inputs: Rows) -> None:
        from bessemer.data.table.front import ship_front

        ship_front(folder, about, inputs)

    def steps(self, about: Mapping[str, Any]) -> list[str]:
        return [
            "cells of columns by name; empty ones and words such as NA say nothing",
            "numbers as `settings` says: decimal commas, thousands and units",
            "dates to seconds since 1970, UTC",
            "categories to codes: 0 nothing known, 1 not listed, from 2 in the order of `listed`",
            "inside the model: medians taken away, gaps marked",
        ]

    def tensor(self, about: Mapping[str, Any]) -> str:
        (width,) = about["inputs"]["shape"]
        return (
            f"`inputs` of `model.onnx` is float64 (batch, {width}). `columns.onnx` takes raw columns, each an "
            "input of its own name (batch, 1): numbers, and dates in seconds since 1970, as float64, NaN where "
            'nothing is known; categories as text, "" where nothing is known.'
        )

    def random_inputs(self, about: Mapping[str, Any], batch: int) -> NDArray[Any]:
        """Rows as spread as those of the training split, with any categories."""
        inside, generator = about["inside_the_model"], np.random.default_rng(0)
        factors = np.array(inside["factors"])
        spread = np.divide(1, factors, out=np.zeros_like(factors), where=factors > 0)
        numbers = np.array(inside["centers"]) + spread * generator.standard_normal((batch, len(factors)))
        codes = [generator.integers(0, size, batch) for size in inside["categories"]]
        return np.column_stack([numbers, *codes]).astype(np.float64)

    def told(self, about: Mapping[str, Any]) -> str:
        return f"tables of {columns_told(about['preprocess']['settings'])}"

    def show(self, value: Any, about: Mapping[str, Any]) -> str:
        settings, listed = about["preprocess"]["settings"], about["preprocess"]["listed"]
        measured = len(settings["numbers"]) + len(settings["dates"])
        names = [["", "(rare)", *known] for known in listed.values()]
        said = [known[int(code)] for known, code in zip(names, value[measured:], strict=True)]
        return shown(settings, value[:measured], said)

    def show_payload(self, payload: bytes, settled: Settled) -> str:
        from bessemer.data.table.prepare import unpacked

        settings = settled["settings"]
        measured = len(settings["numbers"]) + len(settings["dates"])
        return shown(settings, *unpacked(np.frombuffer(payload, np.uint8), measured))

    def show_raw(self, head: bytes) -> str | None:
        from bessemer.report.samples import EXCERPT

        return head[:EXCERPT].decode("utf-8", errors="replace")

    def columns_of(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
        from bessemer.data.table.guess import guess, target_of
        from bessemer.data.table.look import looks_of

        looks = looks_of(rows)
        target = target_of(looks)
        useful = [name for name, look in looks.items() if name != target and guess(look)]
        if target is None or not useful:
            return None
        form = guess(looks[target]).number
        if form.unit:
            problem = f"column {target!r}, which is to be told, has a unit beside each number ({form.unit})"
            raise DataError(problem, "leave plain numbers in it, or name another column in data.columns.label")
        commas = {"decimal": ","} if form.comma else {}
        return {"value": "*", "label": target, **commas}

    def notes(self, settled: Settled) -> list[str]:
        told = [f"Column {name!r} {note}." for name, note in list(settled["notes"].items())[:NOTED]]
        more = len(settled["notes"]) - NOTED
        return [*told, *([f"Something is to be said of {more} more columns."] if more > 0 else [])]

    def found(self, plan: Plan) -> str:
        return columns_told(plan.settled["settings"])

    def starter(self, plan: Plan, out: Path) -> str:
        from bessemer.data.table.starter import table_recipe

        return table_recipe(plan, out)


def columns_told(settings: Mapping[str, Any]) -> str:
    """How many columns of what there are, in words."""
    counts = {"number": len(settings["numbers"]), "category": len(settings["categories"])}
    counts["date"] = len(settings["dates"])
    plural = {"number": "numbers", "category": "categories", "date": "dates"}
    told = [f"{count} {name if count == 1 else plural[name]}" for name, count in counts.items() if count]
    return " and ".join([", ".join(told[:-1]), told[-1]] if len(told) > 1 else told)


def shown(settings: Mapping[str, Any], values: Any, names: Sequence[str]) -> str:
    """The first columns of a row in words."""
    said = [f"{name} {value:g}" for name, value in zip(settings["numbers"], values, strict=False)]
    dates = values[len(settings["numbers"]) :]
    said += [f"{name} {_day(value)}" for name, value in zip(settings["dates"], dates, strict=False)]
    said += [f"{name} {value or '?'}" for name, value in zip(settings["categories"], names, strict=False)]
    rest = len(said) - SHOWN
    return " · ".join(said[:SHOWN]).replace("nan", "?") + (f" · {rest} more" if rest > 0 else "")


def _day(seconds: float) -> str:
    return "?" if np.isnan(seconds) else str(np.datetime64(int(seconds), "s"))


TABLE = Table()
