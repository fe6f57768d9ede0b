"""A first recipe for a folder of data: it runs as it is, and says what to change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from bessemer.data.config import DataConfig
from bessemer.data.kind import Kind
from bessemer.data.kinds import find_kind
from bessemer.data.record import Source
from bessemer.data.starter import Plan
from bessemer.errors import DataError, UsageError
from bessemer.prepare.ingest import Job, Task, in_order
from bessemer.prepare.prepare import Selection, tasks
from bessemer.prepare.source import open_source
from bessemer.prepare.source.detect import detect
from bessemer.runtime import available_threads

LOOKS = 5000  # rows that are looked at to choose sizes
TEXT_LOOKS = 1000
SHOWN = 5  # kinds of files that are not read
PARTS = 12  # of a table that are looked at


def write_recipe(data: Path, out: Path, force: bool = False) -> str:
    """Look at `data`, write a commented recipe to `out`, and say what was found.

    Raises DataError where the data is of no kind that is known, UsageError where `out` is there already.
    """
    if out.exists() and not force:
        raise UsageError(f"{out}: is there already", "give another name with -o, or --force to replace it")
    if not data.exists():
        raise DataError(f"{data}: no such file or folder", "give the folder or file that holds the data")
    plan, kind = look(data)
    try:
        out.write_text(kind.starter(plan, out), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{out}: cannot be written: {error.strerror}", "give another place with -o") from error
    found = f"{plan.rows:,} {kind.noun} {plan.targets}, {kind.found(plan)}"
    remarks = "".join(f"Note: {remark}.\n" for remark in plan.remarks)
    return f"{found}: wrote {out}\n{remarks}Next: bessemer run {out}"


def look(data: Path) -> tuple[Plan, Kind]:
    """Find out what kind of data a folder or file holds, and what sizes suit it."""
    values = detect(data)
    values["path"] = str(Path(values["path"]).resolve())
    config = DataConfig(**values)
    kind = find_kind(config.modality)
    job = Job([open_source(config)], kind.cleaner(config))
    counted = in_order(job, "count", tasks(job, Selection()), available_threads())
    rows = [row for piece in counted for row in piece]
    counts = Counter(label for label, _ in rows if label is not None)
    if len(counts) < 2:
        problem = f"only one class in it ({next(iter(counts))})" if counts else "no row in it has a label"
        raise DataError(f"{data}: {problem}", "a classifier needs at least two classes")
    config = kind.suited(config, len(rows))
    job = Job(job.sources, kind.cleaner(config))
    some = evenly(list(tasks(job, Selection()))) if kind.whole_rows else tasks(job, Selection())
    most = PARTS * LOOKS if kind.whole_rows else LOOKS
    looks = list(islice((one for task in some for one in job.survey(*task)), most))
    if not looks:
        raise DataError(f"{data}: none of its {len(rows)} files can be read", "check that they are not damaged")
    job.cleaner.settle(iter(looks))
    if kind.measures_texts:
        looks = text_lengths(job)
    splits = Counter(split for _, split in rows if split)
    origin = data.resolve() if data.is_dir() else Path(values["path"])
    told = tuple(remark for source in job.sources for remark in remarks_on(source))
    return Plan(origin, values, len(rows), counts, splits, job.cleaner.settled, looks, config, told), kind


def remarks_on(source: Source) -> Iterator[str]:
    """What a source decided or leaves out that a user should know."""
    yield from getattr(source, "remarks", ())
    if source.ignored:
        names = [f"{count:,} {name}" for name, count in Counter(source.ignored).most_common(SHOWN)]
        rest = sum(source.ignored.values()) - sum(count for _, count in Counter(source.ignored).most_common(SHOWN))
        yield f"not read, as they are of other kinds: {', '.join(names)}{f' and {rest:,} more' if rest else ''}"


def evenly(every: list[Task]) -> list[Task]:
    """Some pieces of a table from its beginning to its end: rows may be sorted."""
    return every if len(every) <= PARTS else [every[place * len(every) // PARTS] for place in range(PARTS)]


def text_lengths(job: Job) -> list[float]:
    """Characters of the first clean texts."""
    cleaned = (job.clean(*task) for task in tasks(job, Selection()))
    lengths = (length for done in cleaned for length, size in zip(done.lengths, done.sizes, strict=True) if size)
    return list(islice(lengths, TEXT_LOOKS)) or [1.0]
