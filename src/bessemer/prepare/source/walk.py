"""Everything that stands below a folder, in a stable order; archives as if they were unpacked where they lie."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bessemer.data.kind import Kind
from bessemer.data.record import Rejected
from bessemer.prepare.source.archive import Member, is_streamed, list_members
from bessemer.prepare.source.common import (
    KIND_OF_SUFFIX,
    is_archive,
    is_inside,
    is_other_kind,
    is_skipped,
    printable,
    suffix_of,
)

SNIFFED = 512  # bytes


@dataclass(frozen=True)
class Entry:
    """One file, or one member of an archive.

    `file` is relative to the root: the file itself, or the archive that holds `member`. `folders` are those that
    it stands in, an archive counting as unpacked beside itself. `streamed` marks a whole compressed tar.
    """

    file: str
    folders: tuple[str, ...]
    size: int = 0
    member: Member | None = None
    problem: Rejected | None = None
    streamed: bool = False

    @property
    def origin(self) -> str:
        """Name for people: `cats/1.png`, `set.zip!cats/1.png`."""
        return printable(f"{self.file}!{self.member.name}" if self.member else self.file)


@dataclass(frozen=True)
class Walk:
    """A walk below `root` (a real path) for data of one kind; `only` is the one file to look at, if not all."""

    root: str
    kind: Kind
    only: str | None = None

    def entries(self, ignored: Counter[str], whole_streams: bool = False) -> Iterator[Entry]:
        """All files that may be rows; those of another kind are counted in `ignored` by suffix.

        With `whole_streams` a compressed tar is one entry, not one for each member: listing it means unpacking it.
        """
        files = iter([Entry(self.only, ())]) if self.only else self._files()
        for entry in files:
            name = os.path.basename(entry.file)
            if entry.problem is None and is_archive(name):
                yield from self._archive(entry, ignored, whole_streams)
            elif self._is_row(name, ignored) and (entry.problem or self._may_be(entry, name, ignored)):
                yield entry

    def _files(self) -> Iterator[Entry]:
        """Files below the root, each folder in order of names; links to folders are not followed."""
        pending: list[os.DirEntry[str] | str] = [self.root]
        while pending:
            item = pending.pop()
            path = item if isinstance(item, str) else item.path
            if isinstance(item, str) or item.is_dir(follow_symlinks=False):
                try:
                    inside = sorted(os.scandir(path), key=lambda found: found.name, reverse=True)
                except OSError as error:
                    yield self._entry(path, problem=Rejected("unreadable folder", str(error.strerror)))
                    continue
                pending.extend(found for found in inside if not is_skipped(found.name))
            elif not (item.is_symlink() and os.path.isdir(path)):
                yield self._stat(path, item.is_symlink())

    def _stat(self, path: str, is_link: bool) -> Entry:
        if is_link and not is_inside(path, self.root):
            return self._entry(path, problem=Rejected("link out of the data folder"))
        try:
            about = os.stat(path)
        except OSError as error:
            return self._entry(path, problem=Rejected("unreadable file", str(error.strerror)))
        if not stat.S_ISREG(about.st_mode):
            return self._entry(path, problem=Rejected("not a file", "a pipe, a socket or a device"))
        return self._entry(path, about.st_size)

    def _entry(self, path: str, size: int = 0, problem: Rejected | None = None) -> Entry:
        file = os.path.relpath(path, self.root)
        return Entry(file.replace(os.sep, "/"), tuple(file.split(os.sep)[:-1]), size, problem=problem)

    def _archive(self, archive: Entry, ignored: Counter[str], whole_streams: bool) -> Iterator[Entry]:
        path = Path(self.root, archive.file)
        if whole_streams and is_streamed(path):
            yield Entry(archive.file, archive.folders, archive.size, streamed=True)
            return
        try:
            for member in list_members(path):
                if (entry := self.as_entry(archive, member, ignored)) is not None:
                    yield entry
        except Rejected as problem:
            yield Entry(archive.file, archive.folders, problem=problem)

    def as_entry(self, archive: Entry, member: Member, ignored: Counter[str]) -> Entry | None:
        """A member in its place, None where it is no row."""
        *folders, name = member.name.split("/")
        unsafe = member.problem is not None and member.problem.reason == "unsafe archive member"
        if any(is_skipped(part) for part in (*folders, name)) and ".." not in folders:
            return None
        if not unsafe and not self._is_row(name, ignored):
            return None
        inside = () if unsafe else tuple(folders)
        return Entry(archive.file, archive.folders + inside, member.size, member, member.problem)

    def _may_be(self, entry: Entry, name: str, ignored: Counter[str]) -> bool:
        """Whether a file of unknown suffix is of this kind by its first bytes."""
        suffix = suffix_of(name)
        if self.kind.any_name or suffix in self.kind.suffixes or suffix in KIND_OF_SUFFIX or not entry.size:
            return True
        try:
            with open(os.path.join(self.root, entry.file), "rb") as file:
                if self.kind.sniff(file.read(SNIFFED)):
                    return True
        except OSError:
            return True  # reading it as a row tells why it cannot be read
        ignored[suffix or "no suffix"] += 1
        return False

    def _is_row(self, name: str, ignored: Counter[str]) -> bool:
        if is_other_kind(name, self.kind):
            ignored[suffix_of(name)] += 1
            return False
        return True
