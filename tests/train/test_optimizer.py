"""Optimizers against their formulas, written out by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from bessemer.train.config import OptimizerConfig
from bessemer.train.optimizer import build_optimizer, set_rate

GRADIENTS = [[0.5, -1.0], [0.25, 3.0]]


def net() -> nn.Module:
    """One weight of two dimensions and a bias of one."""
    layer = nn.Linear(1, 1)
    with torch.no_grad():
        layer.weight.fill_(0.8)
        layer.bias.fill_(-0.6)
    return layer


def run(config: OptimizerConfig) -> tuple[float, float]:
    """Two steps along GRADIENTS; returns weight and bias."""
    layer = net()
    optimizer = build_optimizer(layer, config)
    for of_weight, of_bias in GRADIENTS:
        layer.weight.grad = torch.tensor([[of_weight]])
        layer.bias.grad = torch.tensor([of_bias])
        optimizer.step()
    return layer.weight.item(), layer.bias.item()


def nesterov(value: float, gradients: list[float], rate: float, momentum: float, decay: float) -> float:
    velocity = 0.0
    for gradient in gradients:
        gradient += decay * value
        velocity = momentum * velocity + gradient
        value -= rate * (gradient + momentum * velocity)
    return value


def adamw(value: float, gradients: list[float], rate: float, betas: tuple[float, float], decay: float) -> float:
    first = second = 0.0
    for step, gradient in enumerate(gradients, 1):
        value -= rate * decay * value
        first = betas[0] * first + (1 - betas[0]) * gradient
        second = betas[1] * second + (1 - betas[1]) * gradient**2
        corrected = math.sqrt(second / (1 - betas[1] ** step)) + 1e-8
        value -= rate * first / (1 - betas[0] ** step) / corrected
    return value


def test_sgd_steps_as_nesterov_momentum_says() -> None:
    weight, bias = run(OptimizerConfig(name="sgd", learning_rate=0.1, momentum=0.9, weight_decay=0.01))
    assert weight == pytest.approx(nesterov(0.8, [0.5, 0.25], 0.1, 0.9, 0.01), rel=1e-6)
    assert bias == pytest.approx(nesterov(-0.6, [-1.0, 3.0], 0.1, 0.9, 0.0), rel=1e-6)


def test_sgd_without_momentum_is_plain_descent() -> None:
    weight, bias = run(OptimizerConfig(name="sgd", learning_rate=0.1, momentum=0, weight_decay=0))
    assert weight == pytest.approx(0.8 - 0.1 * 0.75)
    assert bias == pytest.approx(-0.6 - 0.1 * 2.0)


def test_adamw_steps_as_its_paper_says() -> None:
    weight, bias = run(OptimizerConfig(name="adamw", learning_rate=0.01, betas=[0.8, 0.95], weight_decay=0.1))
    assert weight == pytest.approx(adamw(0.8, [0.5, 0.25], 0.01, (0.8, 0.95), 0.1), rel=1e-6)
    assert bias == pytest.approx(adamw(-0.6, [-1.0, 3.0], 0.01, (0.8, 0.95), 0.0), rel=1e-6)


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_weights_of_one_dimension_do_not_decay(name: str, model: nn.Module) -> None:
    optimizer = build_optimizer(model, OptimizerConfig(name=name, weight_decay=0.01))
    decay = {id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    for parameter in model.parameters():
        assert decay[id(parameter)] == (0.01 if parameter.ndim > 1 else 0.0)


def test_frozen_weights_are_left_out(model: nn.Module) -> None:
    model.head.weight.requires_grad_(False)
    optimizer = build_optimizer(model, OptimizerConfig())
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    assert held == {id(p) for p in model.parameters()} - {id(model.head.weight)}


def test_set_rate_sets_every_group(model: nn.Module) -> None:
    optimizer = build_optimizer(model, OptimizerConfig(learning_rate=0.5))
    set_rate(optimizer, 0.125)
    assert [group["lr"] for group in optimizer.param_groups] == [0.125, 0.125]
