"""A look at a folder or file that says which source reads it: the `data:` section of a first recipe."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from bessemer.data.config import SourceConfig, folder_sources
from bessemer.data.files.table import TABLE_SUFFIXES
from bessemer.data.kinds import KINDS, sniff
from bessemer.data.record import Rejected
from bessemer.errors import DataError
from bessemer.prepare.source.archive import Member, is_zip, list_members, read_member, read_tar, stream_members
from bessemer.prepare.source.arrays import idx_files
from bessemer.prepare.source.common import (
    KIND_OF_SUFFIX,
    existing,
    is_archive,
    is_skipped,
    suffix_of,
)
from bessemer.prepare.source.dataset import is_dataset
from bessemer.prepare.source.folder import open_folder
from bessemer.prepare.source.guess import MEDIA, WRITTEN, guess_dataset, guess_table
from bessemer.prepare.source.layout import PACKED
from bessemer.prepare.source.tree import Tree

MAX_FILES = 20_000  # that are counted
SIDE_CARS = {".json", ".xml", ".xmp", ".txt", ".csv", ".tsv", ".yaml", ".yml", ".caption", ".tags", ".html", ".md"}
SEVERAL = 3  # samples of a class
MAX_SNIFFED = 200  # members of an archive that are unpacked for a look
KNOWN = (
    "give a folder per class (images, texts or recordings; a zip or tar file of it too), a table "
    "(CSV, TSV, JSONL, Parquet), a folder of IDX files, or one that datasets' save_to_disk wrote"
)


def detect(path: Path) -> dict[str, Any]:
    """The values of `data:` that read what stands at `path`; DataError where nothing is known that fits."""
    path = existing(str(path)).resolve()
    if path.is_dir():
        return _detect_folder(path)
    if is_archive(path.name):
        return _class_folders(path, _kinds_inside(path))
    if suffix_of(path.name) in TABLE_SUFFIXES:
        return {"source": "table", "path": str(path), **guess_table(path)}
    if path in idx_files(path.parent):
        return {"source": "idx", "path": str(path.parent)}
    raise DataError(f"{path}: not a kind of file that is known", KNOWN)


def _detect_folder(root: Path) -> dict[str, Any]:
    if idx_files(root):
        return {"source": "idx", "path": str(root)}
    if is_dataset(root):
        return {"source": "dataset", "path": str(root), **guess_dataset(root)}
    kinds = _kinds_below(root)
    if (table := _table_of(root, kinds)) is not None:
        return table
    return _class_folders(root, kinds)


def _table_of(root: Path, kinds: Counter[str]) -> dict[str, Any] | None:
    """The manifest that lists the folder's images or recordings, or the tables that the folder consists of."""
    tables = sorted(path for path in root.iterdir() if _is_table(path))
    if any(kinds[name] for name in MEDIA):
        for path in tables:
            try:
                found = guess_table(path)
            except DataError:
                continue  # a table of something else: the class folders are looked at next
            if set(MEDIA) & set(found["columns"]):
                return {"source": "table", "path": str(path), **found}
    elif tables or kinds["table"]:
        first = tables[0] if tables else next(path for path in _files(root) if _is_table(path))
        if 2 * kinds["table"] < kinds.total():
            return None
        whole = kinds["table"] > 1
        return {"source": "table", "path": str(root if whole else first), **guess_table(first)}
    return None


def _class_folders(path: Path, kinds: Counter[str]) -> dict[str, Any]:
    """The folder source for the kind that most files are of; it is opened, to be sure that it fits."""
    sources = folder_sources()
    kinds[WRITTEN] += kinds.pop("table", 0)
    counts = {name: kinds[name] for name in sources}
    links = {"links": "follow"} if path.is_dir() and leads_out(path) else {}
    modality = max(counts, key=lambda name: counts[name])
    for name, source in sources.items():
        if KINDS[name].decisive and name != modality and counts[name] and _has_several(path, source, links):
            modality = name
    if not counts[modality]:
        found = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()) if count) or "no files"
        packed = sorted({suffix_of(one.name) for one in _files(path)} & PACKED) if path.is_dir() else []
        remedy = f"unpack the {packed[0]} files: of archives zip and tar are read" if packed else KNOWN
        raise DataError(f"{path}: no images, texts or recordings in it (found: {found})", remedy)
    values = {"source": sources[modality], "path": str(path), **links}
    open_folder(SourceConfig.model_validate(values))
    return values


def leads_out(root: Path) -> bool:
    """Whether a link below a folder leads out of it."""
    tree = Tree(os.path.realpath(root))
    return any(tree.out for _ in tree.files())


def _has_several(path: Path, named: str, links: dict[str, str]) -> bool:
    """Whether two classes or more have samples of a source whose kind decides what a folder holds."""
    try:
        source = open_folder(SourceConfig.model_validate({"source": named, "path": str(path), **links}))
    except DataError:
        return False
    labels = Counter(raw.label for task in source.tasks() for raw in source.read(task) if raw.label is not None)
    return sum(count >= SEVERAL for count in labels.values()) >= 2


def _is_table(path: Path) -> bool:
    return suffix_of(path.name) in TABLE_SUFFIXES and path.is_file() and not is_skipped(path.name)


def _files(root: Path) -> Iterator[Path]:
    for found in Tree(os.path.realpath(root), follow=True).files():
        if os.path.isfile(found.path):
            yield Path(found.path)


def _kinds_below(root: Path) -> Counter[str]:
    """Number of files of each kind below a folder; those without a known suffix are looked into.

    A text beside an image or a recording of the same name describes it (`1.jpg`, `1.jpg.json`): it is counted as
    other.
    """
    kinds: Counter[str] = Counter()
    media: set[Path] = set()
    written: list[tuple[Path, str]] = []
    for path in islice(_files(root), MAX_FILES):
        suffix = suffix_of(path.name)
        kind = "table" if suffix in TABLE_SUFFIXES else KIND_OF_SUFFIX.get(suffix)
        if is_archive(path.name):
            kinds += _kinds_inside(path)
            continue
        kind = kind or _sniff_file(path)
        kinds[kind] += 1
        if kind in MEDIA:
            media |= {path, path.with_suffix("")}
        elif suffix in SIDE_CARS:
            written.append((path, kind))
    for path, kind in written:
        if path.with_suffix("") in media:
            kinds[kind] -= 1
            kinds["other"] += 1
    return kinds


def _kinds_inside(path: Path) -> Counter[str]:
    """Number of members of each kind; the first that have no known suffix are looked into."""
    kinds: Counter[str] = Counter()
    unknown = 0
    try:
        for member, read in islice(_members(path), MAX_FILES):
            name = member.name.split("/")[-1]
            if any(is_skipped(part) for part in member.name.split("/")):
                continue
            kind = KIND_OF_SUFFIX.get(suffix_of(name))
            unknown += kind is None
            kinds[kind or (_sniff_member(read) if unknown <= MAX_SNIFFED else "unknown")] += 1
    except (Rejected, OSError) as error:
        if not kinds:
            raise DataError(f"{path}: {error}", "make or download it again") from error
    return kinds


def _members(path: Path) -> Iterator[tuple[Member, Callable[[], bytes]]]:
    """Members with what reads them, before the next one is asked for."""
    if not is_zip(path):
        for member, window in stream_members(path):
            yield member, partial(read_tar, window, member)
        return
    for member in list_members(path):
        yield member, partial(read_member, path, member)


def _sniff_member(read: Callable[[], bytes]) -> str:
    try:
        return sniff(read()[:512])
    except Rejected:
        return "unreadable"


def _sniff_file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return sniff(file.read(512))
    except OSError:
        return "unreadable"
