"""Tables in gzip, bzip2, xz and Zstandard files, or alone in a zip or tar file.

Packed bytes can only be read from their start, and rows are read in pieces by several processes. So a file is
unpacked once, into a folder of this process under the system's temporary folder (TMPDIR), which goes when it ends.
"""

from __future__ import annotations

import atexit
import bz2
import errno
import gzip
import lzma
import shutil
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

from bessemer.errors import DataError

BLOCK = 2**20
RATIO, SMALL = 200, 10 * 2**20  # a file that unpacks to more than so many times its size is an attack on the disk
SINGLE = {".gz": "gunzip -k", ".bz2": "bunzip2 -k", ".xz": "unxz -k", ".zst": "unzstd"}
ARCHIVES = {".zip": "unzip", ".tar": "tar -xf", ".tgz": "tar -xf", ".tbz2": "tar -xf", ".txz": "tar -xf"}
ABOUT = ("readme", "license", "licence", "copying", "notice", "changelog", "citation", "about", "description")
ABOUT_SUFFIXES = (".md", ".pdf", ".rst", ".html", ".names", ".docx", ".doc", ".yaml", ".yml")
DAMAGE = (
    *(OSError, EOFError, ValueError, RuntimeError),
    *(zlib.error, lzma.LZMAError, tarfile.TarError, zipfile.BadZipFile),
)


def inner_name(name: str) -> str:
    """The name without the suffix of what packs one file: `set.csv` of `set.csv.gz`."""
    path = PurePosixPath(name)
    return path.stem if path.suffix.lower() in SINGLE and not _is_archive(name) else path.name


def _is_archive(name: str) -> bool:
    return name.lower().endswith((*ARCHIVES, ".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst"))


def members(path: Path) -> list[str]:
    """Names of the files in a zip or tar file that are not about the others, as a README is; [] of other files."""
    if not _is_archive(path.name):
        return []
    with _damage_told(path):
        if path.suffix.lower() == ".zip":
            with zipfile.ZipFile(path) as archive:
                names = [info.filename for info in archive.infolist() if not info.is_dir()]
        else:
            with tarfile.open(path) as tar:
                names = [info.name for info in tar if info.isfile()]
    return [name for name in names if not is_about(name)]


def is_about(name: str) -> bool:
    """Whether a file is about others, as a README or a license is, or hidden."""
    parts = PurePosixPath(name.replace("\\", "/"))
    hidden = any((part.startswith(".") and part != ".") or part == "__MACOSX" for part in parts.parts)
    return hidden or parts.suffix.lower() in ABOUT_SUFFIXES or parts.stem.lower() in ABOUT


def unpacked(path: Path) -> Path | None:
    """The file that is packed in another one, unpacked; None where nothing is packed, or not just one file.

    Raises DataError where it is damaged, a bomb, or the disk is full.
    """
    name = inner_name(path.name)
    if name == path.name and len(inside := members(path)) != 1:
        return None
    member = "" if name != path.name else inside[0]
    state = path.stat()
    return _unpack(path.resolve(), member, state.st_size, state.st_mtime_ns)


@cache
def _scratch() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="bessemer-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@cache
def _unpack(path: Path, member: str, size: int, _time: int) -> Path:
    """Unpack into a folder of its own, once for each state of the file."""
    folder = Path(tempfile.mkdtemp(dir=_scratch()))
    out = folder / PurePosixPath(member.replace("\\", "/") or inner_name(path.name)).name
    with _damage_told(path), _opened(path, member) as packed, out.open("wb") as file:
        written = 0
        while block := packed.read(BLOCK):
            written += file.write(block)
            if written > max(SMALL, RATIO * size):
                raise DataError(f"{path}: unpacks to more than {RATIO} times its size", by_hand(path))
    return out


@contextmanager
def _opened(path: Path, member: str) -> Iterator[Any]:
    suffix = path.suffix.lower()
    if member and suffix == ".zip":
        with zipfile.ZipFile(path) as archive, archive.open(member) as file:
            yield file
    elif member:
        with tarfile.open(path) as tar:
            yield tar.extractfile(member)
    elif suffix == ".zst":
        import pyarrow as pa

        with pa.OSFile(str(path)) as raw, pa.CompressedInputStream(raw, "zstd") as stream:
            yield stream
    else:
        openers: dict[str, Any] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
        with openers[suffix](path, "rb") as file:
            yield file


@contextmanager
def _damage_told(path: Path) -> Iterator[None]:
    try:
        yield
    except DAMAGE as error:
        full = isinstance(error, OSError) and error.errno == errno.ENOSPC
        problem = (
            f"{path}: {'no room to unpack it' if full else 'damaged archive'} ({error or 'it ends too early'})"
        )
        remedy = f"make or download it again, or unpack it by hand where there is room: {by_hand(path)}"
        raise DataError(problem, remedy) from error


def by_hand(path: Path) -> str:
    """The command that unpacks a file."""
    suffix = path.suffix.lower()
    return f"{ARCHIVES.get(suffix) or SINGLE.get(suffix, 'tar -xf')} {path.name}"
