"""A folder per class, of images, texts or sounds; also in zip and tar files, and inside train and test folders."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from bessemer.data.config import SourceConfig
from bessemer.data.files.packed import is_about
from bessemer.data.files.pointer import is_pointer, pointer_row
from bessemer.data.kind import Kind
from bessemer.data.kinds import find_kind
from bessemer.data.record import FILTERED, Raw, Rejected, Source
from bessemer.errors import DataError
from bessemer.prepare.source.archive import read_member, read_tar, stream_members
from bessemer.prepare.source.common import SPLIT_NAMES, as_label, existing, is_archive, is_skipped
from bessemer.prepare.source.walk import Entry, Walk

MOST_FILES = 100  # that may be a class each
TASK_ROWS, TASK_BYTES = 256, 4 * 2**20
Folders = tuple[str, ...]


@dataclass(frozen=True)
class Layout:
    """Which folders are the classes: those below `prefix`, or one level further down where `by_split`.

    With `by_file` each file is a class, a sample in each of its parts; `by_suffix` where suffixes alone tell the
    files apart.
    """

    prefix: Folders
    by_split: bool
    by_file: bool = False
    by_suffix: bool = False

    def place(self, folders: Folders, name: str = "") -> tuple[str | None, str]:
        """(label, split) of a file of this name in these folders; the label is None where there is no class."""
        if self.by_file and is_about(name):
            return None, ""
        if self.by_file:
            folders = (*folders, PurePosixPath(name).suffix[1:] if self.by_suffix else PurePosixPath(name).stem)
        if folders[: len(self.prefix)] != self.prefix:
            return None, ""
        rest, split = folders[len(self.prefix) :], ""
        if self.by_split and rest:
            split = SPLIT_NAMES.get(rest[0].lower(), "")
            rest = rest[1:] if split else ()
        return (as_label(rest[0]) if rest else None), split


@dataclass
class FolderSource:
    """Rows of class folders. Nothing but the layout is kept; `tasks` walks again."""

    walk: Walk
    layout: Layout
    ignored: dict[str, int]
    empty: tuple[str, ...] = ()  # class folders without any file
    classes: list[str] | None = None
    notes: tuple[str, ...] = ()  # what was decided about the files, in words

    def tasks(self) -> Iterator[list[Entry]]:
        """Files in order, a few hundred or a few MB together; a compressed tar is a task of its own."""
        task: list[Entry] = []
        size = 0
        for entry in self.walk.entries(Counter(), whole_streams=True):
            if task and (entry.streamed or len(task) == TASK_ROWS or size + entry.size > TASK_BYTES):
                yield task
                task, size = [], 0
            if entry.streamed:
                yield [entry]
                continue
            task.append(entry)
            size += entry.size
        if task:
            yield task

    def read(self, task: list[Entry]) -> Iterator[Raw]:
        """The rows of one task: paths of files, bytes of members."""
        if task[0].streamed:
            yield from self._stream(task[0])
            return
        for entry in task:
            path = Path(self.walk.root, entry.file)
            try:
                value = path if entry.member is None else read_member(path, entry.member)
            except Rejected as problem:
                yield self._raw(entry, problem)
            else:
                yield self._raw(entry, value)

    def _stream(self, archive: Entry) -> Iterator[Raw]:
        try:
            for member, window in stream_members(Path(self.walk.root, archive.file)):
                entry = self.walk.as_entry(archive, member, Counter())
                if entry is None:
                    continue
                try:
                    yield self._raw(entry, read_tar(window, member))
                except Rejected as problem:
                    if problem.reason == "compression bomb" and member.problem is None:
                        raise  # of the whole stream: nothing after this can be read
                    yield self._raw(entry, problem)
        except Rejected as problem:
            yield self._raw(Entry(archive.file, archive.folders), problem)

    def _raw(self, entry: Entry, value: Path | bytes | Rejected) -> Raw:
        label, split = self.layout.place(entry.folders, entry.origin.split("/")[-1])
        if entry.problem is not None:
            value = entry.problem
        elif not isinstance(value, Rejected) and is_pointer(value, entry.size):
            value = pointer_row()
        elif label is None and not isinstance(value, Rejected):
            where = "a file about the others" if self.layout.by_file else "not in a class folder"
            value = Rejected(f"no label: {where}", kind=FILTERED)
        return Raw(entry.origin, "", label, split, value)


def open_folder(config: SourceConfig) -> Source:
    """A folder per class or an archive of one; raises DataError where no class folder holds a file."""
    path = existing(config.path)
    only = None
    if not path.is_dir():
        if not (is_archive(path.name) and path.is_file()):
            remedy = "give the folder that holds the class folders, or a zip or tar file of it"
            raise DataError(f"{path}: is a file, not a folder", remedy)
        path, only = path.parent, path.name
    walk = Walk(os.path.realpath(path), find_kind(config.modality), only)
    ignored: Counter[str] = Counter()
    filled: Counter[Folders] = Counter()
    names: set[tuple[str, ...]] = set()  # of files, where each may be a class
    problem = ""
    for entry in walk.entries(ignored):
        if entry.problem is None:
            filled[entry.folders] += 1
            name = entry.origin.split("/")[-1]
            if len(names) <= MOST_FILES and not is_about(name):
                names.add((*entry.folders, name))
        problem = problem or (f"{entry.origin}: {entry.problem.reason}" if entry.problem else "")
    if config.unit != "file" and (by_file := layout_of_files(names)) is not None:
        notes: tuple[str, ...] = (f"each file is a class, and each {config.unit} of it a sample",)
        return FolderSource(walk, by_file, dict(sorted(ignored.items())), notes=notes)
    layout = find_layout(str(config.path), walk.kind, filled, ignored, problem)
    root = Path(walk.root, *layout.prefix)  # not there where the classes stand in an archive
    empty = empty_folders(root, layout.by_split) if only is None and root.is_dir() else ()
    notes = () if config.unit == "file" else (f"each {config.unit} of a file is a sample",)
    return FolderSource(walk, layout, dict(sorted(ignored.items())), empty, notes=notes)


def layout_of_files(names: set[tuple[str, ...]]) -> Layout | None:
    """The layout in which each file is a class; None where there are too many, or they stand in class folders."""
    folders = {name[:-1] for name in names}
    by_split = all(len(one) == 1 and one[0].lower() in SPLIT_NAMES for one in folders)
    if not 2 <= len(names) <= MOST_FILES or not (by_split or folders == {()}):
        return None
    stems = {PurePosixPath(name[-1]).stem for name in names}
    return Layout((), by_split, by_file=True, by_suffix=len(stems) == 1)


def empty_folders(root: Path, by_split: bool) -> tuple[str, ...]:
    """Class folders below which there is no file of any kind."""
    parents = [one for one in sorted(root.iterdir()) if one.is_dir()] if by_split else [root]
    folders = [one for parent in parents for one in sorted(parent.iterdir()) if one.is_dir()]
    return tuple(str(one) for one in folders if not is_skipped(one.name) and not any(one.iterdir()))


def find_layout(
    root: str, kind: Kind, filled: Counter[Folders], ignored: Counter[str], problem: str = ""
) -> Layout:
    """The layout of a tree, from the number of files directly in each of its folders.

    A lone folder around all others is passed through, as an archive often has one.
    Raises DataError where there are no classes.
    """
    if not any(filled):
        raise _no_classes(root, kind, bool(filled), ignored, problem)
    prefix = _without_wrappers(filled)
    folders = _children(filled, prefix)
    odd = sorted(name for name in folders if name.lower() not in SPLIT_NAMES)
    if any(SPLIT_NAMES.get(name.lower()) == "train" for name in folders) and 0 < len(odd) < len(folders) - 1:
        remedy = "keep only train, validation and test, or only class folders"
        raise DataError(f"{root}: folders of splits beside other folders ({', '.join(odd[:5])})", remedy)
    by_split = not odd
    if by_split and all(len(path) <= len(prefix) + 1 for path in filled):
        names = ", ".join(sorted(folders))
        raise DataError(
            f"{root}: no class folders inside {names}", "make one folder per class inside each of them"
        )
    return Layout(prefix, by_split)


def _without_wrappers(filled: Counter[Folders]) -> Folders:
    prefix: Folders = ()
    while len(folders := _children(filled, prefix)) == 1:
        (only,) = folders
        inner = (*prefix, only)
        inside = _children(filled, inner)
        if only.lower() in SPLIT_NAMES or not inside or filled[inner] > len(inside):
            break
        prefix = inner
    several = len(folders) > 1 or all(name.lower() in SPLIT_NAMES for name in folders)
    return prefix if several else ()


def _children(filled: Counter[Folders], prefix: Folders) -> set[str]:
    depth = len(prefix)
    return {path[depth] for path in filled if len(path) > depth and path[:depth] == prefix}


def _no_classes(root: str, kind: Kind, loose: bool, ignored: Counter[str], problem: str) -> DataError:
    found = f"; {sum(ignored.values())} files of other kinds ({', '.join(sorted(ignored)[:5])})" if ignored else ""
    broken = f"; first problem: {problem}" if problem else ""
    what = "no folders in it" if loose else f"no {kind.noun} in a class folder"
    remedy = f"make one folder per class and put its {kind.noun} inside"
    return DataError(f"{root}: {what}{found}{broken}", remedy)
