"""Which kinds of data there are. A kind is one folder, listed here, or a stranger's, named by its dotted path."""

from __future__ import annotations

from bessemer.config import load_dotted
from bessemer.data.audio import AUDIO
from bessemer.data.image import IMAGE
from bessemer.data.kind import Kind
from bessemer.data.text import TEXT
from bessemer.errors import UsageError

# Files are recognized by the first that knows them: text, which any bytes may be, comes last.
KINDS: dict[str, Kind] = {"image": IMAGE, "audio": AUDIO, "text": TEXT}


def find_kind(name: str) -> Kind:
    """A kind of data by its name, or by the dotted path of a class or of a value of one."""
    if name in KINDS:
        return KINDS[name]
    remedy = f"known: {', '.join(KINDS)}, or the dotted path of a class of your own"
    if "." not in name:
        raise UsageError(f"no kind of data {name!r}", remedy)
    found = load_dotted(name, "kind of data")
    made = found() if isinstance(found, type) and issubclass(found, Kind) else found
    if not isinstance(made, Kind):
        raise UsageError(f"{name!r} is no kind of data", "derive it from bessemer.data.kind.Kind")
    return made


def sniff(head: bytes) -> str:
    """The name of the kind that a file is of, from its first bytes; "unknown" where none knows them."""
    return next((name for name, kind in KINDS.items() if kind.sniff(head)), "unknown")
