"""Rows from their sources to cleaned samples, by several processes, in an order that does not depend on them.

A task (a few hundred rows) is read, cleaned and hashed in a worker process. Results are taken in the order of the
tasks, with few in flight, so memory stays flat and any number of workers writes the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bessemer.data.record import FILTERED, Clean, Cleaner, Raw, Rejected, Source
from bessemer.errors import DataError
from bessemer.prepare.numbers import Numbers
from bessemer.prepare.staging import Done, Staged, Stager
from bessemer.runtime import Progress

FEW_TASKS = 3  # fewer are done in this process: starting others takes longer
SHOWN_BYTES = 1 << 20  # of a quarantined row's value that is kept


class Job:
    """What a worker process knows: the sources, the cleaner, and how labels of each source are read as numbers.

    `numbers` is empty where labels are none.
    """

    def __init__(self, sources: Sequence[Source], cleaner: Cleaner, numbers: Sequence[Numbers] = ()) -> None:
        self.sources = sources
        self.cleaner = cleaner
        self.numbers = numbers

    def rows(self, number: int, task: Any, wanted: NDArray[np.bool_] | None) -> Iterator[Raw]:
        """The rows of a task that are wanted."""
        for place, raw in enumerate(self.sources[number].read(task)):
            if wanted is None or wanted[place]:
                yield raw

    def count(self, number: int, task: Any, wanted: NDArray[np.bool_] | None) -> list[tuple[str | None, str]]:
        """Label and split of each row."""
        return [(raw.label, raw.split) for raw in self.rows(number, task, wanted)]

    def survey(self, number: int, task: Any, wanted: NDArray[np.bool_] | None) -> list[Any]:
        """A look at each row that can be looked at."""
        looks = []
        for raw in self.rows(number, task, wanted):
            try:
                if not isinstance(raw.value, Rejected):
                    looks.append(self.cleaner.survey(raw))
            except Rejected:
                continue  # the clean pass meets it again and counts it with its reason
        return looks

    def clean(self, number: int, task: Any, wanted: NDArray[np.bool_] | None) -> Done:
        """Clean the rows of a task."""
        done = Done()
        for raw in self.rows(number, task, wanted):
            try:
                raw = self._labelled(number, raw)
                for one in self.cleaner.clean(raw):
                    add_sample(done, number, raw, one)
            except Rejected as fate:
                add_sample(done, number, raw, fate)
        return done

    def _labelled(self, number: int, raw: Raw) -> Raw:
        """The row, its label in the one form that numbers are kept in; raises Rejected where it cannot be used."""
        if isinstance(raw.value, Rejected):
            raise raw.value
        if raw.label is None:
            raise Rejected("no label", kind=FILTERED)
        return replace(raw, label=self.numbers[number].canonical(raw.label)) if self.numbers else raw


def add_sample(done: Done, number: int, raw: Raw, one: Clean | Rejected) -> None:
    """Add a line for a cleaned sample or a rejected row."""
    kept = isinstance(one, Clean)
    part = one.part if isinstance(one, Clean) else ""
    line = {
        "source": number,
        "origin": raw.origin,
        "place": ", ".join(filter(None, (raw.place, part))),
        "label": raw.label,
        "split": raw.split,
        "reason": one.reason if isinstance(one, Rejected) else None,
        "detail": one.detail if isinstance(one, Rejected) else None,
        "kind": one.kind if isinstance(one, Rejected) else None,
        "repairs": [*raw.repairs, *one.repairs] if isinstance(one, Clean) else [],
    }
    for name, value in line.items():
        done.rows[name].append(value)
    digest = hashlib.sha256(one.payload).digest()[:8] if isinstance(one, Clean) else bytes(8)
    done.ids.append(int.from_bytes(digest, "little"))
    whole = (
        hashlib.sha256(f"{number}/{raw.name}".encode(errors="surrogateescape")).digest()[:8] if part else digest
    )
    done.groups.append(int.from_bytes(whole, "little"))
    done.sizes.append(len(one.payload) if isinstance(one, Clean) else 0)
    done.lengths.append(one.length if isinstance(one, Clean) else 0.0)
    done.payloads.append(one.payload if isinstance(one, Clean) else b"")
    if isinstance(one, Clean) and one.signature.size:
        done.signatures.append(one.signature)
    if not kept and isinstance(one, Rejected):
        done.values.append(
            (raw.origin, line["place"], raw.label, one.reason, one.detail, one.kind, first_bytes(raw))
        )


def first_bytes(raw: Raw) -> bytes | None:
    """The beginning of a row's raw value."""
    if isinstance(raw.value, Path):
        try:
            with raw.value.open("rb") as file:
                return file.read(SHOWN_BYTES)
        except OSError:
            return None
    if isinstance(raw.value, str):
        return raw.value[:SHOWN_BYTES].encode(errors="surrogateescape")
    if isinstance(raw.value, Mapping):
        return json.dumps(dict(raw.value), default=str, ensure_ascii=False)[:SHOWN_BYTES].encode(errors="replace")
    return raw.value[:SHOWN_BYTES] if isinstance(raw.value, bytes) else None


# --- worker processes -----------------------------------------------------------------------------------

_here: list[Job] = []  # the job of this worker process


def _begin(job: Job) -> None:
    _here[:] = [job]


def _call(method: str, number: int, task: Any, wanted: NDArray[np.bool_] | None) -> Any:
    return getattr(_here[0], method)(number, task, wanted)


Task = tuple[int, Any, NDArray[np.bool_] | None]


def in_order(job: Job, method: str, tasks: Iterator[Task], workers: int) -> Iterator[Any]:
    """Results of a method of the job for each task, in order; few tasks, or one worker, need no processes."""
    first = list(islice(tasks, FEW_TASKS))
    if workers < 2 or len(first) < FEW_TASKS:
        for task in chain(first, tasks):
            yield getattr(job, method)(*task)
        return
    with processes(job, workers) as pool:
        waiting: deque[Future[Any]] = deque()
        for task in chain(first, tasks):
            waiting.append(pool.submit(_call, method, *task))
            if len(waiting) > workers + 1:
                yield _result(waiting.popleft())
        while waiting:
            yield _result(waiting.popleft())


def _result(future: Future[Any]) -> Any:
    try:
        return future.result()
    except BrokenExecutor as error:
        problem = "a process that reads the data was killed, most often because memory ran out"
        remedy = "free some memory, or set OMP_NUM_THREADS lower: so many processes read"
        raise DataError(problem, remedy) from error


@contextmanager
def processes(job: Job, workers: int) -> Iterator[Executor]:
    """Worker processes that know the job; they end with this process, however it ends."""
    from loky import ProcessPoolExecutor  # unlike the standard library's, it does not run the user's script again

    pool = ProcessPoolExecutor(workers, initializer=_begin, initargs=(job,), timeout=60)
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, kill_workers=True)


def ingest(
    job: Job,
    folder: Path,
    splits: Sequence[str],
    tasks: Callable[[], Iterator[Task]],
    workers: int,
    progress: Progress,
    total: int = 0,
) -> Staged:
    """Clean all rows of all tasks into `folder`."""
    with Stager(folder, splits) as stager:
        for done in in_order(job, "clean", tasks(), workers):
            stager.add(done)
            count = stager.reasons.total()
            known = total if total >= len(stager) else 0  # a row may give several samples
            progress.step("prepare", len(stager), known, f"rows, {count:,} set aside")
    return stager.staged()
