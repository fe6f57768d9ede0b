"""What is seen of the columns of a table: how many values, how long, whether texts, numbers, files or lists."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bessemer.data.config import kinds_with_column
from bessemer.data.kinds import KINDS, sniff
from bessemer.data.numbers import Unreadable, number_in
from bessemer.prepare.source.label import listed, says_no_label, trimmed
from bessemer.prepare.source.named import named_kind

LOOKED_AT = 4000  # rows
BETWEEN_WORDS = re.compile(r"[^\W\d_]\s+(?=[^\W\d_])")
UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]{2}")  # Thai to Chinese
WORDS_OF_A_NAME = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\W\d_A-Z]+")
MOSTLY = 0.9
MOST_FLAGS = 200  # classes that columns of 0 and 1 may say
MEDIA = [name for name in kinds_with_column() if not KINDS[name].in_cells]
FLAGS = {"0", "1", "0.0", "1.0", "true", "false"}
ON = {"1", "1.0", "true"}


@dataclass
class Look:
    """What is seen of one column."""

    rows: int = 0
    seen: int = 0  # cells that say something
    letters: int = 0
    words: int = 0  # beyond the first of a cell
    numbers: int = 0
    whole: int = 0  # numbers without a fraction
    lists: int = 0  # cells with several values
    objects: int = 0
    distinct: dict[str, int] = field(default_factory=dict)  # the values that were met first, and how often
    kinds: dict[str, int] = field(default_factory=lambda: dict.fromkeys(MEDIA, 0))  # cells that are such files
    named: dict[str, int] = field(default_factory=lambda: dict.fromkeys(MEDIA, 0))  # that have such a suffix
    example: str = ""  # of several values in one cell
    scalar: bool = True
    typed: bool = False

    def add(self, cell: Any, folder: Path) -> None:
        """Look at one cell; paths start at `folder`."""
        self.rows += 1
        if cell is None or cell == "" or (isinstance(cell, float) and math.isnan(cell)):
            return
        self.seen += 1
        self._files(cell, folder)
        if isinstance(cell, str | list) and len(listed(cell) or ()) > 1:
            self.lists += 1
            self.example = self.example or str(cell)[:80]
        if isinstance(cell, bytes | list | dict):
            self.scalar = False
            self.objects += isinstance(cell, dict)
            return
        text = trimmed(str(cell))
        self.letters += len(text)
        self.words += len(BETWEEN_WORDS.findall(text)) + len(UNSPACED.findall(text))
        self._number(text)
        if len(self.distinct) <= LOOKED_AT // 2 or text[:200] in self.distinct:
            self.distinct[text[:200]] = self.distinct.get(text[:200], 0) + 1

    def _files(self, cell: Any, folder: Path) -> None:
        if (kind := media_in(cell, folder)) in self.kinds:
            self.kinds[kind] += 1
        if isinstance(cell, str) and len(cell) < 1000 and (kind := named_kind(cell, MEDIA)):
            self.named[kind] += 1

    def _number(self, text: str) -> None:
        for mark in (None, ","):
            try:
                number = number_in(text, mark)
            except Unreadable:
                continue
            self.numbers += 1
            self.whole += number == int(number)
            return

    @property
    def names(self) -> dict[str, int]:
        """The values that say something of a label, and how often each does."""
        no_name = (lambda name: not name) if self.typed else says_no_label
        return {name: count for name, count in self.distinct.items() if not no_name(name)}

    @property
    def is_number(self) -> bool:
        """Whether nearly all cells are numbers."""
        return self.seen > 0 and self.numbers >= MOSTLY * self.seen

    @property
    def is_prose(self) -> bool:
        """Whether its cells are texts, or names: mostly different, of two words or more."""
        mostly = 2 * len(self.distinct) > min(self.seen, LOOKED_AT // 2)
        return self.scalar and mostly and self.words >= max(1, self.seen)

    @property
    def is_flag(self) -> bool:
        """Whether it holds 0 and 1 alone, both of them."""
        return self.scalar and len(self.distinct) == 2 and {name.lower() for name in self.distinct} <= FLAGS

    @property
    def comes_back(self) -> bool:
        """Whether it has at least two values, each in two rows on average: names of classes, perhaps."""
        return self.scalar and 2 <= len(self.names) <= max(2, self.seen // 2)

    @property
    def is_measured(self) -> bool:
        """Whether it holds numbers with fractions, as a score does and the number of a row does not."""
        return self.is_number and self.whole < self.numbers

    @property
    def counts_up(self) -> bool:
        """Whether it holds whole numbers, each once, that leave no gap: numbers of rows."""
        if not self.seen or not self.whole == self.seen == len(self.distinct):
            return False
        numbers = [number_in(name, ",") for name in self.distinct]
        return max(numbers) - min(numbers) + 1 == len(numbers)

    @property
    def length(self) -> float:
        """Characters of a cell on average."""
        return self.letters / max(1, self.seen)

    def is_media(self, kind: str) -> bool:
        """Whether most cells are files of this kind."""
        return self.seen > 0 and 2 * self.kinds[kind] > self.seen


def looks_of(rows: Iterable[Mapping[str, Any]], folder: Path, typed: bool = False) -> dict[str, Look]:
    """A look at each column of some rows; in a `typed` file a text `nan` is a name."""
    looks: dict[str, Look] = {}
    for row in rows:
        for name, cell in row.items():
            looks.setdefault(name, Look(typed=typed)).add(cell, folder)
    return looks


def media_in(cell: Any, folder: Path) -> str:
    """The kind of file that a cell holds or names, "" where it is none."""
    if isinstance(cell, Mapping):
        cell = cell.get("bytes") or cell.get("path") or ""
    if isinstance(cell, bytes):
        return sniff(cell[:512])
    if not isinstance(cell, str) or len(cell) > 1000 or "\0" in cell:
        return ""
    kind = named_kind(cell, MEDIA)
    return kind if kind and os.path.isfile(os.path.join(folder, cell.strip().replace("\\", "/"))) else ""


def words_of(name: str) -> list[str]:
    """The words of a column's name in small letters: `airlineSentiment` and `airline_sentiment` have two."""
    return [word.lower() for word in WORDS_OF_A_NAME.findall(name)]


def one_hot(rows: Iterable[Mapping[str, Any]], looks: Mapping[str, Look]) -> list[str]:
    """The longest run of columns of 0 and 1 of which nearly every row has one 1; [] where there is none."""
    names = list(looks)
    flags = [look.is_flag for look in looks.values()]
    if not any(flags):
        return []
    on = np.array([[str(row.get(name)).strip().lower() in ON for name in names] for row in rows], np.int32)
    sums = np.pad(on.reshape(-1, len(names)).cumsum(1), ((0, 0), (1, 0)))  # of the columns before each
    longest: list[str] = []
    for first in range(len(names)):
        for last in range(first, min(len(names), first + MOST_FLAGS)):
            if not flags[last]:
                break
            hot = sums[:, last + 1] - sums[:, first] == 1
            if last - first >= max(1, len(longest)) and hot.mean() >= MOSTLY:
                longest = names[first : last + 1]
    return longest
