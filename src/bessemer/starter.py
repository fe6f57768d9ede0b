"""A first recipe for a folder of data: it runs as it is, and says what to change."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from bessemer.data.config import DataConfig
from bessemer.data.kind import Kind
from bessemer.data.kinds import find_kind
from bessemer.data.record import Source
from bessemer.data.starter import MINUTES, Plan
from bessemer.errors import DataError, UsageError
from bessemer.prepare.ingest import Job, Task, in_order
from bessemer.prepare.prepare import Selection, tasks
from bessemer.prepare.source import open_source
from bessemer.prepare.source.detect import detect
from bessemer.prepare.source.label import alike, is_alphabet, of_one_spelling, says_no_label, told_alike
from bessemer.runtime import available_threads

LOOKS = 5000  # rows that are looked at to choose sizes
TEXT_LOOKS = 1000
WIDTH = 116  # of a comment
SHOWN = 5  # kinds of files that are not read
PARTS = 12  # of a table that are looked at


def write_recipe(
    data: Path,
    out: Path,
    force: bool = False,
    numbers: bool | None = None,
    label: str | None = None,
    minutes: float = MINUTES,
) -> str:
    """Look at `data`, write a commented recipe to `out`, and say what was found.

    `numbers` says whether labels that are numbers are to be guessed or are classes; None goes by the labels.
    `label` names the column of the label, `minutes` is what a whole run may take on this machine. Raises DataError
    where the data is of no kind that is known, UsageError where `out` is there already.
    """
    if out.exists() and not force:
        raise UsageError(f"{out}: is there already", "give another name with -o, or --force to replace it")
    if not data.exists():
        raise DataError(f"{data}: no such file or folder", "give the folder or file that holds the data")
    plan, kind = look(data, numbers, label)
    plan = replace(plan, minutes=minutes, speed=speed_here)
    try:
        out.write_text(with_notes(kind.starter(plan, out), plan.notes), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{out}: cannot be written: {error.strerror}", "give another place with -o") from error
    found = f"{plan.rows:,} {kind.noun} {plan.targets}, {kind.found(plan)}: wrote {out}"
    return "\n".join([found, *plan.notes, f"Next: bessemer run {out}"])


def speed_here() -> float:
    """Multiply-adds a second of training on this machine."""
    from bessemer.train.precision import speed

    return speed()


def with_notes(recipe: str, notes: list[str]) -> str:
    """The recipe with what was decided as comments below its first line."""
    first, rest = recipe.split("\n", 1)
    lines = [line for note in notes for line in textwrap.wrap(note, WIDTH, break_long_words=False)]
    return "\n".join([first, *(f"# {line}" for line in lines), rest])


def look(data: Path, numbers: bool | None = None, label: str | None = None) -> tuple[Plan, Kind]:
    """Find out what kind of data a folder or file holds, and what sizes suit it."""
    notes: list[str] = []
    values = detect(data, notes, label)
    values["path"] = str(Path(values["path"]).resolve())
    config = DataConfig(**values)
    kind = find_kind(config.modality)
    job = Job([open_source(config)], kind.cleaner(config))
    notes += notes_on(job.sources[0])
    counted = in_order(job, "count", tasks(job, Selection()), available_threads())
    rows = [row for piece in counted for row in piece]
    counts = merged(data, Counter(label for label, _ in rows if label is not None), values, notes)
    if without := len(rows) - counts.total():
        notes.append(f"{without:,} of {len(rows):,} {kind.noun} have no label, or several, and are set aside.")
    config = kind.suited(config, len(rows))
    job = Job(job.sources, kind.cleaner(config))
    some = evenly(list(tasks(job, Selection()))) if kind.whole_rows else tasks(job, Selection())
    most = PARTS * LOOKS if kind.whole_rows else LOOKS
    looks = list(islice((one for task in some for one in job.survey(*task)), most))
    if not looks:
        raise DataError(f"{data}: none of its {len(rows)} files can be read", "check that they are not damaged")
    job.cleaner.settle(iter(looks))
    if config.unit != "file":
        rows = in_parts(job)
        counts = Counter(label for label, _ in rows if label is not None)
        counts = of_one_spelling(counts) if values.get("merge_alike") else counts
    if kind.measures_texts:
        looks = text_lengths(job)
    splits = Counter(split for _, split in rows if split)
    origin = data.resolve() if data.is_dir() else Path(values["path"])
    plan = Plan(origin, values, len(rows), counts, splits, job.cleaner.settled, looks, config, numbers)
    notes += kind.notes(plan.settled)
    plan = with_commas(plan, notes)
    tell_labels(data, plan, kind, notes)
    shown = ["".join(letter if letter.isprintable() else " " for letter in note) for note in notes]
    return replace(plan, notes=shown), kind


def merged(data: Path, counts: Counter[str], values: dict[str, Any], notes: list[str]) -> Counter[str]:
    """Samples of each class; `merge_alike` is set in `values` where names differ in case or blanks alone.

    Raises DataError where there are fewer than two classes.
    """
    groups = alike(counts)
    if groups and is_alphabet(groups):
        notes.append(f"{told_alike(groups)} differ in case and stay apart; data.merge_alike would make them one.")
    elif groups:
        values["merge_alike"] = True
        notes.append(f"{told_alike(groups)} differ in case or blanks alone and are one class: data.merge_alike.")
        counts = of_one_spelling(counts)
    if len(counts) < 2:
        also = f"; its labels {told_alike(groups)} differ in case alone" if groups else ""
        problem = f"only one class in it ({next(iter(counts))}){also}" if counts else "no row in it has a label"
        raise DataError(f"{data}: {problem}", "a classifier needs at least two classes")
    return counts


def with_commas(plan: Plan, notes: list[str]) -> Plan:
    """The plan that reads numbers with a decimal comma, where they are numbers in no other way; not of classes."""
    columns = plan.data.get("columns") or {}
    if not plan.numbers and "decimal" in columns:
        kept = {name: value for name, value in columns.items() if name != "decimal"}
        return replace(plan, data={**plan.data, "columns": kept})
    if plan.numbers or not columns.get("label"):
        return plan
    other = replace(plan, data={**plan.data, "columns": {**columns, "decimal": ","}})
    if not other.numbers:
        return plan
    notes.append(f"Numbers in {columns['label']!r} have decimal commas: data.columns.decimal.")
    return other


def tell_labels(data: Path, plan: Plan, kind: Kind, notes: list[str]) -> None:
    """Add what labels are taken for, where they could be something else; DataError where they are no classes."""
    counts, column = plan.counts, (plan.data.get("columns") or {}).get("label")
    what = f"Column {column!r} holds" if column else "Labels are"
    if plan.as_numbers and not plan.numbers:
        problem = f"{data}: its labels are no numbers, such as {next(iter(counts))[:40]!r}"
        raise DataError(problem, "leave out --task regress: a class is told then")
    if plan.numbers:
        if not kind.whole_rows:
            notes.append(
                f"{what} numbers, and the number itself is told; init --task classify makes classes of them."
            )
    elif len(plan.read) == len(counts) > 2:
        notes.append(
            f"{what} {len(counts)} whole numbers, taken as classes; init --task regress tells the number."
        )
    elif max(counts.values()) == 1:
        example = next(iter(counts))[:40]
        problem = f"{data}: each of its {counts.total()} {kind.noun} has a class of its own, such as {example!r}"
        raise DataError(problem, "name a column, or make folders, whose classes come back in several samples")
    said = [repr(name) for name in counts if says_no_label(name)]
    if said:
        words = " and ".join(said)
        notes.append(
            f"{words}: a class here, since the file holds it as text. Leave such cells empty if it is none."
        )


def notes_on(source: Source) -> Iterator[str]:
    """What a source decided or leaves out that a user should know."""
    yield from getattr(source, "notes", ())
    if source.ignored:
        most = Counter(source.ignored).most_common()
        names = ", ".join(f"{count:,} {name or 'without suffix'}" for name, count in most[:SHOWN])
        rest = sum(count for _, count in most[SHOWN:])
        yield f"Not read, being of other kinds: {names}{f' and {rest:,} more' if rest else ''}."


def evenly(every: list[Task]) -> list[Task]:
    """Some pieces of a table from its beginning to its end: rows may be sorted."""
    return every if len(every) <= PARTS else [every[place * len(every) // PARTS] for place in range(PARTS)]


def in_parts(job: Job) -> list[tuple[str | None, str]]:
    """Label and split of each sample, where a file holds many."""
    cleaned = in_order(job, "clean", tasks(job, Selection()), available_threads())
    return [row for done in cleaned for row in zip(done.rows["label"], done.rows["split"], strict=True)]


def text_lengths(job: Job) -> list[float]:
    """Characters of the first clean texts."""
    cleaned = (job.clean(*task) for task in tasks(job, Selection()))
    lengths = (length for done in cleaned for length, size in zip(done.lengths, done.sizes, strict=True) if size)
    return list(islice(lengths, TEXT_LOOKS)) or [1.0]
