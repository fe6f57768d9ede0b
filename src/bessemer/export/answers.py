"""Answers as a table: beside the row's own columns, one row for each thing that was asked."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from bessemer.artifact import place_errors
from bessemer.errors import DataError, UsageError
from bessemer.export.inputs import Asked
from bessemer.report.format import plural

SEPARATORS = {".csv": ",", ".tsv": "\t"}
FORMS = (*SEPARATORS, ".jsonl", ".ndjson")
Row = Mapping[str, Any]


class Tally:
    """Counts answers on their way, and those that could not be given."""

    def __init__(self) -> None:
        self.given = self.failed = 0
        self.reason = ""  # of the first that failed

    def counted(self, answers: Iterable[tuple[Asked, Row]]) -> Iterator[tuple[Asked, Row]]:
        """The same answers."""
        for asked, answer in answers:
            if "error" in answer:
                self.failed += 1
                self.reason = self.reason or str(answer["error"])
            else:
                self.given += 1
            yield asked, answer

    def told(self) -> str:
        """How many there were, in words."""
        return plural(self.given, "answer") + (f", {self.failed:,} could not be read" if self.failed else "")

    def refuse_nothing(self, noun: str) -> None:
        """Raise DataError where there is no answer at all."""
        if self.given:
            return
        problem = (
            f"none of {self.failed:,} could be read, the first as: {self.reason}" if self.failed else "no input"
        )
        raise DataError(problem, f"give {noun} in a common format, or of tables the column with --column")


def check_answers_file(path: Path, inputs: Iterable[Path]) -> None:
    """Refuse a file that answers cannot be written to, before any of them is computed."""
    if path.suffix.lower() not in FORMS:
        raise UsageError(f"-o {path}: answers are written as {', '.join(FORMS)}", "name such a file")
    if path.exists() and any(one.exists() and one.samefile(path) for one in inputs):
        raise UsageError(f"-o {path}: is one of the inputs", "name another file")
    if not path.parent.is_dir():
        raise UsageError(f"-o {path}: no folder {path.parent}", "make it, or name another file")


def beside(cells: Row, where: Row, flat: Row) -> dict[str, Any]:
    """A row of the table: its own columns, or its file and number; then the answer under names that are free."""
    row = dict(cells) if cells else dict(where)
    for name, value in flat.items():
        while name in row:
            name += " (model)"
        row[name] = value
    return row


def write_answers(path: Path, rows: Iterable[Row]) -> int:
    """Write rows as CSV, TSV or JSON lines, by the suffix; returns how many. The file is there once all are.

    CSV has every column that some row has, in the order in which they came up.
    """
    partial = path.with_name(f".{path.name}.partial")
    with place_errors(path):
        try:
            with partial.open("w", encoding="utf-8", newline="") as file:
                if path.suffix.lower() in SEPARATORS:
                    count = _write_delimited(file, rows, SEPARATORS[path.suffix.lower()])
                else:
                    count = sum(bool(file.write(_line(row))) for row in rows)
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)
    return count


def _write_delimited(file: IO[str], rows: Iterable[Row], separator: str) -> int:
    """The names of the columns are known after the last row, so rows wait on the disk."""
    names: dict[str, None] = {}
    with TemporaryFile("w+", encoding="utf-8") as waiting:
        for row in rows:
            names |= dict.fromkeys(row)
            waiting.write(_line(row))
        waiting.seek(0)
        writer = csv.DictWriter(file, list(names), delimiter=separator, lineterminator="\n")
        writer.writeheader()
        count = 0
        for one in _read(waiting):
            writer.writerow(one)
            count += 1
    return count


def _read(waiting: IO[str]) -> Iterator[Row]:
    """Rows that wait, with lists and objects of their cells as JSON."""
    for line in waiting:
        row: dict[str, Any] = json.loads(line)
        yield {name: json.dumps(one) if isinstance(one, list | dict) else one for name, one in row.items()}


def _line(row: Row) -> str:
    return json.dumps({name: _plain(value) for name, value in row.items()}, default=str) + "\n"


def _plain(value: Any) -> Any:
    """Bytes of pictures and sound say nothing in a table; how many there are does."""
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    return f"{len(value)} bytes" if isinstance(value, bytes | bytearray) else value
