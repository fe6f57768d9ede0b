"""Copies: exact ones by content, near ones by signatures that are computed once and verified before they count."""

from bessemer.prepare.dedup.doubt import doubt
from bessemer.prepare.dedup.search import Copies, find_copies
from bessemer.prepare.dedup.survivors import Survivors, choose_survivors

__all__ = ["Copies", "Survivors", "choose_survivors", "doubt", "find_copies"]
