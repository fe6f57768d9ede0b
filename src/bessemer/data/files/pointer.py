"""Pointers of Git LFS: three lines of text that stand in place of a large file where Git LFS is not installed."""

from __future__ import annotations

from pathlib import Path

from bessemer.data.record import Rejected
from bessemer.errors import DataError

HEAD = b"version https://git-lfs.github.com/spec/"
LARGEST = 1024  # bytes; the specification's limit
GET = "get the files themselves: git lfs install && git lfs pull, in the folder of the clone"


def is_pointer(value: Path | bytes, size: int | None = None) -> bool:
    """Whether a file or its bytes are a pointer; `size` is in bytes, where it is known."""
    if isinstance(value, bytes):
        return len(value) < LARGEST and value.startswith(HEAD)
    try:
        if (value.stat().st_size if size is None else size) >= LARGEST:
            return False
        with value.open("rb") as file:
            return file.read(len(HEAD)) == HEAD
    except OSError:
        return False  # reading it tells why it cannot be read


def refuse_pointer(path: Path) -> None:
    """Raise DataError where a file is a pointer."""
    if is_pointer(path):
        raise DataError(f"{path}: a pointer of Git LFS, not the file itself", GET)


def pointer_row() -> Rejected:
    """Why a row that is a pointer is not used."""
    return Rejected("a pointer of Git LFS, not the file itself", "git lfs pull gets the file")
