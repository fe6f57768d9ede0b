"""Telling classes apart.

`Classify`, what training minimizes, is found when it is asked for: a recipe is read without torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bessemer.task.classify.objective import Classify

__all__ = ["Classify"]


def __getattr__(name: str) -> Any:
    if name != "Classify":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from bessemer.task.classify.objective import Classify

    return Classify
