"""Saying what comes next in a text.

`Language`, what training minimizes, is found when it is asked for: a recipe is read without torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bessemer.task.language.objective import Language

__all__ = ["Language"]


def __getattr__(name: str) -> Any:
    if name != "Language":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from bessemer.task.language.objective import Language

    return Language
