"""What a technique gives back: a network and the edit that rebuilds it, with words on what changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from bessemer.model.surgery import Edit
from bessemer.report.format import plural
from bessemer.report.table import columns

SHOWN = 12  # rows of a table; more would hide what stands above them


class Edited(tuple[nn.Module, Edit]):
    """A pair that unpacks into the network and the edit; its `repr` says what changed."""

    words: str

    def __new__(cls, model: nn.Module, edit: Edit, words: str) -> Edited:
        """The pair, and what it shows of itself."""
        pair = super().__new__(cls, (model, edit))
        pair.words = words
        return pair

    def __getnewargs__(self) -> tuple[Any, ...]:  # a copy keeps its words
        return (*self, self.words)

    def __repr__(self) -> str:
        return self.words

    @property
    def model(self) -> nn.Module:
        """The network that was made."""
        return self[0]

    @property
    def edit(self) -> Edit:
        """What makes it of the one that was given (see bessemer.model.surgery)."""
        return self[1]


def short_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows under a head, of which the first few are shown and the others counted."""
    left_out = len(rows) - SHOWN
    more = f"\n... and {plural(left_out, 'layer')} more" if left_out > 0 else ""
    return columns([head, *rows[:SHOWN]]) + more
