"""What a section of the report is made of: typed blocks that a task hands over, and that every renderer knows.

A block travels in `report.json` as plain values, with its type as `block`, so a report is rendered without asking
which task it was. Numbers stay numbers until they are shown; a column of a table says how it is written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import isfinite
from typing import Any

from bessemer.report import format as say
from bessemer.report.units import Unit

MOST_SERIES = 6  # that colors tell apart
# Sections that every page has; a task's have other ids.
OURS = ("contract", "result", "candidates", "ledger", "curves", "data", "parity", "stages", "recipe")


def _check(fits: bool, block: str, wants: str) -> None:
    if not fits:
        raise ValueError(f"{block} of the report needs {wants}")


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Column:
    """A column of a table: words where it has no unit; `change` writes signs, `bar` draws a share beside it."""

    title: str
    unit: Unit | None = None
    change: bool = False
    bar: bool = False


@dataclass(frozen=True)
class Table:
    """Rows of raw values; with `folded_after`, so many rows are shown until the reader opens the others."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[Any]]
    title: str = ""
    folded_after: int | None = None
    noun: str = "row"

    def __post_init__(self) -> None:
        _check(all(len(row) == len(self.columns) for row in self.rows), "a table", "a value for each column")


@dataclass(frozen=True)
class Matrix:
    """How often each name (rows) was taken for each (columns): on the diagonal it was right."""

    names: Sequence[str]
    counts: Sequence[Sequence[int]]
    label: str = "Confusion matrix"

    def __post_init__(self) -> None:
        size = len(self.names)
        _check([len(row) for row in self.counts] == [size] * size, "a matrix", "a row and a column for each name")


@dataclass(frozen=True)
class Bars:
    """Stacked bars: a value of each series for each name."""

    names: Sequence[str]
    series: Mapping[str, Sequence[float]]
    noun: str = "samples"
    label: str = "Bars"
    caption: str = ""

    def __post_init__(self) -> None:
        fit = all(len(row) in (0, len(self.names)) for row in self.series.values())
        _check(fit, "bars", "a value for each name in each series")
        _check(len(self.series) <= MOST_SERIES, "bars", f"at most {MOST_SERIES} series")


@dataclass(frozen=True)
class Histogram:
    """How many values lie between each two of `edges`, which rise and are one more than `counts`."""

    edges: Sequence[float]
    counts: Sequence[int]
    title: str = ""
    noun: str = "samples"

    def __post_init__(self) -> None:
        fit = not self.counts or len(self.edges) == len(self.counts) + 1
        _check(fit, "a histogram", "one edge more than counts")


@dataclass(frozen=True)
class Curves:
    """Lines of (x, y) points by name."""

    lines: Mapping[str, Sequence[tuple[float, float]]]
    x: str
    y: str
    title: str = ""

    def __post_init__(self) -> None:
        _check(len(self.lines) <= MOST_SERIES, "curves", f"at most {MOST_SERIES} lines")


@dataclass(frozen=True)
class Sample:
    """Something to look at, a data URI of an image or a text, and what is told of it; `wrong` is one of `told`."""

    image: str | None = None
    text: str | None = None
    path: str = ""
    told: Mapping[str, str] = field(default_factory=dict)
    wrong: str = ""


@dataclass(frozen=True)
class Gallery:
    """Samples side by side."""

    samples: Sequence[Sample]


@dataclass(frozen=True)
class Passage:
    """The start of a text, how a model goes on, whether it came to an end, and how the text itself goes on."""

    path: str
    start: str
    added: str
    ended: bool
    rest: str


@dataclass(frozen=True)
class Passages:
    """Texts and how a model goes on."""

    passages: Sequence[Passage]


Block = Text | Table | Matrix | Bars | Histogram | Curves | Gallery | Passages


@dataclass(frozen=True)
class Section:
    """A part of the report with a title, a sentence that says what is seen, and blocks."""

    title: str
    blocks: Sequence[Block]
    lead: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {"title": self.title, "lead": self.lead, "blocks": [plain(one) for one in self.blocks]}


def plain(block: Block) -> dict[str, Any]:
    """A block as plain values, for JSON; a number that is not finite is not known, and so None."""
    values: dict[str, Any] = _finite(asdict(block))
    return {"block": type(block).__name__.lower(), **values}


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(one) for one in value]
    if hasattr(value, "tolist"):  # NumPy's numbers and arrays
        return _finite(value.tolist())
    return None if isinstance(value, float) and not isfinite(value) else value


def plain_sections(sections: Mapping[str, Section]) -> dict[str, Any]:
    """Sections by id as plain values. Raises ValueError for an id that a page cannot have, or has already."""
    for name in sections:
        if name in OURS or not re.fullmatch(r"[a-z][a-z0-9_-]*", name):
            remedy = f"take small letters and digits, and none of {', '.join(OURS)}"
            raise ValueError(f"{name!r} cannot be the id of a section: {remedy}")
    return {name: section.as_dict() for name, section in sections.items()}


def cells(table: Mapping[str, Any]) -> list[list[str]]:
    """The rows of a table as text."""
    return [
        [_cell(column, value) for column, value in zip(table["columns"], row, strict=True)]
        for row in table["rows"]
    ]


def _cell(column: Mapping[str, Any], value: Any) -> str:
    if value is None:
        return ""
    if column["unit"] is None:
        return say.visible(str(value))
    unit = Unit(**column["unit"])
    return unit.change(value) if column["change"] else unit.value(value)
