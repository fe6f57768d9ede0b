"""Making a trained model small and fast: steps, the contract, and the search between them.

The room is also a door. Called, it compresses a torch module under a contract:

    bs.compress(model, data=(x, y), task="classify", contract={"max_drop": 0.02, "min_shrink": 4})

`bessemer.api.compress.compress` is what is called, and says what it takes and gives.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any


class _Door(ModuleType):
    """A package that can be called: its name stands for it as soon as any of its files is imported."""

    def __call__(self, *given: Any, **named: Any) -> Any:
        return import_module("bessemer.api.compress").compress(*given, **named)


sys.modules[__name__].__class__ = _Door
