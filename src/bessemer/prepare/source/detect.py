"""A look at a folder or file that says which source reads it: the `data:` section of a first recipe."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from bessemer.data.config import SourceConfig, folder_sources
from bessemer.data.files.packed import is_about
from bessemer.data.files.pointer import GET, is_pointer, refuse_pointer
from bessemer.data.files.table import SHEETS, is_table, is_table_name, open_file
from bessemer.data.kinds import KINDS, sniff
from bessemer.data.record import Rejected
from bessemer.data.text.config import TextConfig
from bessemer.data.text.decode import decode
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
from bessemer.prepare.source.guess import WRITTEN, guess_dataset, guess_table
from bessemer.prepare.source.layout import PACKED
from bessemer.prepare.source.look import MEDIA, words_of
from bessemer.prepare.source.target import SHOWN, listing
from bessemer.prepare.source.tree import Tree

MAX_FILES = 20_000  # that are counted
SIDE_CARS = {".json", ".xml", ".xmp", ".txt", ".csv", ".tsv", ".yaml", ".yml", ".caption", ".tags", ".html", ".md"}
SEVERAL = 3  # samples of a class
MOST_FILES, FEW_FILES = 100, 2  # files, and of a folder, that may hold many samples each
SEVERAL_FILES = 50  # that are looked into for pointers
LEAST_PIECES = 20  # of a file of prose that is cut into samples
SENTENCE_END = re.compile(r"[.!?][\"”’]?\s+[\"“‘]?[^\W\d_a-z]")
LEAST_LINES = 20  # of a file whose lines are samples
HEAD = 2**18  # bytes of a file that are looked at
MAX_SNIFFED = 200  # members of an archive that are unpacked for a look
KNOWN = (
    "give a folder per class (images, texts or recordings; a zip or tar file of it too), a table "
    "(CSV, TSV, JSON, JSONL, Parquet, also packed), a folder of IDX files, or what datasets' save_to_disk wrote"
)


def detect(path: Path, notes: list[str] | None = None, label: str | None = None) -> dict[str, Any]:
    """The values of `data:` that read what stands at `path`; DataError where nothing is known that fits.

    What was chosen among several, or left out, is added to `notes` in sentences. `label` names the column of the
    label where there is a table.
    """
    values = _detect(path, [] if notes is None else notes, label or True)
    if label is not None and "columns" not in values:
        raise DataError(f"{path}: is no table, and has no column {label!r}", "leave out --label")
    return values


def _detect(path: Path, notes: list[str], label: str | bool) -> dict[str, Any]:
    path = existing(str(path)).resolve()
    if path.is_dir():
        return _detect_folder(path, notes, label)
    refuse_pointer(path)
    if is_table(path):
        return {"source": "table", "path": str(path), **guess_table(path, notes, label)}
    if is_archive(path.name):
        return _class_folders(path, _kinds_inside(path))
    if path in idx_files(path.parent):
        return {"source": "idx", "path": str(path.parent)}
    sheet = "save its sheet as CSV in the program that wrote it; or " if suffix_of(path.name) in SHEETS else ""
    raise DataError(f"{path}: not a kind of file that is known", sheet + KNOWN)


def _detect_folder(root: Path, notes: list[str], label: str | bool) -> dict[str, Any]:
    if idx_files(root):
        return {"source": "idx", "path": str(root)}
    if is_dataset(root):
        return {"source": "dataset", "path": str(root), **guess_dataset(root, notes, label)}
    _refuse_pointers(root)
    kinds = _kinds_below(root)
    if (table := _table_of(root, kinds, notes, label)) is not None:
        return table
    return _class_folders(root, kinds)


def _table_of(root: Path, kinds: Counter[str], notes: list[str], label: str | bool) -> dict[str, Any] | None:
    """The manifest that lists the folder's images or recordings, or the tables that the folder consists of."""
    tables = sorted((path for path in root.iterdir() if _is_table(path)), key=_unlikely) or _tables_inside(root)
    if any(kinds[name] for name in MEDIA):
        for path in tables:
            try:
                inputs = guess_table(path, label=False)
            except DataError:
                continue  # a table of something else: the class folders are looked at next
            if set(MEDIA) & set(inputs["columns"]):
                told: list[str] = []
                found = guess_table(path, told, label)
                others = [one.name for one in tables if one != path]
                beside = f"; not read beside it: {listing(others)}" if others else ""
                notes += [f"The samples are those of {path.name!r}{beside}.", *told]
                return {"source": "table", "path": str(path), **found}
        _refuse_no_match(root, tables)
    elif tables or kinds["table"]:
        first = tables[0] if tables else next(path for path in _files(root) if _is_table(path))
        if 2 * max(kinds["table"], len(tables)) < kinds.total():
            return None
        whole = max(kinds["table"], len(tables)) > 1
        return {"source": "table", "path": str(root if whole else first), **guess_table(first, notes, label)}
    return None


def _tables_inside(root: Path) -> list[Path]:
    """The files of a folder without others, where all of them are tables by what they hold; [] where not."""
    inside = [path for path in sorted(root.iterdir()) if not is_skipped(path.name) and not is_about(path.name)]
    few = 0 < len(inside) <= MOST_FILES and all(path.is_file() for path in inside)
    return inside if few and all(is_table(path) for path in inside) else []


def _refuse_no_match(root: Path, tables: list[Path]) -> None:
    """Refuse a table beside files that no column of it names, where these stand in no class folders either."""
    folders = {path.relative_to(root).parts[:-1] for path in islice(_files(root), MAX_FILES) if path not in tables}
    if tables and len(folders) == 1:
        table = open_file(tables[0])
        columns = ", ".join(table.columns[:SHOWN])
        problem = f"{root}: no column of {tables[0].name} names the files beside it (its columns are {columns})"
        remedy = "write into one column, such as id, the name of each row's file, with or without its suffix"
        raise DataError(problem, f"{remedy}; or make a folder per class")


def _unlikely(path: Path) -> tuple[bool, bool, Path]:
    """What sorts tables that list samples with labels before others: those to be filled in come last."""
    words = words_of(path.stem)
    return bool({"submission", "test"} & set(words)), not {"train", "training", "labels"} & set(words), path


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
    values: dict[str, Any] = {"source": sources[modality], "path": str(path), **links}
    if modality == WRITTEN and path.is_dir() and (unit := _unit_of(path, links)):
        return values | {"unit": unit}
    open_folder(SourceConfig.model_validate(values))
    return values


def _unit_of(root: Path, links: dict[str, str]) -> str:
    """What is a sample where classes are one file or two, each: `line`, `piece` of prose; else ""."""
    files = [path for path in islice(_files(root), MAX_FILES) if not is_about(path.name)]
    folders = Counter(path.parent for path in files)
    if not 2 <= len(files) <= MOST_FILES or (max(folders.values()) > FEW_FILES and len(folders) > 1):
        return ""
    heads = [head for path in files if (head := _text_of(path))]
    lines = [[line for line in head.splitlines() if line.strip()] for head in heads]
    numbered = sum(any(letter.isdigit() for letter in path.stem) for path in files)
    if len(folders) == 1 and 2 * numbered > len(files):
        return ""  # numbered files in one folder are documents without a class
    if len(heads) < len(files) or min(map(len, lines)) < LEAST_LINES:
        return ""
    wrapped = sum(map(_is_wrapped, lines)) > len(lines) / 2
    if wrapped and min(map(len, heads)) < LEAST_PIECES * TextConfig().piece_characters:
        return ""
    unit = "piece" if wrapped else "line"
    values = {"source": "text_folder", "path": str(root), "unit": unit, **links}
    try:
        open_folder(SourceConfig.model_validate(values))
    except DataError:
        return ""
    return unit


def _text_of(path: Path) -> str:
    """The head of a file as text, "" where it is none."""
    try:
        with path.open("rb") as file:
            return decode(file.read(HEAD))[0]
    except (OSError, Rejected):
        return ""


def _is_wrapped(lines: list[str]) -> bool:
    """Whether lines are prose broken at a width: sentences end inside of lines, and few lines with one."""
    inside = sum(SENTENCE_END.search(line.strip()) is not None for line in lines)
    ends = sum(line.rstrip().endswith((".", "!", "?", '"', "”", ":")) for line in lines)
    return 10 * inside > len(lines) > 3 * ends


def _refuse_pointers(root: Path) -> None:
    """Refuse a folder in which most files are pointers of Git LFS."""
    looked = list(islice((path for path in _files(root) if not is_about(path.name)), SEVERAL_FILES))
    pointers = [path for path in looked if is_pointer(path)]
    if 2 * len(pointers) > len(looked):
        problem = (
            f"{root}: its files are pointers of Git LFS, not the files themselves (such as {pointers[0].name})"
        )
        raise DataError(problem, GET)


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
    return is_table_name(path.name) and path.is_file() and not is_skipped(path.name)


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
        if is_archive(path.name):
            kinds += _kinds_inside(path)
            continue
        suffix = suffix_of(path.name)
        kind = "table" if is_table_name(path.name) else KIND_OF_SUFFIX.get(suffix) or _sniff_file(path)
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
