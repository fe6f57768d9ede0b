"""Lines of a text file in any encoding, with their places in bytes, so that reading can start anywhere."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any, BinaryIO

from bessemer.data.files.encoding import MARKS, WESTERN, encoding_of, is_mostly_utf8, wide_without_mark
from bessemer.errors import DataError

LIMIT = 4 * 2**20  # bytes of a line; longer ones are cut, and are no row
BLOCK = 2**20
SAMPLE = 256 * 2**10
BEYOND = bytes(range(128, 256))
MANY = 500  # bytes beyond ASCII that must fit no encoding before a table is refused for it
ANY = b""  # stands for all three ends of line, in files that mix them
MIXED = 0.05  # share of the ends of line that must be lone carriage returns: fewer may stand in cells
_ENDS = re.compile(rb"\r\n?|\n")


class Row(dict[str, Any]):
    """Cells of one row by their columns, and what had to be mended to read them, such as "decoded from cp1252"."""

    repairs: tuple[str, ...] = ()


@dataclass(frozen=True)
class TextForm:
    """How a file's bytes become lines: encoding, end of line, and where the text starts after its mark."""

    encoding: str
    newline: bytes
    width: int  # bytes that a character takes at least
    start: int

    def decode(self, raw: bytes) -> tuple[str, str]:
        """One line as text, and what was mended for it ("" where nothing was).

        A line that is not in the file's encoding is taken for Windows-1252.
        """
        try:
            text, encoding = raw.decode(self.encoding), self.encoding
        except UnicodeDecodeError:
            text, encoding = raw.decode(WESTERN, "replace"), WESTERN
        plain = encoding == "utf-8" or (self.width == 1 and raw.isascii())
        return text, "" if plain else f"decoded from {encoding}"


def text_form(path: Path) -> TextForm:
    """Find out a file's encoding and its ends of line; raises DataError where it is in none that is known."""
    with path.open("rb") as file:
        head = file.read(SAMPLE)
    for mark, encoding in MARKS:
        if head.startswith(mark):
            return _with_newline(encoding, head, len(mark))
    return _with_newline(wide_without_mark(head) or find_encoding(path), head, 0)


def _with_newline(encoding: str, head: bytes, start: int) -> TextForm:
    text = head[start:].decode(encoding, "ignore")
    feeds, lone = text.count("\n"), len(re.findall("\r(?!\n)", text))
    width = len("\n".encode(encoding))
    if lone and not feeds:
        newline = "\r".encode(encoding)
    elif lone > MIXED * (feeds + lone) and width == 1:
        newline = ANY
    else:
        newline = "\n".encode(encoding)
    return TextForm(encoding, newline, width, start)


def find_encoding(path: Path) -> str:
    """The encoding of a file without a mark: UTF-8 where most of it is, else the one whose letters make sense.

    Raises DataError where none does.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            before = len(decoder.getstate()[0])  # the beginning of a character that the last block ended in
            try:
                decoder.decode(block)
            except UnicodeDecodeError as error:
                first = max(0, file.tell() - len(block) - before + error.start - SAMPLE // 4)
                file.seek(first)
                return _encoding_around(path, file.read(SAMPLE))
    return "utf-8"


def _encoding_around(path: Path, sample: bytes) -> str:
    encoding = "utf-8" if is_mostly_utf8(sample) else encoding_of(sample)
    if encoding is None and len(sample) - len(sample.translate(None, BEYOND)) < MANY:
        return WESTERN
    if encoding is None:
        problem = f"{path}: neither in UTF-8 nor in an encoding whose letters make sense"
        raise DataError(
            problem, f"save it as UTF-8: iconv -f ITS-ENCODING -t UTF-8 {path.name} > utf8-{path.name}"
        )
    return encoding


def line_pieces(path: Path, form: TextForm, rows: int, size: int) -> Iterator[tuple[int, int, int]]:
    """(byte of its first line, lines before it, lines in it) of pieces of at most so many lines.

    A piece has at most `size` bytes, where a line is not larger.
    """
    with path.open("rb") as file:
        file.seek(form.start)
        ends = accumulate((length for _, length in read_lines(file, form)), initial=form.start)
        yield from pieces(next(ends), ends, rows, size)


def pieces(start: int, ends: Iterable[int], rows: int, size: int) -> Iterator[tuple[int, int, int]]:
    """(first byte, rows before it, rows in it) of pieces of at most so many rows, which end at these bytes.

    A piece has at most `size` bytes, where a row is not larger.
    """
    first, begin, count = start, 0, 0
    for end in ends:
        count += 1
        if count == rows or end - first >= size:
            yield first, begin, count
            first, begin, count = end, begin + count, 0
    if count:
        yield first, begin, count


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
    if newline == ANY:
        end = _ENDS.search(data, start)
        # A carriage return at the very end may be half of an end of line.
        return -1 if end is None or (end.end() == len(data) and end.group() == b"\r") else end.end()
    found = data.find(newline, start)
    while found >= 0 and (found - start) % width:
        found = data.find(newline, found + 1)
    return found + len(newline) if found >= 0 else -1
