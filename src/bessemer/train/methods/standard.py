"""The methods that settings switch on, in the one order in which they go together."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from bessemer.errors import UsageError
from bessemer.task.classify.objective import Classify
from bessemer.task.task import Objective
from bessemer.train.config import TrainConfig
from bessemer.train.memory.method import ActivationMemory
from bessemer.train.methods import Method
from bessemer.train.methods.cutmix import CutMix
from bessemer.train.methods.ema import Ema
from bessemer.train.methods.freeze import Freeze
from bessemer.train.methods.label_smoothing import LabelSmoothing
from bessemer.train.methods.lora import Lora
from bessemer.train.methods.mixup import Mixup
from bessemer.train.methods.resizing import Resizing
from bessemer.train.methods.selective import Selective
from bessemer.train.methods.sequence_warmup import SequenceWarmup
from bessemer.train.methods.stochastic_depth import StochasticDepth


def standard_methods(config: TrainConfig, task: Objective, seed: int, steps: int) -> list[Method]:
    """What trains comes first, then what changes inputs, what chooses samples, what changes targets, averages."""
    methods: list[Method] = []
    if config.freeze:
        methods.append(Freeze(config.freeze))
    if config.lora:
        methods.append(Lora(config.lora, seed))
    if config.stochastic_depth > 0:
        methods.append(StochasticDepth(config.stochastic_depth, seed))
    if config.resizing:
        methods.append(Resizing(config.resizing, steps))
    if config.sequence_warmup:
        methods.append(SequenceWarmup(config.sequence_warmup, steps))
    if config.selective:  # before targets are mixed, so that a large loss tells of one sample
        methods.append(Selective(config.selective, task, config.ghost_batch, steps))
    methods += _of_labels(config, task, seed)
    if config.memory.changes_layers:  # behind those that put other layers in place
        methods.append(ActivationMemory(config.memory))
    if config.ema > 0:  # last, so that it averages what the others have made of the weights
        methods.append(Ema(config.ema))
    return methods


def _of_labels(config: TrainConfig, task: Objective, seed: int) -> list[Method]:
    """Methods that change the labels of classes."""
    methods: list[Method] = []
    if not (config.label_smoothing > 0 or config.cutmix > 0 or config.mixup > 0):
        return methods
    if not isinstance(task, Classify):
        problem = f"smoothing, cutmix and mixup change labels of classes, which {type(task).__name__} has not"
        raise UsageError(problem, "set train.label_smoothing, train.cutmix and train.mixup to 0")
    if config.label_smoothing > 0:
        methods.append(LabelSmoothing(config.label_smoothing, task))
    if config.cutmix > 0:  # before mixup, while pixels still have 8 bits
        methods.append(CutMix(config.cutmix, task, config.ghost_batch, seed))
    if config.mixup > 0:
        methods.append(Mixup(config.mixup, task, config.ghost_batch, seed))
    return methods


def prepare_methods(methods: Sequence[Method], model: nn.Module) -> None:
    """Show the model to each method; where one refuses it, the others let go of it again."""
    try:
        for method in methods:
            method.prepare(model)
    except BaseException:
        for method in methods:
            method.release()
        raise
