"""File operations as they were recorded, and what a disk may hold when they are cut short.

A file's bytes are safe after it was synced, a folder's entries after the folder was. What is not safe may be there
or not, in part, or as zeros, each thing on its own: so a rename may outlive the bytes of what it renamed.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

BLOCK = 512  # bytes that reach a disk together
Tree = dict[str, "Tree | bytes"]


@dataclass(frozen=True)
class Operation:
    """`mkdir`, `write`, `sync`, `rename` or `remove` of a path below the root."""

    kind: str
    path: Path
    other: Path = Path()
    data: bytes = b""


@contextmanager
def recorded(root: Path) -> Iterator[list[Operation]]:
    """All operations below `root` in a block. Writes are found by looking, since libraries write on their own."""
    trace: list[Operation] = []
    known = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}

    def look() -> None:
        for path in sorted(path for path in root.rglob("*") if path.is_file()):
            if known.get(path) != (data := path.read_bytes()):
                known[path] = data
                trace.append(Operation("write", path.relative_to(root), data=data))

    def watched(kind: str, real: Callable[..., object]) -> Callable[..., object]:
        def call(path: str | Path | int, *others: str | Path, **options: int) -> object:
            where = place(path, options.get("dir_fd"))
            if not where.is_relative_to(root) or (where == root and kind == "mkdir"):
                return real(path, *others, **options)
            look()
            result = real(path, *others, **options)
            other = Path(others[0]).relative_to(root) if kind == "rename" else Path()
            trace.append(Operation(kind, where.relative_to(root), other))
            known.update({path: path.read_bytes() for path in root.rglob("*") if path.is_file()})
            return result

        return call

    names = {"mkdir": "mkdir", "fsync": "sync", "rename": "rename", "replace": "rename"}
    names |= {"unlink": "remove", "rmdir": "remove"}
    with pytest.MonkeyPatch.context() as patch:
        for name, kind in names.items():
            patch.setattr(os, name, watched(kind, getattr(os, name)))
        yield trace


def place(path: str | Path | int, folder: int | None) -> Path:
    """The path that a call means: a name, an open file, or a name in an open folder."""
    if isinstance(path, int):
        return Path(os.readlink(f"/proc/self/fd/{path}"))
    return Path(os.readlink(f"/proc/self/fd/{folder}")) / path if folder is not None else Path(path)


@dataclass
class File:
    """Bytes as a reader sees them, and as they are safe."""

    data: bytes = b""
    safe: bytes = b""


@dataclass
class Folder:
    """Entries as a reader sees them, as they are safe, and the changes between: (name gone, name new, what)."""

    entries: dict[str, File | Folder] = field(default_factory=dict)
    safe: dict[str, File | Folder] = field(default_factory=dict)
    pending: list[tuple[str, str, File | Folder | None]] = field(default_factory=list)

    def change(self, gone: str, new: str, what: File | Folder | None) -> None:
        self.pending.append((gone, new, what))
        apply(self.entries, gone, new, what)


def apply(entries: dict[str, File | Folder], gone: str, new: str, what: File | Folder | None) -> None:
    entries.pop(gone, None)
    if what is not None:
        entries[new] = what


class Disk:
    """A root folder that operations change and a power cut spoils."""

    def __init__(self, root: Path) -> None:
        self.root = self._safe_copy(root)

    def _safe_copy(self, path: Path) -> Folder:
        entries: dict[str, File | Folder] = {
            one.name: self._safe_copy(one) if one.is_dir() else File(one.read_bytes(), one.read_bytes())
            for one in path.iterdir()
        }
        return Folder(entries, dict(entries))

    def folder(self, path: Path) -> Folder:
        found = self.root
        for name in path.parts:
            inner = found.entries[name]
            assert isinstance(inner, Folder)
            found = inner
        return found

    def do(self, operation: Operation) -> None:
        path = operation.path
        if operation.kind == "sync":
            self._sync(path)
            return
        parent, name = self.folder(path.parent), path.name
        if operation.kind == "mkdir":
            parent.change("", name, Folder())
        elif operation.kind == "remove":
            parent.change(name, "", None)
        elif operation.kind == "rename":
            assert operation.other.parent == path.parent  # across folders it would be two changes
            parent.change(name, operation.other.name, parent.entries[name])
        else:
            if name not in parent.entries:
                parent.change("", name, File())
            file = parent.entries[name]
            assert isinstance(file, File)
            file.data = operation.data

    def _sync(self, path: Path) -> None:
        found = self.root if path == Path() else self.folder(path.parent).entries[path.name]
        if isinstance(found, File):
            found.safe = found.data
        else:
            found.safe = dict(found.entries)
            found.pending.clear()

    def now(self) -> Tree:
        """What a reader sees: the state after a process was killed."""
        return seen(self.root)

    def after_power_cut(self, chance: random.Random, share: float) -> Tree:
        """What may be left when power goes; of what is not safe, about `share` survives."""
        return left(self.root, chance, share)


def seen(folder: Folder) -> Tree:
    return {name: seen(one) if isinstance(one, Folder) else one.data for name, one in folder.entries.items()}


def left(folder: Folder, chance: random.Random, share: float) -> Tree:
    entries = dict(folder.safe)
    for change in folder.pending:
        if chance.random() < share:
            apply(entries, *change)
    return {
        name: left(one, chance, share) if isinstance(one, Folder) else remains(one, chance, share)
        for name, one in entries.items()
    }


def remains(file: File, chance: random.Random, share: float) -> bytes:
    """The bytes of a file that was not synced: all, the old ones, a first part, or with blocks of zeros."""
    if file.data == file.safe or chance.random() < share * share:
        return file.data
    fate = chance.choice(["old", "cut", "holes"]) if share > 0 else "old"
    if fate == "old":
        return file.safe
    if fate == "cut":
        return file.data[: chance.randrange(len(file.data))]
    blocks = [file.data[start : start + BLOCK] for start in range(0, len(file.data), BLOCK)]
    return b"".join(bytes(len(block)) if chance.random() < 0.5 else block for block in blocks)


def put(tree: Tree, root: Path) -> None:
    """Write a tree into a folder."""
    root.mkdir()
    for name, one in tree.items():
        if isinstance(one, bytes):
            (root / name).write_bytes(one)
        else:
            put(one, root / name)
