"""What a network may tell of itself, and what holds where it tells nothing. All of it is optional.

A network is any torch module. The rest of the house asks it through the functions below and nowhere else, so a
plain module trains, is pruned, rounded and exported as it is, and one that says more gets more:

    of the network            type                        default: where it is missing
    taps                      list[str]                   none: distillation compares outputs alone
    residual_branches()       list[list[str]]             none: stochastic depth is refused
    channel_groups()          list[ChannelGroup]          found by following an example through the network
    free_length               bool                        False: all inputs have the length of the example
    context                   int                         none: a task that cuts windows refuses the network
    headless                  bool, set from outside      outputs are always given whole
    reads_on                  bool                        False: it is not asked to write texts
    documents                 Tensor or None              every row of a batch is one sample

    of the network or any module inside it
    is_block                  bool                        False: nothing is computed again to save memory
    is_leaf                   bool                        False: tracing for quantization looks inside
    packing                   bool, set from outside      samples are never packed into rows

A network with `reads_on` has `features(tokens, caches)`, `blocks`, `head` and `context` as
bessemer.model.generate uses them; one with `headless` has `head`, the linear layer that it then leaves out in
training. `taps` and branches are names of modules, as `named_modules` gives them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from torch import Tensor, nn

from bessemer.errors import UsageError

ChannelGroup = list[tuple[str, str, list[int], list[int]]]  # (layer, side, channels, the unit of each)


def taps(network: nn.Module) -> list[str]:
    """Names of the layers whose features can be compared with those of a network of the same kind."""
    return list(getattr(network, "taps", []))


def residual_branches(network: nn.Module) -> list[list[str]]:
    """Names of the modules whose outputs are added to a shortcut, block by block."""
    tell: Callable[[], list[list[str]]] | None = getattr(network, "residual_branches", None)
    return tell() if tell is not None else []


def channel_groups(network: nn.Module) -> list[ChannelGroup] | None:
    """What can be pruned together; None where the network's graph has to show it."""
    tell: Callable[[], list[ChannelGroup]] | None = getattr(network, "channel_groups", None)
    return tell() if tell is not None else None


def free_length(network: nn.Module) -> bool:
    """Whether it takes inputs (B, T) of any length T."""
    return bool(getattr(network, "free_length", False))


def keep_free_length(network: nn.Module, made: nn.Module) -> None:
    """Let a network that was made from another one tell the same of its length."""
    setattr(made, "free_length", free_length(network))  # noqa: B010 (not a submodule)


def context(network: nn.Module) -> int:
    """How many tokens it reads at once; raises UsageError where it does not say."""
    length = getattr(network, "context", None)
    if not isinstance(length, int):
        problem = f"a {type(network).__name__} does not say how many tokens it reads at once"
        raise UsageError(problem, "give it an attribute `context`, or take another model")
    return length


def headless(network: nn.Module) -> nn.Linear | None:
    """Let training get features in place of outputs, for losses that bring the head themselves; returns that head.

    None where the network cannot: it gives its outputs whole.
    """
    if not hasattr(network, "headless"):
        return None
    network.headless = True  # type: ignore[assignment]  # torch takes any attribute for a tensor or module
    return cast("nn.Linear", network.head)


def reads_on(network: nn.Module) -> bool:
    """Whether it can go on from what it has read, as bessemer.model.generate asks it to."""
    return bool(getattr(network, "reads_on", False))


def documents(network: nn.Module) -> Tensor | None:
    """The sample of each place of a packed batch, -1 where none is; None where every row is a sample."""
    return cast("Tensor | None", getattr(network, "documents", None))


def blocks(network: nn.Module) -> list[nn.Module]:
    """The repeated blocks, in order: what can be computed again instead of kept."""
    return [module for module in network.modules() if getattr(module, "is_block", False)]


def is_leaf(module: nn.Module) -> bool:
    """Whether quantization takes a module as one piece, in floats."""
    return bool(getattr(module, "is_leaf", False))


def set_packing(network: nn.Module, on: bool) -> None:
    """Switch packing of several samples into a row on or off, in every part of a network that can."""
    for module in network.modules():
        if hasattr(module, "packing"):
            module.packing, module.documents = on, None  # type: ignore[assignment]  # as above


def is_packing(network: nn.Module) -> bool:
    """Whether any part of it packs."""
    return any(getattr(module, "packing", False) for module in network.modules())
