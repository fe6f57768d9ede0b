"""Optimizers against their formulas, written out by hand."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from bessemer.train.optimizer import build_optimizer, can_fuse, clip_gradients, set_rate, soft_threshold
from bessemer.train.optimizer_config import OPTIMIZER_KEYS, OptimizerConfig

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


@pytest.mark.parametrize("name", OPTIMIZER_KEYS)
def test_weights_of_one_dimension_do_not_decay(name: Any, model: nn.Module) -> None:
    optimizer = build_optimizer(model, OptimizerConfig(name=name, weight_decay=0.01))
    decay = {id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    for parameter in model.parameters():
        assert decay[id(parameter)] == (0.01 if parameter.ndim > 1 else 0.0)


@pytest.mark.parametrize("name", OPTIMIZER_KEYS)
def test_frozen_weights_are_left_out(name: Any, model: nn.Module) -> None:
    model.head.weight.requires_grad_(False)
    optimizer = build_optimizer(model, OptimizerConfig(name=name))
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    assert held == {id(p) for p in model.parameters()} - {id(model.head.weight)}


def test_set_rate_sets_every_group(model: nn.Module) -> None:
    optimizer = build_optimizer(model, OptimizerConfig(learning_rate=0.5))
    set_rate(optimizer, 0.125)
    assert [group["lr"] for group in optimizer.param_groups] == [0.125, 0.125]


def test_a_group_with_a_share_takes_that_share_of_the_rate(model: nn.Module) -> None:
    optimizer = build_optimizer(model, OptimizerConfig(name="muon", learning_rate=0.5, adamw_rate=0.25))
    set_rate(optimizer, 0.125)
    assert {group["muon"]: group["lr"] for group in optimizer.param_groups} == {True: 0.125, False: 0.0625}


def sgdw(value: float, gradients: list[float], rate: float, momentum: float, decay: float) -> float:
    velocity = 0.0
    for gradient in gradients:
        velocity = momentum * velocity + gradient
        value = value - rate * decay * value - rate * (gradient + momentum * velocity)
    return value


def test_decoupled_decay_does_not_pass_through_momentum() -> None:
    settings = {"learning_rate": 0.1, "momentum": 0.9, "weight_decay": 0.3}
    weight, bias = run(OptimizerConfig(name="sgd", decoupled=True, **settings))
    assert weight == pytest.approx(sgdw(0.8, [0.5, 0.25], 0.1, 0.9, 0.3), rel=1e-6)
    assert bias == pytest.approx(sgdw(-0.6, [-1.0, 3.0], 0.1, 0.9, 0.0), rel=1e-6)
    assert weight != pytest.approx(run(OptimizerConfig(name="sgd", **settings))[0], rel=1e-3)


def test_soft_threshold_moves_to_zero_and_not_past_it() -> None:
    weights = torch.tensor([-2.0, -0.3, 0.0, 0.3, 0.31, 2.0])
    soft_threshold([weights], 0.3)
    expected = [math.copysign(max(abs(v) - 0.3, 0), v) for v in (-2.0, -0.3, 0.0, 0.3, 0.31, 2.0)]
    assert weights.tolist() == pytest.approx(expected)
    assert weights[1:4].tolist() == [0, 0, 0]


@pytest.mark.parametrize("name", ["sgd", "adamw", "muon"])
def test_l1_leaves_zeros_in_matrices_and_none_elsewhere(name: Any, model: nn.Module) -> None:
    plain = copy.deepcopy(model)
    settings: dict[str, Any] = {"name": name, "learning_rate": 0.01}
    for network, l1 in ((plain, 0.0), (model, 5.0)):
        optimizer = build_optimizer(network, OptimizerConfig(**settings, l1=l1))
        for index, parameter in enumerate(network.parameters()):
            parameter.grad = torch.randn(parameter.shape, generator=torch.Generator().manual_seed(index))
        optimizer.step()
        rates = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    for one, other in zip(model.parameters(), plain.parameters(), strict=True):
        amount = 5.0 * rates[id(one)] if one.ndim > 1 else 0
        expected = other.detach().sign() * (other.detach().abs() - amount).clamp(min=0)
        torch.testing.assert_close(one.detach(), expected)
    assert (model.head.weight == 0).any()


def test_l1_finds_the_weights_that_matter() -> None:
    """The least of |Xw - y|^2 / 2n + l1 |w| is where its subgradient holds zero (the conditions of the lasso)."""
    generator = np.random.default_rng(0)
    inputs = torch.from_numpy(generator.normal(size=(200, 8)).astype(np.float32))
    truth = torch.tensor([[2.0, -1.0, 0.5, 0, 0, 0, 0, 0]])
    targets = inputs @ truth.T + 0.1 * torch.from_numpy(generator.normal(size=(200, 1)).astype(np.float32))
    model = nn.Linear(8, 1, bias=False)
    config = OptimizerConfig(learning_rate=0.2, momentum=0, weight_decay=0, l1=0.1)
    optimizer = build_optimizer(model, config)
    for _ in range(200):
        optimizer.zero_grad()
        ((model(inputs) - targets).square().mean() / 2).backward()
        optimizer.step()
    weight, gradient = model.weight.detach()[0], model.weight.grad[0]
    assert (weight[3:] == 0).all()
    torch.testing.assert_close(gradient[:3], -0.1 * weight[:3].sign(), rtol=0, atol=1e-4)
    assert (gradient[3:].abs() <= 0.1).all()


def slow_clip(gradients: list[np.ndarray], limit: float) -> list[np.ndarray]:
    norm = math.sqrt(sum(float(value) ** 2 for gradient in gradients for value in gradient.flat))
    return [gradient * min(1.0, limit / norm) for gradient in gradients]


@pytest.mark.parametrize("limit", [0.01, 1.0, 1e6])
def test_clipping_shortens_all_gradients_by_one_factor(limit: float, model: nn.Module) -> None:
    for index, parameter in enumerate(model.parameters()):
        parameter.grad = torch.randn(parameter.shape, generator=torch.Generator().manual_seed(index))
    model.head.bias.grad = None
    held = [p for p in model.parameters() if p.grad is not None]
    expected = slow_clip([p.grad.double().numpy() for p in held], limit)
    clip_gradients(model.parameters(), limit)
    for parameter, wanted in zip(held, expected, strict=True):
        np.testing.assert_allclose(parameter.grad.numpy(), wanted, rtol=2e-4)  # torch adds 1e-6 to the norm
    before = [p.grad.clone() for p in held]
    clip_gradients(model.parameters(), limit * 1.01)
    assert all(torch.equal(p.grad, was) for p, was in zip(held, before, strict=True))  # short enough already


def test_a_limit_of_zero_clips_nothing() -> None:
    layer = net()
    layer.weight.grad, layer.bias.grad = torch.tensor([[1e30]]), torch.tensor([float("inf")])
    clip_gradients(layer.parameters(), 0)
    assert layer.weight.grad.item() == pytest.approx(1e30)
    assert layer.bias.grad.item() == math.inf


LAYOUTS = [torch.contiguous_format, torch.channels_last]


@pytest.mark.parametrize("name", ["sgd", "adamw", "muon"])
@pytest.mark.parametrize("of_weight", LAYOUTS)
@pytest.mark.parametrize("of_gradient", LAYOUTS)
@pytest.mark.parametrize("of_state", LAYOUTS)
def test_layouts_of_memory_do_not_change_the_step(
    name: Any, of_weight: torch.memory_format, of_gradient: torch.memory_format, of_state: torch.memory_format
) -> None:
    """Fused kernels ignore strides, so gradients and loaded state must be laid out as the weights are."""

    def trained(layouts: list[torch.memory_format], fused: bool) -> torch.Tensor:
        torch.manual_seed(0)
        head = nn.Conv2d(4, 6, 3, bias=False).to(memory_format=layouts[0])
        model = nn.ModuleDict({"head": head, "body": nn.Linear(2, 2)})
        optimizer = build_optimizer(model, OptimizerConfig(name=name, learning_rate=0.1))
        for group in optimizer.param_groups:
            group["fused"] = fused
        for _ in range(3):
            head.weight.grad = torch.randn(6, 4, 3, 3).contiguous(memory_format=layouts[1])
            state = copy.deepcopy(optimizer.state_dict())
            for values in state["state"].values():
                for key, value in values.items():
                    if value.ndim == 4:
                        values[key] = value.contiguous(memory_format=layouts[2])
            optimizer.load_state_dict(state)
            optimizer.step()
        return head.weight.detach()

    found = trained([of_weight, of_gradient, of_state], True)
    expected = trained([torch.contiguous_format] * 3, False)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-7)


def test_only_weights_that_fill_their_memory_are_fused() -> None:
    assert can_fuse([torch.zeros(2, 3), torch.zeros(2, 3, 4, 4).contiguous(memory_format=torch.channels_last)])
    assert not can_fuse([torch.zeros(2, 8)[:, ::2]])
    assert not can_fuse([torch.zeros(3, 4, device="meta")])
    assert not can_fuse([])
