"""The staging folder: every row of the input after cleaning.

What is known of each row goes to disk, its numbers too: each column is a file that is mapped when it is asked for
and let go after. So a row costs memory only in the steps that compare all rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import accumulate, chain
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bessemer.data.record import BROKEN
from bessemer.draws import U64, mix

NO_LABEL = -1
LEAST_FILES = 3  # of a class: one for each split
FEW_FILES = (
    "A class has fewer files than there are splits: parts of one file stand in several splits, so a test sample "
    "may be close to what was trained on."
)
UNSET = 255
SHOWN_TOTAL = 256 << 20
T = TypeVar("T", bound=np.generic)

ROW_SCHEMA = pa.schema(
    [
        ("row", pa.int64()),
        ("source", pa.uint8()),
        ("origin", pa.large_string()),
        ("place", pa.string()),
        ("label", pa.string()),
        ("split", pa.string()),
        ("reason", pa.string()),
        ("detail", pa.string()),
        ("kind", pa.string()),
        ("repairs", pa.list_(pa.string())),
    ]
)
QUARANTINE_SCHEMA = pa.schema(
    [
        ("origin", pa.large_string()),
        ("place", pa.string()),
        ("label", pa.string()),
        ("reason", pa.string()),
        ("detail", pa.string()),
        ("kind", pa.string()),
        ("value", pa.large_binary()),
    ]
)


@dataclass
class Done:
    """What came of one task: a line for each sample and each rejected row."""

    rows: dict[str, list[Any]] = field(default_factory=lambda: {name: [] for name in ROW_SCHEMA.names})
    ids: list[int] = field(default_factory=list)
    groups: list[int] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    lengths: list[float] = field(default_factory=list)
    payloads: list[bytes] = field(default_factory=list)
    signatures: list[NDArray[np.uint64]] = field(default_factory=list)
    values: list[tuple[Any, ...]] = field(default_factory=list)


class Column(Generic[T]):
    """Numbers of all rows in a file; each use maps it anew, so that nothing of it stays in memory."""

    def __init__(self, kind: type[T]) -> None:
        self.kind = kind

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, staged: Staged, owner: type) -> NDArray[T]:
        if len(staged) == 0:
            return np.empty(0, self.kind)  # an empty file cannot be mapped
        return np.memmap(self.path(staged.folder), self.kind, "r")

    def path(self, folder: Path) -> Path:
        """The column's file."""
        return folder / f"{self.name}.column"


@dataclass(frozen=True)
class Staged:
    """All rows after cleaning; numbers, names and payloads are on disk.

    `labels` are places in `names`, or NO_LABEL; `splits` are 0, 1, 2 (train, validation, test) or UNSET.
    `signatures` has a line for each row that is not rejected. Payloads have `sizes` and begin at `starts`.
    """

    folder: Path
    names: list[str]
    rows: int
    reasons: Counter[str]
    examples: dict[str, str]  # the detail of the first row of each reason
    broken: int
    first_broken: str
    repairs: Counter[str]
    signature_size: int
    aside: Counter[tuple[str, str]]  # rows that are set aside, by given split and reason

    ids = Column(np.uint64)
    groups = Column(np.uint64)
    labels = Column(np.int32)
    splits = Column(np.uint8)
    sources = Column(np.uint8)
    rejected = Column(np.bool_)
    starts = Column(np.int64)
    sizes = Column(np.int64)
    lengths = Column(np.float32)

    def __len__(self) -> int:
        return self.rows

    @property
    def signatures(self) -> U64 | None:
        """What the search for copies compares (N, S), mapped; None where there is nothing."""
        if not self.signature_size:
            return None
        return np.memmap(self.folder / "signatures.bin", np.uint64, "r").reshape(-1, self.signature_size)

    def payload(self, row: int) -> bytes:
        """The stored bytes of one sample."""
        with (self.folder / "payload.bin").open("rb") as file:
            file.seek(int(self.starts[row]))
            return file.read(int(self.sizes[row]))


def tell_repeats_apart(staged: Staged) -> None:
    """Give each of several equal rows an id and a group of its own, in place, whatever their order."""
    ids = np.array(staged.ids)
    order = np.argsort(ids, kind="stable")
    first = np.r_[True, ids[order][1:] != ids[order][:-1]] if len(ids) else np.empty(0, bool)
    starts = np.maximum.accumulate(np.where(first, np.arange(len(ids)), 0))
    times = np.empty(len(ids), np.uint64)
    times[order] = np.arange(len(ids)) - starts
    ids = np.where((times > 0) & ~staged.rejected, mix(ids ^ mix(times)), ids)
    for name in ("ids", "groups"):
        COLUMNS[name].path(staged.folder).write_bytes(ids.tobytes())


def few_files(staged: Staged) -> bool:
    """Whether some class has parts enough for every split, in files too few for it."""
    usable = np.flatnonzero(~staged.rejected)
    labels, groups = staged.labels[usable], staged.groups[usable]
    for label in np.unique(labels):
        parts = groups[labels == label]
        if len(np.unique(parts)) < LEAST_FILES <= len(parts) / 2:
            return True
    return False


def tell_parts_apart(staged: Staged) -> None:
    """Let each part of a file stand for itself, so that parts of one file fall into several splits; in place."""
    COLUMNS["groups"].path(staged.folder).write_bytes(np.array(staged.ids).tobytes())


COLUMNS = {name: column for name, column in vars(Staged).items() if isinstance(column, Column)}


class Stager:
    """Writes what workers give into a folder, and counts."""

    def __init__(self, folder: Path, splits: Sequence[str]) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.split_codes = {name: code for code, name in enumerate(splits)}
        self.names: dict[str, int] = {}
        self.rows = self.bytes = 0
        self.reasons: Counter[str] = Counter()
        self.examples: dict[str, str] = {}
        self.repairs: Counter[str] = Counter()
        self.aside: Counter[tuple[str, str]] = Counter()
        self.broken = 0
        self.first_broken = ""
        self.signature_size = 0
        self._quarantined_bytes = 0
        self._open = ExitStack()
        self._columns = {
            name: self._open.enter_context(column.path(folder).open("wb")) for name, column in COLUMNS.items()
        }
        self._payload = self._open.enter_context((folder / "payload.bin").open("wb"))
        self._signatures = self._open.enter_context((folder / "signatures.bin").open("wb"))
        self._rows = self._open.enter_context(pa.ipc.new_file(folder / "rows.arrow", ROW_SCHEMA))
        self._quarantine = self._open.enter_context(
            pa.ipc.new_file(folder / "quarantine.arrow", QUARANTINE_SCHEMA)
        )

    def __enter__(self) -> Stager:
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()

    def __len__(self) -> int:
        return self.rows

    def add(self, done: Done) -> None:
        """Write what came of one task."""
        rows = done.rows
        rows["row"] = list(range(self.rows, self.rows + len(done.ids)))
        self._rows.write_batch(pa.RecordBatch.from_pydict(rows, ROW_SCHEMA))
        ends = list(accumulate(done.sizes, initial=self.bytes))
        columns = {
            "ids": done.ids,
            "groups": done.groups,
            "labels": [self._code(label) for label in rows["label"]],
            "splits": [self.split_codes.get(split, UNSET) for split in rows["split"]],
            "sources": rows["source"],
            "rejected": [reason is not None for reason in rows["reason"]],
            "starts": ends[:-1],
            "sizes": done.sizes,
            "lengths": done.lengths,
        }
        for name, values in columns.items():
            self._columns[name].write(np.array(values, COLUMNS[name].kind).tobytes())
        self.rows, self.bytes = self.rows + len(done.ids), ends[-1]
        self._payload.writelines(done.payloads)
        for signature in done.signatures:
            self.signature_size = len(signature)
            self._signatures.write(signature.tobytes())
        self._count(done)

    def _code(self, label: str | None) -> int:
        return NO_LABEL if label is None else self.names.setdefault(label, len(self.names))

    def _count(self, done: Done) -> None:
        told = zip(done.rows["split"], done.rows["reason"], strict=True)
        self.aside.update((split, reason) for split, reason in told if split and reason is not None)
        self.repairs.update(chain.from_iterable(done.rows["repairs"]))
        for value in done.values:
            origin, place, _, reason, detail, kind, shown = value
            self.reasons[reason] += 1
            self.examples.setdefault(reason, detail)
            if kind == BROKEN:
                self.broken += 1
                name = ", ".join(filter(None, (origin, place)))
                self.first_broken = self.first_broken or f"{name}: {detail or reason}"
            self._quarantined_bytes += len(shown or b"")
        values = [
            value if self._quarantined_bytes <= SHOWN_TOTAL else (*value[:-1], None) for value in done.values
        ]
        if values:
            columns = dict(zip(QUARANTINE_SCHEMA.names, zip(*values, strict=True), strict=True))
            self._quarantine.write_batch(pa.RecordBatch.from_pydict(columns, QUARANTINE_SCHEMA))

    def staged(self) -> Staged:
        """All that was written; call it after the stager is closed."""
        return Staged(
            folder=self.folder,
            names=list(self.names),
            rows=self.rows,
            reasons=self.reasons,
            examples=self.examples,
            broken=self.broken,
            first_broken=self.first_broken,
            repairs=self.repairs,
            signature_size=self.signature_size,
            aside=self.aside,
        )
