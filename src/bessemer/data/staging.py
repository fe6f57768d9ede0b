"""The staging folder: every row of the input after cleaning.

What is known of each row goes to disk; in memory a row costs about 50 bytes of numbers, so ten times the input
costs little more memory.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bessemer.data.order import U64
from bessemer.data.record import BROKEN

NO_LABEL = -1
UNSET = 255
SHOWN_TOTAL = 256 << 20

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
COLUMN_TYPES = {
    "ids": "Q",
    "groups": "Q",
    "labels": "i",
    "splits": "B",
    "sources": "B",
    "rejected": "B",
    "sizes": "q",
    "lengths": "f",
}
NUMPY = {name: np.dtype(code) for name, code in COLUMN_TYPES.items()}


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


@dataclass(frozen=True)
class Staged:
    """All rows after cleaning: numbers in memory, names and payloads on disk.

    `labels` are places in `names`, or NO_LABEL; `splits` are 0, 1, 2 (train, validation, test) or UNSET.
    `signatures` has a line for each row that is not rejected.
    """

    folder: Path
    names: list[str]
    ids: U64
    groups: U64
    labels: NDArray[np.int32]
    splits: NDArray[np.uint8]
    sources: NDArray[np.uint8]
    rejected: NDArray[np.bool_]
    sizes: NDArray[np.int64]
    starts: NDArray[np.int64]
    lengths: NDArray[np.float32]
    reasons: Counter[str]
    broken: int
    first_broken: str
    repairs: Counter[str]
    signatures: NDArray[np.uint64] | None

    def __len__(self) -> int:
        return len(self.ids)

    def payload(self, row: int) -> bytes:
        """The stored bytes of one sample."""
        with (self.folder / "payload.bin").open("rb") as file:
            file.seek(int(self.starts[row]))
            return file.read(int(self.sizes[row]))


class Stager:
    """Writes what workers give into a folder, and counts."""

    def __init__(self, folder: Path, splits: Sequence[str]) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.split_codes = {name: code for code, name in enumerate(splits)}
        self.names: dict[str, int] = {}
        self.columns: dict[str, Any] = {name: array(code) for name, code in COLUMN_TYPES.items()}
        self.reasons: Counter[str] = Counter()
        self.repairs: Counter[str] = Counter()
        self.broken = 0
        self.first_broken = ""
        self.signature_size = 0
        self._quarantined_bytes = 0
        self._open = ExitStack()
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
        return len(self.columns["ids"])

    def add(self, done: Done) -> None:
        """Write what came of one task."""
        rows = done.rows
        rows["row"] = list(range(len(self), len(self) + len(done.ids)))
        self._rows.write_batch(pa.RecordBatch.from_pydict(rows, ROW_SCHEMA))
        self.columns["ids"].extend(done.ids)
        self.columns["groups"].extend(done.groups)
        self.columns["sizes"].extend(done.sizes)
        self.columns["lengths"].extend(done.lengths)
        self.columns["sources"].extend(rows["source"])
        self.columns["labels"].extend(self._code(label) for label in rows["label"])
        self.columns["splits"].extend(self.split_codes.get(split, UNSET) for split in rows["split"])
        self.columns["rejected"].extend(reason is not None for reason in rows["reason"])
        self._payload.writelines(done.payloads)
        for signature in done.signatures:
            self.signature_size = len(signature)
            self._signatures.write(signature.tobytes())
        self._count(done)

    def _code(self, label: str | None) -> int:
        return NO_LABEL if label is None else self.names.setdefault(label, len(self.names))

    def _count(self, done: Done) -> None:
        self.repairs.update(chain.from_iterable(done.rows["repairs"]))
        for value in done.values:
            origin, place, _, reason, detail, kind, shown = value
            self.reasons[reason] += 1
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
        found = {name: np.frombuffer(values, NUMPY[name]) for name, values in self.columns.items()}
        sizes = found["sizes"]
        signatures = None
        if self.signature_size:
            path = self.folder / "signatures.bin"
            signatures = np.memmap(path, np.uint64, "r").reshape(-1, self.signature_size)
        return Staged(
            folder=self.folder,
            names=list(self.names),
            ids=found["ids"],
            groups=found["groups"],
            labels=found["labels"],
            splits=found["splits"],
            sources=found["sources"],
            rejected=found["rejected"].astype(bool),
            sizes=sizes,
            starts=np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])[:-1],
            lengths=found["lengths"],
            reasons=self.reasons,
            broken=self.broken,
            first_broken=self.first_broken,
            repairs=self.repairs,
            signatures=signatures,
        )
