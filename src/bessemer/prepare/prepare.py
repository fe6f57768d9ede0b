"""The prepare stage: raw rows read once, cleaned, broken ones set aside, copies removed, split, and stored.

Every row is accounted for: kept + quarantined + duplicates + leaks = rows. What became of each stands in
`rows.arrow`; the raw values of quarantined ones can be read back from `quarantine.arrow`.
"""

from __future__ import annotations

import ctypes
import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bessemer.data.config import DataConfig
from bessemer.data.histogram import histogram
from bessemer.data.kinds import find_kind
from bessemer.data.split import SPLITS, take_count
from bessemer.draws import mix
from bessemer.errors import DataError
from bessemer.prepare.accounts import Fates, settle, write_quarantine, write_rows
from bessemer.prepare.chosen import Chosen
from bessemer.prepare.ingest import Job, Task, in_order, ingest
from bessemer.prepare.numbers import check_numbers, describe_numbers, distinct_numbers, numbers_in, numbers_of
from bessemer.prepare.review import review_labels
from bessemer.prepare.source import open_source
from bessemer.prepare.source.label import SEVERAL, alike, joined, one_spelling, told_alike
from bessemer.prepare.splits import choose_splits
from bessemer.prepare.staging import NO_LABEL, Staged, tell_repeats_apart
from bessemer.runtime import SILENT, Progress, available_threads

MAX_CLASSES = 10_000
NUMBER = "number"  # the class of all rows whose labels are numbers

Finish = Callable[[DataConfig, dict[str, Any], Chosen, Path], dict[str, Any]]


@dataclass(frozen=True)
class Selection:
    """Which rows a limited run uses: for each task, in order, whether each of its rows is wanted; and how many."""

    wanted: list[NDArray[np.bool_]] | None = None
    total: int = 0


def prepare(
    config: DataConfig,
    seed: int,
    out: Path,
    progress: Progress = SILENT,
    workers: int | None = None,
    labelled: bool = True,
    finish: Finish | None = None,
    numbers: bool = False,
) -> dict[str, Any]:
    """Read the sources, write the prepared data set into `out`, and return what `dataset.json` says.

    The result does not depend on `workers`, the number of processes. With `labelled=False` rows are documents and
    need no label; with `numbers=True` labels are numbers, kept as float32 (N,) or, of several columns, (N, K), and
    all rows stand in one class. `finish` stores what is kept in another way than the kind of data does. Raises
    DataError where the data is missing, broken beyond `max_quarantined`, or too small to split.
    """
    workers, kind = workers or available_threads(), find_kind(config.modality)
    read = numbers_in(config) if numbers else []
    job = Job([open_source(one, labelled) for one in config.sources], kind.cleaner(config), read)
    refuse_empty_folders(config, job)
    selection = choose_rows(job, config, seed, workers)
    if job.cleaner.needs_survey:
        progress.note("looking at the data")
        looks = chain.from_iterable(in_order(job, "survey", tasks(job, selection), workers))
        job.cleaner.settle(map(copy, looks))  # an array would keep the bytes that it came in from its worker
        give_back()
    staging = out / "staging"
    staged = ingest(job, staging, SPLITS, lambda: tasks(job, selection), workers, progress, selection.total)
    check_numbers(config, job.numbers, staged)
    notes = check_labels(config, staged, progress) if labelled and not numbers else []
    check_quarantined(config, staged)
    if kind.whole_rows and kind.repeats(len(staged), len(np.unique(staged.ids))):
        tell_repeats_apart(staged)
    give_back()
    progress.note("looking for copies")
    about, chosen, labels = account(
        config, job, selection, staged, seed, out, 2 if labelled and not numbers else 1
    )
    give_back()
    about |= (finish or kind.finish)(config, job.cleaner.settled, chosen, out)
    notes += kind.decided(job.cleaner.settled)
    about |= {"notes": notes, "told": kind.told(about), "noun": kind.noun, "drawn": kind.drawn}
    give_back()
    if labelled and not numbers:
        about |= review_labels(config, about, chosen, labels, seed, out)
    shutil.rmtree(staging)
    (out / "dataset.json").write_text(json.dumps(about, indent=1), encoding="utf-8")
    return about


def account(
    config: DataConfig,
    job: Job,
    selection: Selection,
    staged: Staged,
    seed: int,
    out: Path,
    least: int = 2,
) -> tuple[dict[str, Any], Chosen, NDArray[np.int32]]:
    """Decide on every row and write what is known of it; returns the report, the kept rows and their labels.

    Raises DataError where there are fewer than `least` classes.
    """
    classes, labels = (one_class if job.numbers else name_classes)(job, staged, least, config.merge_alike)
    names = job.numbers[0].names if job.numbers else ()
    said = distinct_numbers(staged, len(names)) if names else (classes, labels)
    fates = settle(config, staged, labels, said, job.cleaner.settled)
    classes, labels = without_rare(classes, labels, fates, least)
    chosen = Chosen(staged, fates.kept, choose_splits(config.split, staged, fates.kept, labels, seed))
    check_splits(classes, labels, fates, chosen.split)
    kept = labels[chosen.rows]
    about = describe(config, job, staged, classes, kept, fates, chosen)
    targets: NDArray[Any] = kept.astype(np.int64)
    if names:
        targets = numbers_of(staged, len(names))[chosen.rows]
        about["numbers"] = describe_numbers(names, targets, chosen.train)
        targets = targets[:, 0] if len(names) == 1 else targets
    np.save(out / "labels.npy", targets)
    np.save(out / "ids.npy", staged.ids[chosen.rows])
    np.save(out / "split.npy", chosen.split)
    np.save(out / "sources.npy", staged.sources[chosen.rows])
    write_rows(staged, fates, chosen.split, SPLITS, out / "rows.arrow")
    write_quarantine(staged, fates, job, tasks(job, selection), out / "quarantine.arrow")
    return about, chosen, kept


def give_back() -> None:
    """Return to the system what was freed: glibc keeps it where it lies between blocks in use (docs/log.md)."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # other C libraries have none
    if trim is not None:
        trim(0)


def refuse_empty_folders(config: DataConfig, job: Job) -> None:
    """An empty class folder is most often a mistake; with `min_class` the recipe says that it is not."""
    for source in job.sources:
        for folder in getattr(source, "empty", ()):
            if config.min_class == 1:
                remedy = "fill it, remove it, or set data.min_class to leave out classes with few samples"
                raise DataError(f"{folder}: an empty class folder", remedy)


def tasks(job: Job, selection: Selection) -> Iterator[Task]:
    """All tasks of all sources, in order."""
    number = 0
    for source, one in enumerate(job.sources):
        for task in one.tasks():
            yield source, task, selection.wanted[number] if selection.wanted is not None else None
            number += 1


def choose_rows(job: Job, config: DataConfig, seed: int, workers: int) -> Selection:
    """At most `config.limit` rows, every class and given split keeping its share."""
    if config.limit is None:
        return Selection()
    kinds: dict[tuple[str | None, str], int] = {}
    counted = [
        np.array([kinds.setdefault((None, row[1]) if job.numbers else row, len(kinds)) for row in rows], np.int32)
        for rows in in_order(job, "count", tasks(job, Selection()), workers)
    ]
    groups = np.concatenate([np.empty(0, np.int32), *counted])
    if config.limit >= len(groups):
        return Selection(total=len(groups))
    wanted = np.zeros(len(groups), bool)
    wanted[take_count(groups, mix(np.arange(len(groups), dtype=np.uint64)), config.limit, seed)] = True
    ends = np.cumsum([len(rows) for rows in counted])
    return Selection(np.split(wanted, ends[:-1]), config.limit)


def said_by(staged: Staged) -> Counter[str]:
    """How many rows that can be used carry each label."""
    counts = np.bincount(
        staged.labels[~staged.rejected & (staged.labels != NO_LABEL)], minlength=len(staged.names)
    )
    return Counter(dict(zip(staged.names, counts.tolist(), strict=True)))


def check_labels(config: DataConfig, staged: Staged, progress: Progress) -> list[str]:
    """Stop where labels are lists of classes; returns what is to be told of the names of classes."""
    said = said_by(staged)
    lists, several = staged.reasons[SEVERAL], joined(said)
    if lists + several.total() > config.max_quarantined * max(1, lists + said.total()):
        example = staged.examples.get(SEVERAL) or next(iter(several))
        column = config.columns and config.columns.class_label
        what = f"column {column!r}, the label," if column else "the label"
        problem = (
            f"{what} lists several classes in {lists + several.total()} of {len(staged)} rows, such as {example!r}"
        )
        raise DataError(problem, "keep one class a row, or name another column in data.columns.label")
    told = []
    if several:
        some = ", ".join(repr(name) for name in list(several)[:3])
        told.append(f"{len(several)} labels seem to join several classes, and are classes of their own: {some}")
    groups = alike(name for name, count in said.items() if count)
    if groups and not config.merge_alike:
        told.append(
            f"classes that differ in case or blanks alone: {told_alike(groups)}; data.merge_alike makes them one"
        )
    for one in told:
        progress.note(one)
    return told


def name_classes(
    job: Job, staged: Staged, least: int = 2, merge: bool = False
) -> tuple[list[str], NDArray[np.int32]]:
    """The classes in order, and for each row the place of its class, NO_LABEL where it has none.

    With `merge` labels that differ in case or blanks alone are one class, called as most of them are.
    """
    known = job.sources[0].classes
    spelled = one_spelling(said_by(staged)) if merge else {name: name for name in staged.names}
    classes = known if known is not None and len(job.sources) == 1 else sorted(staged.names)
    classes = list(dict.fromkeys(spelled.get(name, name) for name in classes))
    if len(classes) > MAX_CLASSES:
        problem = f"{len(classes):,} different labels, such as {classes[0]!r} and {classes[1]!r}"
        raise DataError(problem, "check that the right column or folder level is taken for the label")
    place = {name: index for index, name in enumerate(classes)}
    codes = np.array([*(place[spelled[name]] for name in staged.names), NO_LABEL], np.int32)
    labels = codes[staged.labels]
    present = np.unique(labels[~staged.rejected])
    if len(present) < least:
        only = classes[int(present[0])] if len(present) else "none"
        raise DataError(f"only one class in the data ({only})", "a classifier needs at least two classes")
    return list(classes), labels


def one_class(
    job: Job, staged: Staged, least: int = 1, merge: bool = False
) -> tuple[list[str], NDArray[np.int32]]:
    """The same where labels are numbers: one class of all rows that have one."""
    return [NUMBER], np.where(staged.labels == NO_LABEL, NO_LABEL, 0).astype(np.int32)


def without_rare(
    classes: list[str], labels: NDArray[np.int32], fates: Fates, least: int = 2
) -> tuple[list[str], NDArray[np.int32]]:
    """The classes that are left after those with too few samples were set aside, and the labels among them."""
    left = [index for index in range(len(classes)) if index not in fates.rare]
    if len(left) < least:
        raise DataError("fewer than two classes have enough usable samples", "add data, or lower data.min_class")
    codes = np.full(len(classes) + 1, NO_LABEL, np.int32)
    codes[left] = np.arange(len(left))
    return [classes[index] for index in left], codes[labels]


def check_quarantined(config: DataConfig, staged: Staged) -> None:
    """Stop where more is broken than the settings allow."""
    total, first = len(staged), f"first: {staged.first_broken}"
    if total == 0:
        raise DataError(f"{config.path}: no sample in it", "check data.path")
    if staged.broken == total:
        raise DataError(f"all {total} samples are broken ({first})", "check the files")
    if staged.rejected.all():
        reasons = ", ".join(f"{count} {reason}" for reason, count in staged.reasons.most_common(3))
        raise DataError(
            f"none of the {total} samples can be used: {reasons}", "check the files and data.* settings"
        )
    share = staged.broken / total
    if share > config.max_quarantined:
        problem = f"{staged.broken} of {total} samples ({share:.0%}) are broken ({first})"
        raise DataError(problem, f"repair them, or raise data.max_quarantined (now {config.max_quarantined})")


def check_splits(classes: list[str], labels: NDArray[np.int32], fates: Fates, split: NDArray[np.uint8]) -> None:
    """Every class that is tested must be trained, and every split must hold something."""
    kept = labels[fates.kept]
    few, remedy = "", "add data, or change data.split"
    if len(kept) and np.bincount(kept).max() < len(SPLITS):
        few = f": {len(kept)} usable samples in {len(classes)} classes, so that no class has one for each split"
        remedy = "name a label whose classes come back in data.columns.label, or set task: regress for numbers"
    for index, name in enumerate(SPLITS):
        if not (split == index).any():
            raise DataError(f"no sample is left for the {name} split{few}", remedy)
    lost = sorted(set(labels[labels != NO_LABEL].tolist()) - set(kept.tolist()))
    if lost:
        problem = f"class {classes[lost[0]]!r} has no usable sample: all of them are broken or copies"
        raise DataError(problem, "add samples of this class, remove it, or set data.min_class to leave it out")
    untrained = set(np.unique(kept).tolist()) - set(np.unique(kept[split == 0]).tolist())
    if untrained:
        name = classes[min(untrained)]
        count = int((kept == min(untrained)).sum())
        problem = f"class {name!r} has {count} usable sample(s), none of them in the training split"
        remedy = "add samples of this class (parts of one file count as one), remove it, or set data.min_class"
        raise DataError(problem, remedy)


def describe(
    config: DataConfig,
    job: Job,
    staged: Staged,
    classes: list[str],
    labels: NDArray[np.int32],
    fates: Fates,
    chosen: Chosen,
) -> dict[str, Any]:
    """What `dataset.json` and the report say of the rows."""
    counts = {
        name: np.bincount(labels[chosen.split == i], minlength=len(classes)) for i, name in enumerate(SPLITS)
    }
    ignored: Counter[str] = sum((Counter(one.ignored) for one in job.sources), Counter())
    kind = find_kind(config.modality)
    every = np.bincount(staged.sources, minlength=len(job.sources)).tolist()
    return {
        "modality": config.modality,
        "source": config.source,
        "sources": [
            {"source": one.source, "path": one.path, "weight": one.weight, "rows": rows}
            for one, rows in zip(config.sources, every, strict=True)
        ],
        "classes": classes,
        "rows": len(staged),
        "kept": len(fates.kept),
        "quarantined": dict(fates.quarantined.most_common()),
        **fates.facts(staged, classes),
        "repairs": dict(staged.repairs.most_common()),
        "ignored": dict(ignored.most_common()),
        "lengths": {"name": kind.sizes, "unit": kind.unit, **histogram(staged.lengths[fates.kept])},
        "splits": {name: int(count.sum()) for name, count in counts.items()},
        "class_counts": {name: count.tolist() for name, count in counts.items()},
    }
