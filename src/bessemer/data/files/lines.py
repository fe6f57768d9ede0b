"""Lines of a text file in any encoding, with their places in bytes, so that reading can start anywhere."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

LIMIT = 4 * 2**20  # bytes of a line; longer ones are cut, and are no row
BLOCK = 2**20
SAMPLE = 256 * 2**10
BOMS = [
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
]


@dataclass(frozen=True)
class TextForm:
    """How a file's bytes become lines: encoding, end of line, and where the text starts after its mark."""

    encoding: str
    newline: bytes
    width: int  # bytes that a character takes at least
    start: int

    def decode(self, raw: bytes) -> str:
        """One line as text. A line that is not in the file's encoding is taken for Windows-1252."""
        try:
            return raw.decode(self.encoding)
        except UnicodeDecodeError:
            return raw.decode("cp1252", "replace")


def text_form(path: Path) -> TextForm:
    """Find out a file's encoding and its ends of line."""
    with path.open("rb") as file:
        head = file.read(SAMPLE)
    for mark, encoding in BOMS:
        if head.startswith(mark):
            return _with_newline(encoding, head, len(mark))
    return _with_newline(find_encoding(path), head, 0)


def _with_newline(encoding: str, head: bytes, start: int) -> TextForm:
    text = head[start:].decode(encoding, "ignore")
    newline = ("\r" if "\r" in text and "\n" not in text else "\n").encode(encoding)
    return TextForm(encoding, newline, len(newline), start)


def find_encoding(path: Path) -> str:
    """The encoding of a file without a mark: UTF-8 where most of it is, or else what charset-normalizer says."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            try:
                decoder.decode(block)
            except UnicodeDecodeError as error:
                first = max(0, file.tell() - len(block) + error.start - SAMPLE // 4)
                file.seek(first)
                return _encoding_of(file.read(SAMPLE))
    return "utf-8"


def _encoding_of(sample: bytes) -> str:
    """The encoding of bytes that are not all UTF-8."""
    from charset_normalizer import from_bytes

    text = sample.decode("utf-8", "surrogateescape")
    bad = sum("\udc80" <= letter <= "\udcff" for letter in text)
    good = sum(letter > "\x7f" for letter in text) - bad
    if good >= bad:
        return "utf-8"
    best = from_bytes(sample).best()
    return best.encoding if best is not None else "cp1252"


def read_lines(file: BinaryIO, form: TextForm) -> Iterator[tuple[bytes, int]]:
    """(line with its end, bytes that it takes) from where the file stands; a line over LIMIT comes as b""."""
    return _feed_lines(file) if form.newline == b"\n" else _other_lines(file, form.newline, form.width)


def _feed_lines(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    while line := file.readline(LIMIT):
        size = len(line)
        if size == LIMIT and not line.endswith(b"\n"):
            while (rest := file.readline(LIMIT)) and not rest.endswith(b"\n"):
                size += len(rest)
            line, size = b"", size + len(rest)
        yield line, size


def _other_lines(file: BinaryIO, newline: bytes, width: int) -> Iterator[tuple[bytes, int]]:
    """Lines that end otherwise; an end counts only where a character starts."""
    rest, cut = b"", 0
    while block := file.read(BLOCK):
        rest += block
        start = 0
        while (end := _find(rest, newline, start, width)) >= 0:
            yield (b"", cut + end - start) if cut else (rest[start:end], end - start)
            start, cut = end, 0
        rest = rest[start:]
        if len(rest) > LIMIT:
            whole = len(rest) // width * width
            cut, rest = cut + whole, rest[whole:]
    if rest or cut:
        yield b"" if cut else rest, cut + len(rest)


def _find(data: bytes, newline: bytes, start: int, width: int) -> int:
    """Position after the next end of line, -1 where there is none."""
    found = data.find(newline, start)
    while found >= 0 and (found - start) % width:
        found = data.find(newline, found + 1)
    return found + len(newline) if found >= 0 else -1
