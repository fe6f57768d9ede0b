"""A folder per class, of images, texts or sounds; also in zip and tar files, and inside train and test folders."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from bessemer.data.config import SourceConfig
from bessemer.data.files.packed import is_about
from bessemer.data.files.pointer import is_pointer, pointer_row
from bessemer.data.kinds import find_kind
from bessemer.data.record import FILTERED, Raw, Rejected, Source
from bessemer.errors import DataError
from bessemer.prepare.source.archive import read_member, read_tar, stream_members
from bessemer.prepare.source.common import existing, is_archive, is_skipped
from bessemer.prepare.source.layout import (
    MOST_FILES,
    Folders,
    Layout,
    find_layout,
    folders_of,
    layout_of_files,
    named_archives,
    notes_on,
)
from bessemer.prepare.source.walk import Entry, Walk

TASK_ROWS, TASK_BYTES = 256, 4 * 2**20


@dataclass
class FolderSource:
    """Rows of class folders. Nothing but the layout is kept; `tasks` walks again."""

    walk: Walk
    layout: Layout
    ignored: dict[str, int]
    empty: tuple[str, ...] = ()  # class folders without any file
    notes: tuple[str, ...] = ()  # what was decided about the files, in sentences
    classes: list[str] | None = None

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
            value = Rejected(self.layout.why_unlabelled(entry.folders), kind=FILTERED)
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
    walk = Walk(os.path.realpath(path), find_kind(config.modality), only, config.links == "follow")
    ignored: Counter[str] = Counter()
    listed: Counter[tuple[str, Folders]] = Counter()
    names: set[Folders] = set()  # of files, where each may be a class
    problem = ""
    for entry in walk.entries(ignored):
        if entry.problem is None:
            listed[entry.file if entry.member else "", entry.folders] += 1
            name = entry.origin.split("/")[-1]
            if len(names) <= MOST_FILES and not is_about(name):
                names.add((*entry.folders, name))
        problem = problem or (f"{entry.origin}: {entry.problem.reason}" if entry.problem else "")
    others = dict(sorted(ignored.items()))
    links = () if only else tuple(walk.notes())
    if config.unit != "file" and (by_file := layout_of_files(names)) is not None:
        unit = f"Each file is a class, and each {config.unit} of it a sample."
        return FolderSource(walk, by_file, others, notes=(unit, *links))
    named = named_archives(listed) if only is None else {}
    filled = folders_of(listed, named)
    layout = find_layout(str(config.path), walk.kind, filled, ignored, problem)
    root = Path(walk.root, *layout.prefix)  # not there where the classes stand in an archive
    empty = empty_folders(root, layout) if only is None and root.is_dir() else ()
    in_parts = config.unit != "file"
    units = (f"Each {config.unit} of a file is a sample.",) if in_parts else ()
    notes = (*units, *notes_on(layout, filled, named, empty, in_parts), *links)
    return FolderSource(replace(walk, named=frozenset(named)), layout, others, empty, notes)


def empty_folders(root: Path, layout: Layout) -> tuple[str, ...]:
    """Class folders below which there is no file of any kind."""
    parents = [Path(root, name, *layout.through.get(name, ())) for name in layout.splits] or [root]
    folders = [one for parent in parents if parent.is_dir() for one in sorted(parent.iterdir()) if one.is_dir()]
    return tuple(str(one) for one in folders if not is_skipped(one.name) and not any(one.iterdir()))
