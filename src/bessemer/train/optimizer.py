"""Optimizers, with weight decay kept off biases and normalization, and what acts beside them on the weights."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from bessemer.train.muon import Muon, hidden_matrices
from bessemer.train.optimizer_config import SCHEDULE_FREE, OptimizerConfig
from bessemer.train.schedule_free import ScheduleFree

Group = dict[str, Any]


def build_optimizer(model: nn.Module, config: OptimizerConfig) -> torch.optim.Optimizer:
    """The optimizer that `config.name` names, for a model's trained parameters.

    sgd has Nesterov momentum; adamw is that of Loshchilov and Hutter, 2019; for the others see `train.muon` and
    `train.schedule_free`.
    """
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    rate, momentum = config.learning_rate, config.momentum
    betas, fused = (config.betas[0], config.betas[1]), can_fuse(trained)
    groups = _decay_groups(trained, config)
    optimizer: torch.optim.Optimizer
    if config.name in SCHEDULE_FREE:
        beta = betas[1] if config.name == "schedule_free_adamw" else None
        return ScheduleFree(groups, rate, share=config.average_share, beta=beta)
    if config.name == "muon":
        groups = _muon_groups(model, config)
        optimizer = Muon(groups, rate, momentum=momentum, betas=betas, fused=fused)
    elif config.name == "adamw":
        optimizer = torch.optim.AdamW(groups, rate, betas, fused=fused)
    else:
        optimizer = torch.optim.SGD(groups, rate, momentum, nesterov=momentum > 0, fused=fused)
    if fused:
        optimizer.register_step_pre_hook(_align)
    if config.decoupled:
        optimizer.register_step_pre_hook(_decay)
    if config.l1 > 0:
        optimizer.register_step_post_hook(_shrink)
    return optimizer


def _decay_groups(trained: Sequence[Tensor], config: OptimizerConfig) -> list[Group]:
    """Weights that decay, and biases and normalization, which do not."""
    matrices: Group = {"params": [p for p in trained if p.ndim > 1], "weight_decay": config.weight_decay}
    if config.decoupled:
        matrices |= {"weight_decay": 0.0, "decoupled_decay": config.weight_decay}
    if config.l1 > 0:
        matrices["l1"] = config.l1
    vectors: Group = {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0}
    return [group for group in (matrices, vectors) if group["params"]]


def _muon_groups(model: nn.Module, config: OptimizerConfig) -> list[Group]:
    """Hidden matrices for Muon; embeddings, head, biases and norms for AdamW with a rate of its own."""
    matrices = hidden_matrices(model)
    if not matrices:
        warnings.warn("the model has no hidden matrices for muon; adamw moves all of its weights", stacklevel=3)
    taken = {id(parameter) for parameter in matrices}
    rest = [p for p in model.parameters() if p.requires_grad and id(p) not in taken]
    share = config.adamw_rate / config.learning_rate
    groups = [{**group, "muon": True} for group in _decay_groups(matrices, config)]
    return groups + [{**group, "muon": False, "rate_share": share} for group in _decay_groups(rest, config)]


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of every parameter group; one with a `rate_share` takes that share of it."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get("rate_share", 1.0)


def use_averages(optimizer: torch.optim.Optimizer) -> None:
    """Write the averages over the model's weights, where the optimizer keeps them as the result."""
    if isinstance(optimizer, ScheduleFree):
        optimizer.use_averages()


def clip_gradients(parameters: Iterable[Tensor], limit: float) -> None:
    """Scale all gradients together so that their global norm is at most `limit`; 0 leaves them as they are.

    Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks", 2013. Gradients are
    averaged over ranks before, so every rank scales by the same number.
    """
    if limit > 0:
        torch.nn.utils.clip_grad_norm_(parameters, limit)


@torch.no_grad()
def soft_threshold(weights: Sequence[Tensor], amount: float) -> None:
    """Move weights to zero by `amount`, in place, and not past it: the proximal step of the L1 norm.

    Beck and Teboulle, "A fast iterative shrinkage-thresholding algorithm", 2009. What it leaves at zero is zero
    to the bit, which a subgradient never reaches.
    """
    for weight in weights:
        weight.copy_(nn.functional.softshrink(weight, amount))


def can_fuse(parameters: Sequence[Tensor]) -> bool:
    """Whether torch can pass once over weights, gradients and state: 10 times as fast for AdamW."""
    return bool(parameters) and all(
        parameter.device.type in {"cpu", "cuda"}
        and parameter.is_floating_point()
        and torch.empty_like(parameter, device="meta").stride() == parameter.stride()
        for parameter in parameters
    )


def _align(optimizer: torch.optim.Optimizer, *_: Any) -> None:
    """Lay gradients and state out in memory as the weights are.

    Fused kernels of torch 2.13 walk through all of them in the order of memory without a look at strides, and
    silently mix up values where a convolution's gradient, or state from a checkpoint, has channels last and the
    weight has not.
    """
    for group in optimizer.param_groups:
        for weight in group["params"]:
            if weight.grad is not None:
                weight.grad = _laid_out_as(weight, weight.grad)
            for key, value in optimizer.state.get(weight, {}).items():
                if isinstance(value, Tensor) and value.shape == weight.shape:
                    optimizer.state[weight][key] = _laid_out_as(weight, value)


def _laid_out_as(weight: Tensor, value: Tensor) -> Tensor:
    if value.stride() == weight.stride():
        return value
    return torch.empty_like(weight, dtype=value.dtype).copy_(value).detach()


@torch.no_grad()
def _decay(optimizer: torch.optim.Optimizer, *_: Any) -> None:
    """Shrink weights beside the gradient, before the step: w <- (1 - rate decay) w (Loshchilov and Hutter)."""
    for group in optimizer.param_groups:
        if group.get("decoupled_decay"):
            torch._foreach_mul_(group["params"], 1 - group["lr"] * group["decoupled_decay"])


def _shrink(optimizer: torch.optim.Optimizer, *_: Any) -> None:
    for group in optimizer.param_groups:
        if group.get("l1"):
            soft_threshold(group["params"], group["lr"] * group["l1"])
