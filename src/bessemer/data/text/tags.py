"""Tags in texts that are plain otherwise: `<br />` between paragraphs, `<i>` around a word.

Whether they are markup or what the text is about is decided for the whole set: were it decided text by text, those
with few tags would keep them, and the tag would tell how long a text is.
"""

from __future__ import annotations

import re

_INLINE = "a|abbr|b|big|cite|code|del|em|font|i|img|ins|mark|q|s|small|span|strike|strong|sub|sup|tt|u"
_BLOCK = (
    "address|article|blockquote|body|br|center|dd|div|dl|dt|figure|footer|h[1-6]|head|header|hr|html|li|main|nav|ol|p"
    "|pre|section|table|tbody|td|th|thead|title|tr|ul"
)
_ATTRIBUTES = r"(?:\s+[\w:-]+(?:\s*=\s*(?:\"[^\"]*\"|'[^']*'|[^\s\"'<>]+))?)*\s*/?"
_TAG = re.compile(rf"</?(?:{_INLINE}|{_BLOCK}){_ATTRIBUTES}>", re.I)
_BREAK = re.compile(rf"[^\S\n]*</?(?:{_BLOCK}){_ATTRIBUTES}>[^\S\n]*", re.I)
# A single tag such as <T> or <i> may be anything; one that closes, breaks a line or has attributes is markup.
_SURE = re.compile(rf"</(?:{_INLINE}|{_BLOCK})\s*>|<(?:br|hr)\s*/?>|<(?:{_INLINE}|{_BLOCK})\s+[\w:-]+\s*=", re.I)
# The tag itself is spoken of: it stands in quotes or back ticks, or between an article and `tag` or the like.
_SPOKEN_OF = re.compile(
    rf"[\"'`(]\s*</?(?:{_INLINE}|{_BLOCK}){_ATTRIBUTES}>|</?(?:{_INLINE}|{_BLOCK}){_ATTRIBUTES}>(?:[\"'`]|\s+(?:tag|element))",
    re.I,
)
_CODE = re.compile(
    r"^\s*(?:[#@}\])]|//|/\*|```)|[;{}]\s*$|^\s*(?:def|import|return|var|let|const|function|print)\b", re.M
)
CODE, SPOKEN_OF = 0.2, 0.25  # most lines of code, and of tags that are spoken of, in a text that is marked up
NO_TAGS, MARKED_UP, OTHER = range(3)


def tags_in(text: str) -> int:
    """NO_TAGS, MARKED_UP where they are markup of a plain text, OTHER where it is code or speaks of them."""
    if "<" not in text or not _SURE.search(text):
        return NO_TAGS
    lines = [line for line in text.splitlines() if line.strip()]
    code = sum(bool(_CODE.search(line)) for line in lines) > CODE * len(lines)
    spoken = len(_SPOKEN_OF.findall(text)) > SPOKEN_OF * len(_TAG.findall(text))
    return OTHER if code or spoken else MARKED_UP


def without_tags(text: str) -> str:
    """A text whose tags are markup without them: a line break for each that begins or ends a block."""
    return _TAG.sub("", _BREAK.sub("\n", text))
