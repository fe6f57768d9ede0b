"""Structured pruning: whole channels really removed, everywhere they are read.

Torch-Pruning's dependency graph (Fang et al., "DepGraph", CVPR 2023) says which channels stand and fall
together; only this file knows it. A model that it cannot follow, such as one with attention, says so itself in
`channel_groups()`; a unit may then be a whole head. Channels are ranked by the L2 norm of everything they own in
their group. The removal itself is an edit (see bessemer.model.surgery), so a pruned model is reloaded like any
other.
"""

from __future__ import annotations

import copy
import warnings
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from bessemer.compress.edited import Edited, short_table
from bessemer.compress.steps import Lab, Made, Step
from bessemer.data.given import inputs_of
from bessemer.errors import UsageError
from bessemer.model.contract import channel_groups
from bessemer.model.measure import parameters
from bessemer.model.surgery import Edit, apply_edits

PRUNABLE = (nn.Conv2d, nn.Linear)
EXAMPLE = 4  # inputs that show the way through a network


@dataclass(frozen=True)
class Slot:
    """One side (`out` or `in`) of one layer, and the channel in it that each unit of the group stands for."""

    layer: str
    side: str
    channels: list[int]
    units: list[int]


@dataclass(frozen=True)
class Group:
    """Channels that stand and fall together: `size` units, and all the slots that hold them."""

    size: int
    slots: list[Slot]

    @property
    def unit_channels(self) -> int:
        """Channels that one unit stands for in a slot: 1, or those of a head."""
        return max(1, min(len(slot.channels) for slot in self.slots) // self.size)


def prune(model: nn.Module, example: Any, keep: float, round_to: int = 8) -> Edited:
    """Keep the share `keep` of the channels in every group; returns a pruned copy and the edit that made it.

    `example` is a batch of inputs (B, ...), or data of which a few inputs are taken (see bessemer.data.given).
    Counts are rounded to multiples of `round_to`, and never fall below one multiple where the layer had it;
    attention loses whole heads and keeps one at least. The layer that gives the outputs keeps them all. Warns when
    nothing changes. What is returned unpacks into the pair, and shows which layers changed. Source: Li et al.,
    "Pruning filters for efficient ConvNets", 2017.
    """
    if not 0 < keep <= 1:
        raise UsageError(f"keep must be in (0, 1], got {keep}", "give the share of channels to keep")
    edit = plan(model, inputs_of(example, EXAMPLE), keep, round_to)
    if not edit["layers"]:
        warnings.warn(f"prune(keep={keep}) changed nothing: no group has channels to spare", stacklevel=2)
    pruned = apply_edits(copy.deepcopy(model), [edit])
    return Edited(pruned, edit, told(model, pruned, edit))


def told(model: nn.Module, pruned: nn.Module, edit: Edit) -> str:
    """Parameters before and after, and the channels of each layer that changed."""
    before, after = parameters(model), parameters(pruned)
    head = f"pruned to {after:,} of {before:,} parameters ({after / max(1, before):.1%})"
    rows = []
    for name, layer in model.named_modules():  # in the model's own order
        if name in edit["layers"] and isinstance(layer, PRUNABLE):
            left = pruned.get_submodule(name)
            widths = [(_width(left, side), _width(layer, side)) for side in ("out", "in")]
            rows.append([name, *(f"{new} of {old}" if new < old else str(old) for new, old in widths)])
    return f"{head}\n{short_table(['layer', 'outputs', 'inputs'], rows)}" if rows else f"{head}, nothing changed"


def plan(model: nn.Module, example: Tensor, keep: float, round_to: int = 8) -> Edit:
    """The edit that keeps the most important channels; nothing is changed yet."""
    model = copy.deepcopy(model).eval().requires_grad_(True)  # the graph is read from gradients
    modules = dict(model.named_modules())
    dropped: dict[tuple[str, str], set[int]] = defaultdict(set)
    for group in find_groups(model, example):
        count = kept_count(group.size, keep, round_to if group.unit_channels == 1 else 1)
        order = torch.argsort(importance(group, modules), descending=True, stable=True)
        gone = set(order[count:].tolist())
        own: dict[tuple[str, str], set[int]] = defaultdict(set)
        for slot in group.slots:
            pairs = zip(slot.channels, slot.units, strict=True)
            own[slot.layer, slot.side].update(channel for channel, unit in pairs if unit in gone)
        if fits(model, as_edit(own, modules), example):
            for side, channels in own.items():
                dropped[side] |= channels
    return as_edit(dropped, modules)


def fits(model: nn.Module, edit: Edit, example: Tensor) -> bool:
    """Whether the edited model still runs and gives outputs of the same shape.

    It does not where a group holds the outputs themselves, or a layer whose channels cannot be removed: such a
    group keeps all its channels.
    """
    with torch.no_grad():
        try:
            return _shapes(apply_edits(copy.deepcopy(model), [edit])(example)) == _shapes(model(example))
        except (RuntimeError, IndexError, ValueError):
            return False


def _shapes(outputs: Any) -> list[torch.Size]:
    if isinstance(outputs, Tensor):
        return [outputs.shape]
    parts = outputs.values() if isinstance(outputs, Mapping) else outputs
    return [shape for part in parts for shape in _shapes(part)] if isinstance(parts, Iterable) else []


def as_edit(dropped: Mapping[tuple[str, str], set[int]], modules: Mapping[str, nn.Module]) -> Edit:
    """The edit that drops these channels of (layer, side)."""
    layers: dict[str, dict[str, list[int]]] = defaultdict(dict)
    for (name, side), channels in dropped.items():
        if channels:
            layers[name][side] = [c for c in range(_width(modules[name], side)) if c not in channels]
    return {"edit": "keep_channels", "layers": dict(layers)}


def kept_count(size: int, keep: float, round_to: int) -> int:
    """How many of `size` channels stay: the nearest multiple of `round_to`, at least one multiple."""
    if keep == 1:
        return size
    rounded = round(size * keep / round_to) * round_to
    return min(size, max(rounded, round_to))


def find_groups(model: nn.Module, example: Tensor) -> list[Group]:
    """The groups of channels that stand and fall together: as the model says, or as its graph shows."""
    groups = channel_groups(model)
    if groups is not None:
        told = [[Slot(*slot) for slot in slots] for slots in groups]
        return [Group(1 + max(max(slot.units) for slot in slots), slots) for slots in told]
    return _graph_groups(model, example)


def _graph_groups(model: nn.Module, example: Tensor) -> list[Group]:
    import torch_pruning as tp

    names = {module: name for name, module in model.named_modules()}
    with warnings.catch_warnings(), torch.enable_grad():
        warnings.simplefilter("ignore")  # Torch-Pruning warns of its own deprecations
        graph = tp.DependencyGraph().build_dependency(model, example_inputs=example)
        found = list(graph.get_all_groups(root_module_types=list(PRUNABLE)))
    groups = []
    for members in found:
        slots: list[Slot] = []
        for member in members:
            module = member.dep.target.module
            if module in names and isinstance(module, (*PRUNABLE, nn.modules.batchnorm._BatchNorm)):
                side = "out" if graph.is_out_channel_pruning_fn(member.dep.handler) else "in"
                slots.append(Slot(names[module], side, list(member.idxs), list(member.root_idxs)))
        if slots and not any(_is_grouped(member.dep.target.module) for member in members):
            groups.append(Group(1 + max(max(slot.units) for slot in slots), slots))
    return groups


def _is_grouped(module: object) -> bool:
    """A convolution in groups of several channels: removing some would mix channels of different groups."""
    return isinstance(module, nn.Conv2d) and 1 < module.groups < module.in_channels


def importance(group: Group, modules: dict[str, nn.Module]) -> Tensor:
    """How much each unit (size,) weighs: the sum of squares of all it owns, every layer counting alike."""
    total = torch.zeros(group.size)
    for slot in group.slots:
        layer = modules[slot.layer]
        if not isinstance(layer, PRUNABLE):
            continue
        weight = layer.weight.detach()
        if slot.side == "in":
            if weight.shape[1] <= max(slot.channels):
                continue  # a depthwise convolution has one input a filter; its output side counts
            weight = weight.transpose(0, 1)
        norms = weight.cpu().flatten(1).pow(2).sum(1)[torch.tensor(slot.channels)]
        total.index_add_(0, torch.tensor(slot.units), norms.float() / norms.mean().clamp_min(1e-12))
    return total


def _width(module: nn.Module, side: str) -> int:
    if isinstance(module, nn.Conv2d):
        return module.out_channels if side == "out" else module.in_channels
    if isinstance(module, nn.Linear):
        return module.out_features if side == "out" else module.in_features
    assert isinstance(module, nn.modules.batchnorm._BatchNorm)
    return module.num_features


class Prune(Step):
    """Structured pruning as a step of compression."""

    technique: ClassVar[str] = "channel pruning"

    step: Literal["prune"] = "prune"
    keep: float = Field(0.5, gt=0, le=1, description="share of the channels that stay")
    round_to: int = Field(8, ge=1, description="channels are kept in multiples of this")

    @property
    def idle(self) -> bool:
        return self.keep == 1

    @property
    def label(self) -> str:
        return f"keep {self.keep:g}"

    def apply(self, made: Made, lab: Lab) -> Made:
        if self.idle:
            return made
        network, edit = prune(made.network, lab.example(), self.keep, self.round_to)
        return Made(made.architecture.edited(edit), network)
