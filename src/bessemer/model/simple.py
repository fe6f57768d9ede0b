"""The simple model of a kind of data as a network like any other: built by `architecture.json`, saved and
exported.

It is fitted (bessemer.task), not trained, so no recipe names it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from bessemer.data.kinds import find_kind
from bessemer.errors import UsageError
from bessemer.model.config import ModelConfig
from bessemer.model.models import CLASSES, NUMBERS, Model

if TYPE_CHECKING:
    from torch import nn


def simple(
    kind: str, shape: Sequence[int], arguments: Mapping[str, Any], outputs: int, of_classes: bool
) -> nn.Module:
    """The network of a kind's simple model, not yet fitted, for samples of this shape; outputs (B, outputs).

    `arguments` is what `dataset.json` says to networks. Raises UsageError where the kind has none.
    """
    found = find_kind(kind).simple_network(shape, arguments, outputs, of_classes)
    if found is None:
        raise UsageError(f"{kind} has no simple model that can ship", "give the kind a `simple_network`")
    return cast("nn.Module", found)


MODEL = Model(settings=ModelConfig, build=simple, heads=(CLASSES, NUMBERS))
