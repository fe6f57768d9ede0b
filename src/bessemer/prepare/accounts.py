"""What became of every row: kept, quarantined, a copy of another, or a leak into the test split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bessemer.data.config import DataConfig
from bessemer.data.kind import Kind
from bessemer.data.kinds import find_kind
from bessemer.data.names import batches_of, name_of
from bessemer.data.record import DOCUMENT, FILTERED
from bessemer.data.split import SPLITS
from bessemer.draws import U64
from bessemer.prepare.dedup import choose_survivors, doubt, find_copies
from bessemer.prepare.ingest import Job, Task, first_bytes
from bessemer.prepare.staging import QUARANTINE_SCHEMA, ROW_SCHEMA, SHOWN_TOTAL, Staged

STATES = ("kept", "quarantined", "duplicate", "leak")
KEPT, QUARANTINED, DUPLICATE, LEAK = range(4)
SHOWN_PAIRS, SHOWN_COPIES = 12, 6


@dataclass(frozen=True)
class Fates:
    """A state for each row, the row that a copy was dropped for (-1 for others), and what is worth telling."""

    states: NDArray[np.uint8]
    survivors: NDArray[np.int64]
    quarantined: Counter[str]
    rare: list[int]  # classes that were left out for having too few samples
    rare_reason: str
    copies: dict[str, Any]
    alike: NDArray[np.int64] | None = (
        None  # the first row of each row's cluster of near copies that are not dropped
    )

    @property
    def kept(self) -> NDArray[np.int64]:
        """The rows that are used, in order."""
        return np.flatnonzero(self.states == KEPT)

    def facts(self, staged: Staged, classes: list[str]) -> dict[str, Any]:
        """What the report says of copies."""
        return {
            "duplicates": int((self.states == DUPLICATE).sum()),
            "leaks": int((self.states == LEAK).sum()),
            **self.copies,
        }


def set_aside_rare(
    config: DataConfig, states: NDArray[np.uint8], labels: NDArray[np.int32], groups: U64
) -> list[int]:
    """Quarantine, in place, rows of classes with fewer than `min_class` usable samples; returns these classes.

    Parts of one file, which share a group, count as one sample: they cannot stand in several splits.
    """
    if config.min_class == 1:
        return []
    kept = np.flatnonzero(states == KEPT)
    _, first = np.unique(groups[kept], return_index=True)
    counts = np.bincount(labels[kept[first]], minlength=int(labels.max()) + 1)
    present = np.unique(labels[labels >= 0])
    rare = [int(label) for label in present if counts[label] < config.min_class]
    states[np.isin(labels, rare) & (states == KEPT)] = QUARANTINED
    return rare


def write_rows(
    staged: Staged, fates: Fates, split: NDArray[np.uint8], split_names: tuple[str, ...], path: Path
) -> None:
    """Write the table of all rows: where each came from, its label, and what became of it."""
    schema = ROW_SCHEMA.remove(ROW_SCHEMA.get_field_index("kind"))
    schema = schema.append(pa.field("id", pa.uint64())).append(pa.field("state", pa.string()))
    schema = schema.append(pa.field("survivor", pa.int64()))
    final = np.full(len(staged), -1, np.int8)
    final[fates.kept] = split
    names = np.array([*split_names, ""], object)
    with pa.OSFile(str(staged.folder / "rows.arrow")) as source, pa.ipc.new_file(path, schema) as out:
        for batch in batches_of(source):
            rows = batch.column("row").to_numpy()
            columns = {name: batch.column(name) for name in batch.schema.names}
            state = fates.states[rows]
            reasons = np.array(columns["reason"].to_pylist(), object)
            reasons[(state == QUARANTINED) & (reasons == None)] = fates.rare_reason  # noqa: E711 (elementwise)
            columns |= {
                "split": pa.array(names[final[rows]]),
                "reason": pa.array(reasons, pa.string()),
                "id": pa.array(staged.ids[rows]),
                "state": pa.array([STATES[code] for code in state]),
                "survivor": pa.array(fates.survivors[rows]),
            }
            out.write_batch(pa.RecordBatch.from_pydict({name: columns[name] for name in schema.names}, schema))


def write_quarantine(staged: Staged, fates: Fates, job: Job, tasks: Iterator[Task], path: Path) -> None:
    """Write the table of quarantined rows: those that were rejected, then those of classes that are too small.

    The latter were clean when they were met, so the tasks that hold any are read again for their raw values.
    """
    rare, left = (fates.states == QUARANTINED) & ~staged.rejected, SHOWN_TOTAL
    with pa.ipc.new_file(path, QUARANTINE_SCHEMA) as out:
        with pa.OSFile(str(staged.folder / "quarantine.arrow")) as source:
            for batch in batches_of(source):
                out.write_batch(batch)
        if not rare.any():
            return
        with pa.OSFile(str(staged.folder / "rows.arrow")) as source:
            for task, batch in zip(tasks, batches_of(source), strict=True):  # a batch holds the rows of one task
                rows = batch.filter(pa.array(rare[batch.column("row").to_numpy()])).to_pylist()
                if not rows:
                    continue
                lines = list(rare_lines(rows, job, task, fates.rare_reason))
                for line in lines:
                    left -= len(line["value"] or b"")
                    line["value"] = line["value"] if left >= 0 else None
                out.write_batch(pa.RecordBatch.from_pylist(lines, QUARANTINE_SCHEMA))


def rare_lines(rows: list[dict[str, Any]], job: Job, task: Task, reason: str) -> Iterator[dict[str, Any]]:
    """Lines of the quarantine table for rows of one task that were clean."""
    labels = {row["label"] for row in rows}
    values = {(raw.origin, raw.place): first_bytes(raw) for raw in job.rows(*task) if raw.label in labels}
    for row in rows:
        whole = row["place"].rpartition(", ")[0]  # of a part of a row; the parts of a file have no place before
        value = values.get((row["origin"], row["place"]), values.get((row["origin"], whole)))
        told = {name: row[name] for name in ("origin", "place", "label")}
        yield {**told, "reason": reason, "detail": "", "kind": FILTERED, "value": value}


def row_names(path: Path, rows: list[int]) -> dict[int, str]:
    """Origin and place of some rows of a table of rows."""
    wanted, found = np.unique(np.array(rows, np.int64)), {}
    with pa.memory_map(str(path)) as source:
        for batch in batches_of(source):
            every = batch.column("row").to_numpy()
            for place in np.flatnonzero(np.isin(every, wanted)).tolist():
                found[int(every[place])] = name_of(batch, place)
    return found


def read_quarantine(folder: Path) -> Any:
    """The quarantined rows of a prepared data set as an Arrow table: origin, place, label, reason, detail, value.

    `value` holds the raw bytes (at most the first MiB; null where there are none, or too many in all).
    """
    with pa.memory_map(str(folder / "quarantine.arrow")) as source:
        return pa.ipc.open_file(source).read_all()


def settle(
    config: DataConfig,
    staged: Staged,
    labels: NDArray[np.int32],
    said: tuple[list[str], NDArray[np.int32]],
    settled: dict[str, Any],
) -> Fates:
    """Decide what becomes of every row: copies, leaks, and classes that are too small.

    `said` names what labels say and has the place of each row's among these: copies whose labels say different
    things are told as conflicts. Of classes these are their names; numbers are in one class and say many things.
    """
    kind, usable = find_kind(config.modality), np.flatnonzero(~staged.rejected)
    states = np.full(len(staged), QUARANTINED, np.uint8)
    survivors = np.full(len(staged), -1, np.int64)
    copies = find_copies(
        staged.ids[usable],
        staged.signatures,
        lambda i: staged.payload(int(usable[i])),
        kind,
        config.dedup,
        settled,
    )
    names, codes = said
    why, root = "", copies.root
    if copies.exact is not None and staged.names != [DOCUMENT]:
        # Numbers of samples that are alike may differ a little: only classes are asked whether labels agree.
        why = doubt(copies.root, copies.exact, labels[usable], names if codes is labels else ["the data"])
        root = copies.exact if why else root
    fate = choose_survivors(root, staged.splits[usable], codes[usable], staged.lengths[usable])
    states[usable] = fate.states
    survivors[usable] = np.where(fate.survivors >= 0, usable[fate.survivors], -1)
    rare = set_aside_rare(config, states, labels, staged.groups)
    reason = f"class with fewer than {config.min_class} usable samples"
    quarantined = staged.reasons + Counter({reason: int(((states == QUARANTINED) & ~staged.rejected).sum())})
    alike = None
    if why:
        alike = np.arange(len(staged))
        alike[usable] = usable[copies.root]
    fates = Fates(states, survivors, +quarantined, rare, reason, {}, alike)
    pairs = [(similarity, int(usable[one]), int(usable[other])) for similarity, one, other in copies.pairs]
    conflicts = [usable[rows].tolist() for rows in fate.conflicts]
    teller = Teller(staged, fates, codes, names, kind, settled)
    fates.copies.update(
        near_duplicates=teller.near_duplicates(),
        near_kept={"why": why, "pairs": copies.near} if why else {},
        nearest=teller.nearest(pairs),
        conflicts={"count": fate.conflicting, "samples": teller.conflicts(conflicts)},
    )
    return fates


@dataclass(frozen=True)
class Teller:
    """What the report says of copies, in words and pictures."""

    staged: Staged
    fates: Fates
    labels: NDArray[np.int32]
    names: list[str]  # of labels
    kind: Kind
    settled: dict[str, Any]

    def near_duplicates(self) -> int:
        """How many of the dropped copies are not equal to the row that stays."""
        dropped = np.flatnonzero(self.fates.survivors >= 0)
        return int((self.staged.ids[dropped] != self.staged.ids[self.fates.survivors[dropped]]).sum())

    def nearest(self, pairs: list[tuple[float, int, int]]) -> list[dict[str, Any]]:
        """Pairs of near copies side by side: the surest and the least sure of those that were found."""
        half = SHOWN_PAIRS // 2
        chosen = pairs if len(pairs) <= SHOWN_PAIRS else [*pairs[:half], *pairs[-half:]]
        names = row_names(
            self.staged.folder / "rows.arrow", [row for _, one, other in chosen for row in (one, other)]
        )
        return [
            {
                "similarity": similarity,
                "state": STATES[max(int(self.fates.states[one]), int(self.fates.states[other]))],
                "a": self._side(one, names),
                "b": self._side(other, names),
            }
            for similarity, one, other in chosen
        ]

    def _side(self, row: int, names: dict[int, str]) -> dict[str, Any]:
        code = int(self.staged.splits[row])
        return {
            "path": names[row],
            "label": self.names[int(self.labels[row])],
            "split": SPLITS[code] if code < len(SPLITS) else "",
            "shown": self.kind.show_payload(self.staged.payload(row), self.settled),
        }

    def conflicts(self, clusters: list[list[int]]) -> list[dict[str, Any]]:
        """Copies that carry different labels."""
        clusters = [rows[:SHOWN_COPIES] for rows in clusters]
        names = row_names(self.staged.folder / "rows.arrow", [row for rows in clusters for row in rows])
        return [
            {
                "paths": [names[row] for row in rows],
                "labels": [self.names[int(self.labels[row])] for row in rows],
            }
            for rows in clusters
        ]
