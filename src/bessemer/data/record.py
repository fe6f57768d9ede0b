"""What passes between the steps of preparation: a raw row, a clean sample, a rejected row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

BROKEN, FILTERED = "broken", "filtered"
DOCUMENT = "document"  # the label of all rows where none is asked for


class Rejected(Exception):
    """A row that is not used. `reason` is short and the same for all rows of its kind; `detail` is this row's.

    `kind` says whether the row is `broken` (unreadable: counts against `max_quarantined`) or `filtered` (readable,
    but not fit: too short, silent, blank).
    """

    def __init__(self, reason: str, detail: str = "", kind: str = BROKEN) -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail
        self.kind = kind

    def __reduce__(self) -> tuple[Any, ...]:
        return Rejected, (self.reason, self.detail, self.kind)


@dataclass(frozen=True)
class Raw:
    """One row as a source gives it, not yet decoded.

    `origin` is the file, relative to the data's root, with `/` between folders; a member of an archive is
    `set.zip!cats/1.png`. `place` is "" for a whole file, else `row 17`, `line 3`, `paragraph 2`, counted
    from 1. `label` is None where the source has none. `split` is "", train, validation or test.
    `value` is a path on this machine, bytes of a file, text, pixels uint8 (H, W, C), the cells of a table's row by
    their columns, or why there is none. `repairs` names what was mended to read it, and in its label.
    """

    origin: str
    place: str
    label: str | None
    split: str
    value: Path | bytes | str | NDArray[np.uint8] | Mapping[str, Any] | Rejected
    repairs: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Where the row stands, for people."""
        return f"{self.origin}, {self.place}" if self.place else self.origin


@dataclass(frozen=True)
class Clean:
    """One decoded and cleaned sample.

    `payload` is what is stored: UTF-8 text, pixels uint8 (H, W, C) or PCM int16 (T,), as bytes; its SHA-256 is the
    sample's id. `length` is in characters, pixels or seconds. `signature` holds what near-copy search compares
    (see bessemer.data.copies), empty where there is none. `repairs` names what was mended, each by a short,
    constant text. `part` tells samples of one row apart ("" where the row gives one sample).
    """

    payload: bytes
    length: float
    signature: NDArray[np.uint64] = field(default_factory=lambda: np.empty(0, np.uint64))
    repairs: tuple[str, ...] = ()
    part: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


class Cleaner(Protocol):
    """What a kind of data brings to preparation. It travels to workers, so it pickles."""

    settled: dict[str, Any]

    @property
    def needs_survey(self) -> bool:
        """Whether all rows must be looked at before the first is cleaned."""
        return False

    def survey(self, raw: Raw) -> Any:
        """A cheap look at one row; raises Rejected where it cannot be looked at."""
        return None

    def settle(self, looks: Iterable[Any]) -> None:
        """Decide what the settings leave open, from looks at all rows."""

    def clean(self, raw: Raw) -> Iterator[Clean | Rejected]:
        """The samples of one row; raises, or gives in place of a part, Rejected."""
        ...


class Source(Protocol):
    """A place that rows come from. Listing is cheap; tasks are read in other processes, so all of it pickles."""

    classes: list[str] | None  # in order, where the source knows them; else they are the sorted labels that occur
    ignored: dict[str, int]  # files that are not of this kind, by suffix

    def tasks(self) -> Iterator[Any]:
        """Units of work in a stable order, each of a few hundred rows or a few MB."""
        ...

    def read(self, task: Any) -> Iterator[Raw]:
        """The rows of one task, in a stable order."""
        ...
