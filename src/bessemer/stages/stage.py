"""A stage as one value: its name, what it reads, what keys it, when it runs, and its body.

Each file of this room has one: `STAGE`. What a stage leaves for others is a typed product in the same file, so
that both ends of a file's name stand together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bessemer.artifact import Artifact
from bessemer.recipe import Recipe
from bessemer.stages.context import Context

Inputs = Mapping[str, Artifact]


@dataclass(frozen=True)
class Stage:
    """One stage of a run; `settings` are all values of a recipe that change its result."""

    name: str
    needs: tuple[Stage, ...]
    settings: Callable[[Recipe], dict[str, Any]]
    body: Callable[[Context], None]
    wanted: Callable[[Recipe], bool] = lambda recipe: True
    possible: Callable[[Inputs], bool] = lambda inputs: True  # with what came out upstream

    def inputs(self, recipe: Recipe, artifacts: Inputs) -> dict[str, Artifact] | None:
        """The upstream artifacts that a run of this recipe gives it; None where one is still missing."""
        needed = [stage.name for stage in self.needs if stage.wanted(recipe)]
        return {name: artifacts[name] for name in needed} if all(name in artifacts for name in needed) else None
