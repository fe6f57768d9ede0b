"""Members of zip and tar archives, read one by one into memory: nothing is ever written to disk.

A header is only a promise, so every read is bounded by it and checked against it. Links, devices, absolute names
and names with `..` are refused, and so is what unpacks to more than LIMIT bytes, or to more than RATIO times its
packed size where that is more than SMALL bytes.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from bessemer.data.record import Rejected

LIMIT = 256 * 2**20
SMALL = 10 * 2**20
RATIO = 200
HEADER = 64 * 2**10  # of one tar header with its long names; a larger one is an attack on memory
PIECE = 64 * 2**10
DAMAGE = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    OSError,
    EOFError,
    ValueError,
    RuntimeError,  # also RecursionError and NotImplementedError
    OverflowError,
    MemoryError,
)
T = TypeVar("T")
UNPACKERS: dict[bytes, Callable[..., Any]] = {b"\x1f\x8b": gzip.open, b"BZ": bz2.open, b"\xfd7": lzma.open}


@dataclass(frozen=True)
class Member:
    """One file of an archive. `offset` is where its data (tar) or its local header (zip) starts, in bytes."""

    name: str
    size: int
    offset: int
    packed: int = 0
    crc: int = 0
    method: int = zipfile.ZIP_STORED
    problem: Rejected | None = None


def is_zip(path: Path | str) -> bool:
    """Whether the name says zip; everything else is read as tar."""
    return str(path).lower().endswith(".zip")


def is_streamed(path: Path) -> bool:
    """Whether the archive is a compressed tar, which can only be read from its start."""
    if is_zip(path):
        return False
    try:
        with path.open("rb") as file:
            return file.read(2) in UNPACKERS
    except OSError:
        return False


def list_members(path: Path) -> Iterator[Member]:
    """All members that are files, in the archive's order.

    Raises Rejected where the archive turns out to be damaged or a bomb; the members before that stand.
    """
    members = _list_zip(path) if is_zip(path) else (member for member, _ in walk_tar(path))
    return _refuse_damage(members)


def stream_members(path: Path) -> Iterator[tuple[Member, Window]]:
    """All members of a tar with the stream that `read_tar` takes; call it before the next one is asked for."""
    return _refuse_damage(walk_tar(path))


def _refuse_damage(members: Iterator[T]) -> Iterator[T]:
    try:
        yield from members
    except DAMAGE as error:
        raise Rejected("damaged archive", str(error)) from error


def read_member(path: Path, member: Member) -> bytes:
    """The bytes of one member of a zip or an uncompressed tar; raises Rejected."""
    if member.problem is not None:
        raise member.problem
    try:
        with path.open("rb") as file:
            return _read_zip(file, member) if is_zip(path) else read_tar(Window(file), member)
    except DAMAGE as error:
        raise Rejected("damaged archive member", str(error)) from error


# --- zip ------------------------------------------------------------------------------------------------


def _list_zip(path: Path) -> Iterator[Member]:
    with zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
    for info in infos:
        if not info.is_dir():
            yield Member(
                name=plain_name(info.filename),
                size=info.file_size,
                offset=info.header_offset,
                packed=info.compress_size,
                crc=info.CRC,
                method=info.compress_type,
                problem=_zip_problem(info),
            )


def _zip_problem(info: zipfile.ZipInfo) -> Rejected | None:
    mode = info.external_attr >> 16
    if is_unsafe(info.filename) or (stat.S_IFMT(mode) and not stat.S_ISREG(mode)):
        return Rejected("unsafe archive member", "a link, a device, or a name that points elsewhere")
    if info.flag_bits & 1:
        return Rejected("encrypted archive member")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return Rejected("zip compression not supported", f"method {info.compress_type}; pack with deflate")
    return size_problem(info.file_size, info.compress_size)


def _read_zip(file: BinaryIO, member: Member) -> bytes:
    """One member by its local header: no other member's entry is read, so a task costs what it holds."""
    file.seek(member.offset)
    head = file.read(30)
    if len(head) < 30 or head[:4] != b"PK\3\4":
        raise Rejected("damaged archive member", "no local header")
    file.seek(sum(struct.unpack("<HH", head[26:30])), 1)
    packed = file.read(min(member.packed, LIMIT))
    if member.method == zipfile.ZIP_STORED:
        data = packed[: member.size + 1]
    else:
        data = zlib.decompressobj(-15).decompress(packed, member.size + 1)
    if len(data) != member.size or zlib.crc32(data) != member.crc:
        raise Rejected("damaged archive member", "size or checksum differs from its header")
    return data


# --- tar ------------------------------------------------------------------------------------------------


class Window:
    """A forward view of a file for tarfile: bounded reads, and steps back of at most a header.

    Seeking a compressed stream backwards would unpack it again from the start for every member.
    """

    def __init__(self, file: BinaryIO, packed: BinaryIO | None = None) -> None:
        self._file = file
        self._packed = packed  # the compressed file underneath, None where nothing is compressed
        self._position = file.tell()
        self._tail = b""

    def tell(self) -> int:
        """Position in the unpacked stream, in bytes."""
        return self._position

    def seek(self, position: int) -> None:
        """Go to a position; of a compressed stream, forwards or within the last KiB."""
        if self._packed is None:
            self._file.seek(position)
            self._position = position
            return
        end = self._file.tell()
        if position < end - len(self._tail):
            raise tarfile.ReadError("a member points back into the archive")
        self._position = min(position, end)
        while self._position < position and self._pull(min(PIECE, position - self._position)):
            pass

    def read(self, size: int) -> bytes:
        """At most `size` bytes, `size` at most HEADER."""
        if not 0 <= size <= HEADER:
            raise tarfile.ReadError("absurd header")
        if self._packed is None:
            data = self._file.read(size)
            self._position += len(data)
            return data
        end = self._file.tell()
        again = self._tail[len(self._tail) - (end - self._position) :][:size] if self._position < end else b""
        self._position += len(again)
        data = again
        while len(data) < size and (piece := self._pull(size - len(data))):
            data += piece
        return data

    def _pull(self, size: int) -> bytes:
        data = self._file.read(size)
        self._position += len(data)
        self._tail = (self._tail + data)[-1024:]
        packed = self._packed.tell() if self._packed is not None else self._position
        if self._position > max(SMALL, RATIO * packed):
            raise Rejected("compression bomb", f"unpacks to more than {RATIO} times its size")
        return data


def walk_tar(path: Path) -> Iterator[tuple[Member, Window]]:
    """Members in order, each with the stream standing at or before its data."""
    with path.open("rb") as packed:
        unpack = UNPACKERS.get(packed.read(2))
        packed.seek(0)
        if unpack is None:
            yield from _walk(Window(packed))
            return
        with unpack(packed, "rb") as file:
            yield from _walk(Window(file, packed))


def _walk(window: Window) -> Iterator[tuple[Member, Window]]:
    last = -1
    with tarfile.TarFile(fileobj=window, errorlevel=0) as archive:  # type: ignore[arg-type]
        while (info := archive.next()) is not None:
            archive.members.clear()  # type: ignore[attr-defined]  # it would keep every header of a million
            if archive.offset <= last or info.size < 0:
                raise tarfile.ReadError("a member of negative size")
            last = archive.offset
            if not info.isdir():
                problem = _tar_problem(info)
                yield Member(plain_name(info.name), info.size, info.offset_data, problem=problem), window
        _check_end(window, archive.offset)


def _check_end(window: Window, offset: int) -> None:
    """tarfile takes a broken header for the end; the real end is a block of zeros, or nothing."""
    window.seek(offset)
    if window.read(512).strip(b"\0"):
        raise tarfile.ReadError(f"no valid header at byte {offset}")


def _tar_problem(info: tarfile.TarInfo) -> Rejected | None:
    if is_unsafe(info.name) or not info.isreg() or info.issparse():
        return Rejected("unsafe archive member", "a link, a device, or a name that points elsewhere")
    return size_problem(info.size, info.size)


def read_tar(window: Window, member: Member) -> bytes:
    """The bytes of one member of a tar; raises Rejected."""
    if member.problem is not None:
        raise member.problem
    pieces, left = [], member.size
    try:
        window.seek(member.offset)
        while left and (piece := window.read(min(PIECE, left))):
            pieces.append(piece)
            left -= len(piece)
    except DAMAGE as error:
        raise Rejected("damaged archive member", str(error)) from error
    if left:
        raise Rejected("damaged archive member", f"{left} bytes are missing")
    return b"".join(pieces)


# --- names and sizes ------------------------------------------------------------------------------------


def is_unsafe(name: str) -> bool:
    """Whether a member's name points outside of the folder that it would be unpacked into."""
    parts = name.replace("\\", "/").split("/")
    return (
        not name or not parts[0] or ".." in parts or "\0" in name or re.match(r"[A-Za-z]:[\\/]", name) is not None
    )


def plain_name(name: str) -> str:
    """A member's name with `/` between folders and without empty steps."""
    return "/".join(part for part in name.replace("\\", "/").split("/") if part not in ("", "."))


def size_problem(size: int, packed: int) -> Rejected | None:
    """Why a member of these sizes in bytes is not unpacked, None where it may be."""
    if size > SMALL and size > RATIO * packed:
        return Rejected("compression bomb", f"{packed:,} bytes unpack to {size:,}")
    if size > LIMIT:
        return Rejected("archive member too large", f"{size:,} bytes; at most {LIMIT:,} are read")
    return None
