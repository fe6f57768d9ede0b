"""Numbers as people write them in tables.

What can be read in two ways is never guessed: `1,234` is a thousand in London and little more than one in Berlin.
Where no decimal mark is said, only what has one reading is a number: plain digits with a point (`1234.5`, `1e-3`),
and commas that can only be thousands (`1,234.5`, `1,234,567`). With the mark said, points, commas and gaps must
stand between thousands.
"""

from __future__ import annotations

import re

import numpy as np

LARGEST = float(np.finfo(np.float32).max)
WORDS = "na n/a nan null none nil nat missing unknown <na> #n/a #na #null! ? - -- ."  # for nothing known
UNSAID = frozenset(WORDS.split(" ")) | {""}
PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?")
THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}((,\d{3})+\.\d+|(,\d{3}){2,})")  # with commas that mean nothing else
# By the decimal mark that is said: what groups of three digits may stand between, and the mark itself.
GROUPED = {
    mark: re.compile(rf"[+-]?[1-9]\d{{0,2}}([{group} \u00a0\u202f'’]\d{{3}})+({re.escape(mark)}\d*)?")
    for mark, group in ((".", ","), (",", "."))
}
NONE, INFINITE, LARGE, UNCLEAR = "is no number", "is infinite", "is too large", "can be read as two numbers"


class Unreadable(ValueError):
    """A text that is no number, and why."""


def says_nothing(text: str) -> bool:
    """Whether a cell says that nothing is known: empty, or a word such as NA or ?."""
    return text.strip().lower() in UNSAID


def number_in(text: str, decimal: str | None = None) -> float:
    """The number that a text says; `decimal` is the mark that it is written with, None where nothing is known.

    Raises Unreadable with one of NONE, INFINITE, LARGE (for float32) and UNCLEAR.
    """
    plain = text.strip().replace("\u2212", "-").lower()
    if plain.lstrip("+-") in ("inf", "infinity"):
        raise Unreadable(INFINITE)
    if decimal is not None and GROUPED[decimal].fullmatch(plain):
        plain = re.sub(f"[^\\d+{decimal}-]", "", plain)
    elif decimal is None and THOUSANDS.fullmatch(plain):
        plain = plain.replace(",", "")
    elif decimal is None and any(_says_a_number(plain, mark) for mark in GROUPED) and not PLAIN.fullmatch(plain):
        raise Unreadable(UNCLEAR)
    if decimal == ",":
        plain = plain.replace(".", "?").replace(",", ".")
    if not PLAIN.fullmatch(plain):
        raise Unreadable(NONE)
    if abs(float(plain)) > LARGEST:
        raise Unreadable(LARGE)
    return float(plain)


def _says_a_number(plain: str, decimal: str) -> bool:
    try:
        number_in(plain, decimal)
    except Unreadable:
        return False
    return True
