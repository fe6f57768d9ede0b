"""Copies: exact ones by content, near ones by signatures that are computed once and verified before they count."""

from bessemer.data.dedup.search import Copies, find_copies
from bessemer.data.dedup.signature import image_signature, text_signature
from bessemer.data.dedup.survivors import Survivors, choose_survivors

__all__ = ["Copies", "Survivors", "choose_survivors", "find_copies", "image_signature", "text_signature"]
