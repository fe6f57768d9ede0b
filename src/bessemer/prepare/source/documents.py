"""Documents without labels, for language modelling: a tree of text files, one long file, Python's own sources."""

from __future__ import annotations

import os
import platform
import sysconfig
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bessemer.data.config import SourceConfig
from bessemer.data.kinds import find_kind
from bessemer.data.record import DOCUMENT, Raw, Rejected, Source
from bessemer.data.text.decode import decode
from bessemer.errors import DataError
from bessemer.prepare.source.common import existing, is_archive, printable, splits_of
from bessemer.prepare.source.folder import FolderSource
from bessemer.prepare.source.layout import Folders, Layout
from bessemer.prepare.source.walk import Walk

PIECES, LEAST_PIECE = 200, 2000  # a lone file becomes about so many documents of at least so many characters
TASK_FILES = 64
# Folders in the standard library that are not its sources: tests, tables of characters, installed packages.
NOT_SOURCES = {
    *("test", "tests", "idle_test", "encodings", "pydoc_data"),
    *("site-packages", "dist-packages", "__pycache__", "lib2to3"),
}


@dataclass(frozen=True)
class DocumentLayout(Layout):
    """Every file is a document, wherever it stands; the outermost folders may be splits."""

    def place(self, folders: Folders, name: str = "") -> tuple[str | None, str]:
        """(label, split) of a file in these folders."""
        return DOCUMENT, self.splits.get(folders[0], "") if folders else ""


@dataclass
class LongFile:
    """One file of text, cut at line ends into documents, so that there is something to split."""

    path: str
    classes: list[str] | None = None
    ignored: dict[str, int] = field(default_factory=dict)

    def tasks(self) -> Iterator[int]:
        """The whole file is one task."""
        yield 0

    def read(self, task: int) -> Iterator[Raw]:
        """The pieces of the file; joined, they are its text."""
        name = printable(Path(self.path).name)
        try:
            text, _ = decode(Path(self.path).read_bytes())
        except OSError as error:
            yield Raw(name, "", DOCUMENT, "", Rejected("cannot be read", error.strerror or str(error)))
        except Rejected as problem:
            yield Raw(name, "", DOCUMENT, "", problem)
        else:
            for number, piece in enumerate(cut(text), 1):
                yield Raw(name, f"piece {number}", DOCUMENT, "", piece)


def cut(text: str) -> Iterator[str]:
    """A text in about PIECES pieces that end where a line ends; together they are the text, to the last space."""
    size = max(LEAST_PIECE, -(-len(text) // PIECES))
    start = 0
    while start < len(text):
        end = text.find("\n", start + size - 1) + 1 or len(text)
        yield text[start:end]
        start = end


def open_documents(config: SourceConfig) -> Source:
    """All text files below a folder or in an archive, or one file; raises DataError where there is none."""
    path, only = existing(config.path), None
    if path.is_file():
        if not is_archive(path.name):
            return LongFile(str(path))
        path, only = path.parent, path.name
    walk = Walk(os.path.realpath(path), find_kind(config.modality), only, config.links == "follow")
    ignored = Counter[str]()
    folders = Counter(entry.folders[:1] for entry in walk.entries(ignored) if entry.problem is None)
    if not folders:
        raise DataError(f"{config.path}: no text file in it", "give a folder of text files, or one file")
    splits = splits_of(place[0] for place in folders if place)
    whole = len(folders) > 1 and len(splits) == len(folders)
    return FolderSource(walk, DocumentLayout((), splits if whole else {}), dict(sorted(ignored.items())))


# --- the standard library -------------------------------------------------------------------------------


@dataclass
class StdlibSource:
    """The source files of the running Python's standard library, without its tests."""

    root: str
    classes: list[str] | None = None
    ignored: dict[str, int] = field(default_factory=dict)

    def tasks(self) -> Iterator[list[str]]:
        """Some dozens of files."""
        files = list(self._files())
        for start in range(0, len(files), TASK_FILES):
            yield files[start : start + TASK_FILES]

    def read(self, task: list[str]) -> Iterator[Raw]:
        """The files of one task."""
        for name in task:
            yield Raw(name, "", DOCUMENT, "", Path(self.root, name))

    def _files(self) -> Iterator[str]:
        for folder, folders, names in os.walk(self.root):
            folders[:] = sorted(name for name in folders if name not in NOT_SOURCES)
            for name in sorted(names):
                if name.endswith(".py"):
                    yield Path(folder, name).relative_to(self.root).as_posix()


def open_stdlib(config: SourceConfig) -> Source:
    """Python's own sources; raises DataError where this Python came without them."""
    source = StdlibSource(sysconfig.get_paths()["stdlib"])
    if next(source.tasks(), None) is None:
        raise DataError(f"{source.root}: no source files in it", "use a Python that came with its sources")
    return source


def stdlib_mark() -> str:
    """What tells one standard library from another."""
    return f"{platform.python_implementation()} {platform.python_version()}"
