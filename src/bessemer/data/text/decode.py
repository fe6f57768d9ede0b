"""From the bytes of a file to text."""

from __future__ import annotations

import re

from bessemer.data.files.encoding import HEAD, MARKS, encoding_of, is_mostly_utf8, wide_without_mark
from bessemer.data.record import Rejected

MOST_CONTROL = 0.05  # share of control characters that a text may have
_CONTROL = bytes(set(range(32)) - set(b"\t\n\r\f\v\b\x1b\x0e\x0f")) + b"\x7f"
_ESCAPED = re.compile("[\udc80-\udcff]")
_C1 = re.compile(r"[\x80-\x9f]")


def decode(raw: bytes) -> tuple[str, tuple[str, ...]]:
    """Text of a file and what had to be mended for it, such as "decoded from cp1252".

    UTF-8 first (its strictness makes a false match unlikely), UTF-16 and UTF-32 by their mark, then the encoding
    that the text declares or whose letters make sense (see bessemer.data.files.encoding). A UTF-8 file with a few
    wrong bytes stays UTF-8.

    Raises Rejected: "empty file", "binary, not text", "unknown encoding".
    """
    if not raw.strip():
        raise Rejected("empty file", f"{len(raw)} bytes")
    for mark, encoding in MARKS:
        if raw.startswith(mark):
            return _decode_marked(raw[len(mark) :], encoding)
    wide = wide_without_mark(raw) if len(raw) % 2 == 0 else None
    if wide:
        return _decode_marked(raw, wide)
    _refuse_binary(raw)
    try:
        return raw.decode("utf-8"), ()
    except UnicodeDecodeError:
        return _mostly_utf8(raw) or _old_encoding(raw)


def _decode_marked(raw: bytes, encoding: str) -> tuple[str, tuple[str, ...]]:
    if not raw:
        raise Rejected("empty file", "only a byte order mark")
    text = raw.decode(encoding, "replace")
    if text.count("\ufffd") > len(text) / 10 or text[:HEAD].count("\0") > len(text[:HEAD]) * MOST_CONTROL:
        raise Rejected("binary, not text", f"starts with the mark of {encoding}, but is not")
    return text, () if encoding == "utf-8" else (f"decoded from {encoding}",)


def _refuse_binary(raw: bytes) -> None:
    head = raw[:HEAD]
    if b"\0" in head:
        raise Rejected("binary, not text", f"a zero byte at {head.index(0)}")
    control = len(head) - len(head.translate(None, _CONTROL))
    if control > MOST_CONTROL * len(head):
        raise Rejected("binary, not text", f"{control / len(head):.0%} control characters")


def _mostly_utf8(raw: bytes) -> tuple[str, tuple[str, ...]] | None:
    """UTF-8 in which the wrong bytes are few, for example one line pasted from another file, or a cut end."""
    if not is_mostly_utf8(raw):
        return None
    text = raw.decode("utf-8", "surrogateescape")
    text = _ESCAPED.sub(lambda m: bytes([ord(m.group()) - 0xDC00]).decode("cp1252", "replace"), text)
    return text, ("wrong bytes in UTF-8 replaced",)


def _old_encoding(raw: bytes) -> tuple[str, tuple[str, ...]]:
    encoding = encoding_of(raw)
    if encoding is None:
        raise Rejected("unknown encoding", "neither UTF-8 nor an encoding whose letters make sense")
    text = raw.decode(encoding, "replace")
    if len(_C1.findall(text[:HEAD])) + text[:HEAD].count("\ufffd") > MOST_CONTROL * len(text[:HEAD]):
        raise Rejected("binary, not text", f"as {encoding}, mostly control characters")
    return text, (f"decoded from {encoding}",)
