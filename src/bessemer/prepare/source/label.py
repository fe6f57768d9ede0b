"""What a cell of a label says: a class, nothing, or several classes; and which class names are alike."""

from __future__ import annotations

import ast
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from bessemer.data.record import FILTERED, Rejected

NOTHING = {"nan", "null", "<na>", "n/a", "#n/a", "#na", "nat"}  # whatever the case
NOTHING_AS_WRITTEN = {"None", "NA"}  # in other letters they are words: `none` is a class of many sets
INVISIBLE = "\u2800\u3164\u115f\u1160\uffa0"  # letters by their category that show nothing: Braille, Hangul
QUOTED = re.compile(r"'([^']*)'|\"([^\"]*)\"")
SEPARATORS = "|;,"
NUMBER = re.compile(r"[-+]?\d+(,\d+)+(\.\d+)?")  # with a decimal comma, or commas between thousands
SEVERAL = "several labels"
LETTERS = 3  # pairs such as a and A: more of them are an alphabet, whose letters differ in case by intent


def trimmed(text: str) -> str:
    """The text without blanks of any script at its ends, nor marks that show nothing."""
    first, last = 0, len(text)
    while first < last and _is_blank(text[first]):
        first += 1
    while last > first and _is_blank(text[last - 1]):
        last -= 1
    return text[first:last]


def _is_blank(letter: str) -> bool:
    return letter.isspace() or letter in INVISIBLE or unicodedata.category(letter) in ("Cf", "Cc")


def says_no_label(text: str) -> bool:
    """Whether a trimmed cell says that there is no label."""
    return not text or text in NOTHING_AS_WRITTEN or text.lower() in NOTHING


def listed(cell: Any) -> list[Any] | None:
    """The elements of a cell that holds a list, or the text of one (`['a', 'b']`, `["a"]`, `{'a'}`); else None."""
    if isinstance(cell, list | tuple | set):
        return list(cell)
    if not isinstance(cell, str) or (text := cell.strip())[:1] + text[-1:] not in ("[]", "{}"):
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = _python(text)
    return list(found) if isinstance(found, list | tuple | set) else None


def _python(text: str) -> Any:
    """What a text says as Python, numpy's arrays or databases (`{a,b}`) write it; else None."""
    quoted = [one or other for one, other in QUOTED.findall(text)]
    if quoted and not QUOTED.sub("", text).strip("[]{}, \n"):
        return quoted  # Python itself joins 'a' 'b', as numpy prints them, to one text
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        inside = text[1:-1].strip()
        words = re.split(r"\s*,\s*" if "," in inside else r"\s+", inside)
        return words if len(words) > 1 else None


def several(names: Iterable[str]) -> Rejected:
    """Why a row with these labels is set aside."""
    return Rejected(SEVERAL, ", ".join(names)[:80], FILTERED)


def joined(counts: Mapping[str, int]) -> Counter[str]:
    """Those of some labels that join others by a bar, a semicolon or a comma (`news|sport`), with their counts.

    A name with a comma of its own (`Arts, crafts`) is not one of them: its parts are in no other label.
    """
    most: Counter[str] = Counter()
    for mark in SEPARATORS:
        parts = {name: [trimmed(one) for one in name.split(mark)] for name in counts}
        uses = Counter(one for every in parts.values() for one in set(every))
        found = Counter(
            {
                name: counts[name]
                for name, every in parts.items()
                if len(every) > 1 and all(one and uses[one] > 1 for one in every) and not NUMBER.fullmatch(name)
            }
        )
        if found.total() > most.total():
            most = found
    return most


def alike(names: Iterable[str]) -> list[list[str]]:
    """Groups of two or more names that differ in case, in blanks or in the width of letters alone, in order."""
    groups: dict[str, list[str]] = {}
    for name in names:
        plain = " ".join(unicodedata.normalize("NFKC", name).casefold().split())
        groups.setdefault(plain, []).append(name)
    return [group for group in groups.values() if len(group) > 1]


def is_alphabet(groups: list[list[str]]) -> bool:
    """Whether names that are alike are the small and capital letters of an alphabet."""
    return len(groups) > LETTERS and all(len(name) == 1 for group in groups for name in group)


def one_spelling(counts: Mapping[str, int]) -> dict[str, str]:
    """The name that stands for each label: of those that are alike the commonest, then the plainest."""
    spelled = {name: name for name in counts}
    for group in alike(counts):
        best = min(group, key=lambda name: (-counts[name], not name.isascii(), "  " in name, name))
        spelled |= dict.fromkeys(group, best)
    return spelled


def of_one_spelling(counts: Mapping[str, int]) -> Counter[str]:
    """The counts of labels with those that are alike taken together."""
    spelled, found = one_spelling(counts), Counter[str]()
    for name, count in counts.items():
        found[spelled[name]] += count
    return found


def told_alike(groups: list[list[str]], most: int = 3) -> str:
    """The groups in words: `Ham and ham, Spam and spam`."""
    some = [" and ".join(repr(name) for name in sorted(group)) for group in groups[:most]]
    rest = len(groups) - most
    return ", ".join(some) + (f", and {rest} more" if rest > 0 else "")
