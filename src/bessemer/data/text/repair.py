"""Mending of a decoded text. Training and prediction both call `clean_text`, so that a model sees in use what it
was trained on.

Unicode is brought to NFC, not NFKC: NFKC also folds what carries meaning (x² to x2, ½ to 1⁄2, ﬁ and full-width
letters), which can't be undone; a tokenizer that wants it can do so itself.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from bessemer.data.text.html import html_text, looks_like_html
from bessemer.data.text.tags import MARKED_UP, tags_in, without_tags

# Control characters apart from tab and line break, and characters without width: byte order mark, soft hyphen,
# zero width space, word joiner, marks of direction, not-characters. The joiners U+200C and U+200D stay where they
# join letters or emoji: Persian, Hindi and family emoji need them.
_REMOVED = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff"
    "\ufff9-\ufffb\ufffe\uffff\ufdd0-\ufdef]"
)
_JOINED = "\u0600-\u0dff\u2600-\u27bf\ufe0f\U0001f000-\U0001faff"
_JOINERS = re.compile(f"(?<![{_JOINED}])[\u200c\u200d]+|[\u200c\u200d]+(?![{_JOINED}\u200c\u200d])")
_BLANK_CONTROLS = "\x0b\x0c"  # form feeds and vertical tabs: white space too
_SPLIT_AT_BLANKS = re.compile(f"([{_BLANK_CONTROLS}])")
_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")  # colors of a terminal
_SURROGATES = re.compile("[\ud800-\udfff]")
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});")
_NESTED = re.compile(r"&(?:amp;){2,}")
_LINE_ENDS = re.compile("\r\n?|[\x85\u2028\u2029\x0b\x0c]")
_BLANKS = re.compile(r"\n{3,}")
_ODD_SPACES = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")
LONGEST_LINE = 20_000  # characters of a line that mojibake is looked for in
PASSES = 20


def clean_text(text: str, html: str = "auto", white_space: str = "normalize") -> tuple[str, tuple[str, ...]]:
    """The repaired text, and the name of each repair that changed something, in order.

    Mojibake is mended (ftfy), HTML documents become their text and entities are resolved in texts without tags
    (`html="keep"` leaves both, `html="strip"` takes tags out of plain texts too), control and zero-width
    characters go, Unicode is NFC, line ends are `\\n`, spaces at line ends and runs of blank lines go. Indentation
    and case stay. With `white_space="keep"` all white space stays as it is. Applying it twice equals once: the
    passes run until nothing changes (an entity may hide an entity, a page a page).
    """
    done: dict[str, None] = {}
    if white_space == "normalize":
        text = text.strip("\r\n")  # what every file ends with is not worth a name
    for _ in range(PASSES):
        before = text
        for name, step in _steps(html, white_space):
            after = step(text)
            if after != text:
                done[name] = None
                text = after
        if text == before:
            break
    return text, tuple(done)


def _steps(html: str, white_space: str) -> list[tuple[str, Callable[[str], str]]]:
    steps: list[tuple[str, Callable[[str], str]]] = [
        ("mojibake repaired", _mojibake),
        ("entities resolved", _entities),
        ("control characters removed", _controls if white_space == "normalize" else _other_controls),
        ("HTML stripped", _html),
        ("tags in plain text removed", _tags),
        ("Unicode normalized", lambda text: unicodedata.normalize("NFC", text)),
        ("white space normalized", _white_space),
    ]
    off = {"HTML stripped", "entities resolved"} if html == "keep" else set()
    off |= set() if html == "strip" else {"tags in plain text removed"}
    off |= {"white space normalized"} if white_space == "keep" else set()
    return [step for step in steps if step[0] not in off]


def _mojibake(text: str) -> str:
    """UTF-8 that was once read as another encoding, mended line by line: a document may mix both."""
    if text.isascii():
        return text
    from ftfy import fix_encoding

    lines = text.split("\n")
    for i, line in enumerate(lines):
        if not line.isascii() and len(line) <= LONGEST_LINE:
            lines[i] = fix_encoding(line)
    return "\n".join(lines)


def _entities(text: str) -> str:
    """`&eacute;` and the like, by ftfy's rule: a text with a `<` may be markup or code and means what it says."""
    if "&" not in text or "<" in text or not _ENTITY.search(text):
        return text
    from html import unescape

    return _ENTITY.sub(lambda match: unescape(match.group()), _NESTED.sub("&amp;", text))


def _html(text: str) -> str:
    return html_text(text) if looks_like_html(text) else text


def _tags(text: str) -> str:
    return without_tags(text) if tags_in(text) == MARKED_UP else text


def _controls(text: str) -> str:
    text = _ESCAPES.sub("", text)
    text = _SURROGATES.sub("\ufffd", text)
    return _JOINERS.sub("", _REMOVED.sub("", text))


def _other_controls(text: str) -> str:
    """The same, but for control characters that are white space."""
    return "".join(part if part in _BLANK_CONTROLS else _controls(part) for part in _SPLIT_AT_BLANKS.split(text))


def _white_space(text: str) -> str:
    text = _ODD_SPACES.sub(" ", _LINE_ENDS.sub("\n", text))
    text = "\n".join(line.rstrip() for line in text.split("\n"))
    return _BLANKS.sub("\n\n", text).strip("\n")
