"""Everything that stands below a folder, in a stable order; archives as if they were unpacked where they lie."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from bessemer.data.kind import Kind
from bessemer.data.record import Rejected
from bessemer.prepare.source.archive import Member, is_streamed, list_members
from bessemer.prepare.source.common import (
    KIND_OF_SUFFIX,
    archive_stem,
    is_archive,
    is_other_kind,
    is_skipped,
    printable,
    suffix_of,
)
from bessemer.prepare.source.tree import OWN, Tree

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
    """A walk below `root` (a real path) for data of one kind; `only` is the one file to look at, if not all.

    With `follow` links may lead out of the root. `named` has the archives whose members stand in a folder of the
    archive's name.
    """

    root: str
    kind: Kind
    only: str | None = None
    follow: bool = False
    named: frozenset[str] = frozenset()

    def notes(self) -> Iterator[str]:
        """What a user should know of the links below the root."""
        tree = Tree(self.root, self.follow)
        for _ in tree.files():
            continue
        if tree.out and self.follow:
            led = printable(f"{os.path.relpath(tree.out[0], self.root)} to {os.path.realpath(tree.out[0])}")
            yield f"Links that lead out of the folder are followed: {len(tree.out):,} (first: {led})."
        if tree.passed:
            first = printable(os.path.relpath(tree.passed[0], self.root))
            yield f"Links to folders inside the data are not followed, as these are read anyway (first: {first})."

    def entries(self, ignored: Counter[str], whole_streams: bool = False) -> Iterator[Entry]:
        """All files that may be rows; those of another kind are counted in `ignored` by suffix.

        With `whole_streams` a compressed tar is one entry, not one for each member: listing it means unpacking it.
        """
        files = iter([Entry(self.only, ())]) if self.only else self._files(ignored)
        for entry in files:
            name = os.path.basename(entry.file)
            if entry.problem is None and is_archive(name):
                within = (archive_stem(name),) if entry.file in self.named else ()
                yield from self._archive(replace(entry, folders=entry.folders + within), ignored, whole_streams)
            elif self._is_row(name, ignored) and (entry.problem or self._may_be(entry, name, ignored)):
                yield entry

    def _files(self, ignored: Counter[str]) -> Iterator[Entry]:
        """Files below the root, each folder in order of names."""
        tree = Tree(self.root, self.follow)
        for found in tree.files():
            yield self._entry(found.path, problem=found.problem) if found.problem else self._stat(found.path)
        if tree.own:
            ignored[OWN] += len(tree.own)

    def _stat(self, path: str) -> Entry:
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
