"""Headers of WAV files that do not tell the length of the sound.

A recorder writes the length last, so a flat battery or a crash leaves 0, or what was true a while ago. Where what
follows is neither another part of the file nor a tag, it is sound, up to the end of the file.
"""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import BinaryIO

PART = struct.Struct("<4sI")  # name and bytes of a part of a RIFF file
LARGEST = 1 << 30  # bytes of a file that is mended in memory
TAGS = (b"ID3", b"TAG", b"APETAGEX")  # that players write behind the sound
MENDED = "length in the header mended"


def with_true_length(source: Path | bytes) -> bytes | None:
    """The bytes of a WAV file with its length mended; None where the header holds, or the file is none."""
    try:
        with source.open("rb") if isinstance(source, Path) else io.BytesIO(source) as file:
            place = unfinished(file)
            if place is None:
                return None
            file.seek(0)
            whole = bytearray(file.read())
    except OSError:
        return None  # who opens it next names the reason
    struct.pack_into("<I", whole, 4, len(whole) - 8)
    struct.pack_into("<I", whole, place + 4, len(whole) - place - PART.size)
    return bytes(whole)


def unfinished(file: BinaryIO) -> int | None:
    """Where the part with the sound begins whose header tells less than there is; None where all is well."""
    head = file.read(12)
    if head[:4] != b"RIFF" or head[8:12] != b"WAVE":
        return None
    size = file.seek(0, 2)
    place = 12
    while (part := part_at(file, place)) is not None:
        name, told = part
        if name == b"data":
            end = place + PART.size + told
            return place if size <= LARGEST and end < size and not holds_no_sound(file, end, size) else None
        place += PART.size + told + told % 2
    return None


def part_at(file: BinaryIO, place: int) -> tuple[bytes, int] | None:
    """Name and length of the part that begins at a place; None where none can."""
    file.seek(place)
    head = file.read(PART.size)
    if len(head) < PART.size:
        return None
    name, told = PART.unpack(head)
    return (name, told) if name.isascii() and name.decode().isprintable() else None


def holds_no_sound(file: BinaryIO, place: int, size: int) -> bool:
    """Whether the rest of a file from `place` is further parts, a tag, or zeros that fill it up."""
    file.seek(place)
    head = file.read(4096)
    if head.startswith(TAGS) or not head.strip(b"\0"):
        return True
    place += place % 2
    while size - place > PART.size:
        part = part_at(file, place)
        if part is None or place + PART.size + part[1] > size:
            return False
        place += PART.size + part[1] + part[1] % 2
    return True
