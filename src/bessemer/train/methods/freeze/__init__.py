"""Layers that are used, but not trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from bessemer.train.methods.technique import Setup, Technique

if TYPE_CHECKING:
    from bessemer.train.methods.freeze.hooks import Freeze


def build(prefixes: list[str], setup: Setup) -> Freeze:
    """The hooks of a run."""
    from bessemer.train.methods.freeze.hooks import Freeze

    return Freeze(prefixes)


METHOD = Technique(
    name="frozen layers",
    setting=list[str],
    default=Field([], description="beginnings of names of layers that stay as they are"),
    build=build,
)
