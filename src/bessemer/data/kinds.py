"""Which kinds of data there are. A kind is one folder, listed here, or a stranger's, named by its dotted path."""

from __future__ import annotations

from bessemer.data.audio import AUDIO
from bessemer.data.image import IMAGE
from bessemer.data.kind import Kind
from bessemer.data.table import TABLE
from bessemer.data.text import TEXT
from bessemer.dotted import find_named

# Files are recognized by the first that knows them: text, which any bytes may be, comes last.
KINDS: dict[str, Kind] = {"image": IMAGE, "audio": AUDIO, "text": TEXT, "table": TABLE}


def find_kind(name: str) -> Kind:
    """A kind of data by its name, or by the dotted path of a class or of a value of one."""
    return find_named(name, KINDS, "kind of data", Kind)


def sniff(head: bytes) -> str:
    """The name of the kind that a file is of, from its first bytes; "unknown" where none knows them."""
    return next((name for name, kind in KINDS.items() if kind.sniff(head)), "unknown")
