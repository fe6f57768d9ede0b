"""Schedule-free learning against the formulas of its paper, number by number."""

from __future__ import annotations

import copy
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from bessemer.data.dataset import Batches, Samples
from bessemer.task.classify.objective import Classify
from bessemer.train.checkpoint import load_checkpoint
from bessemer.train.config import TrainConfig
from bessemer.train.loop import fit
from bessemer.train.optimizer import build_optimizer, set_rate, use_averages
from bessemer.train.optimizer_config import OptimizerConfig
from bessemer.train.schedule_free import ScheduleFree

RATES = [0.05, 0.1, 0.1, 0.1, 0.1]  # a warm-up of one step


def gradient(y: float) -> float:
    """Of (y - 3)^4 / 4, so that it matters where it is taken."""
    return (y - 3) ** 3


def slow_sgd(value: float, share: float, decay: float) -> tuple[float, float]:
    """y and x after RATES, from the three sequences of the paper."""
    z = x = value
    total = 0.0
    for rate in RATES:
        y = (1 - share) * z + share * x
        z = z - rate * (gradient(y) + decay * y)
        total += rate**2
        x = (1 - rate**2 / total) * x + rate**2 / total * z
    return (1 - share) * z + share * x, x


def slow_adamw(value: float, share: float, beta: float, decay: float) -> tuple[float, float]:
    """The like with algorithm 1 of the paper."""
    z = x = value
    square = total = 0.0
    for step, highest in enumerate(RATES, 1):
        y = (1 - share) * z + share * x
        g = gradient(y)
        square = beta * square + (1 - beta) * g**2
        rate = highest * math.sqrt(1 - beta**step)
        z = z - rate * g / (math.sqrt(square) + 1e-8) - rate * decay * y
        total += rate**2
        x = (1 - rate**2 / total) * x + rate**2 / total * z
    return (1 - share) * z + share * x, x


def fast(value: float, **settings: float) -> tuple[float, float]:
    """y and x of the optimizer, in float64."""
    weight = nn.Parameter(torch.tensor([value], dtype=torch.float64))
    optimizer = ScheduleFree([weight], 0.1, **settings)
    for rate in RATES:
        set_rate(optimizer, rate)
        weight.grad = torch.tensor([gradient(weight.item())], dtype=torch.float64)
        optimizer.step()
    y = weight.item()
    optimizer.use_averages()
    return y, weight.item()


@pytest.mark.parametrize("share", [0.3, 0.9, 1.0])
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_sgd_is_the_papers(share: float, decay: float) -> None:
    assert fast(1.0, share=share, weight_decay=decay) == pytest.approx(slow_sgd(1.0, share, decay), rel=1e-12)


@pytest.mark.parametrize("share", [0.3, 0.9, 1.0])
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_adamw_is_the_papers(share: float, decay: float) -> None:
    found = fast(1.0, share=share, beta=0.99, weight_decay=decay)
    assert found == pytest.approx(slow_adamw(1.0, share, 0.99, decay), rel=1e-12)


def test_at_a_constant_rate_the_result_is_the_mean_of_all_moving_weights() -> None:
    weight = nn.Parameter(torch.tensor([5.0], dtype=torch.float64))
    optimizer = ScheduleFree([weight], 0.1, share=0.7)
    moving = []
    for _ in range(10):
        weight.grad = weight.detach().clone()
        optimizer.step()
        moving.append(optimizer.state[weight]["z"].item())
    optimizer.use_averages()
    assert weight.item() == pytest.approx(sum(moving) / 10)


@pytest.mark.parametrize("name", ["schedule_free_sgd", "schedule_free_adamw"])
def test_it_comes_to_the_least_of_noisy_gradients(name: str) -> None:
    """The mean of x lands nearer to the least than the last z, whose steps never shrink."""
    generator = torch.Generator().manual_seed(0)
    model = nn.Linear(4, 1, bias=False)
    optimizer = build_optimizer(model, OptimizerConfig(name=name, learning_rate=0.1, weight_decay=0))
    wanted = torch.tensor([[1.0, -2.0, 0.5, 3.0]])
    for _ in range(400):
        noise = torch.randn(1, 4, generator=generator)
        model.weight.grad = model.weight.detach() - wanted + noise
        optimizer.step()
    last = optimizer.state[model.weight]["z"].clone()
    use_averages(optimizer)
    assert (model.weight - wanted).norm() < 0.3
    assert (model.weight - wanted).norm() < 0.5 * (last - wanted).norm()


def test_the_averages_come_from_the_state_and_leave_it_alone() -> None:
    model = nn.Linear(3, 2)
    optimizer = build_optimizer(model, OptimizerConfig(name="schedule_free_adamw"))
    use_averages(optimizer)  # before the first step there is nothing to average
    for step in range(3):
        model.weight.grad, model.bias.grad = torch.ones(2, 3) * step, torch.ones(2)
        optimizer.step()
    before, y = copy.deepcopy(optimizer.state_dict()), copy.deepcopy(model.state_dict())
    use_averages(optimizer)
    first = copy.deepcopy(model.state_dict())
    assert not torch.equal(first["weight"], y["weight"])
    model.load_state_dict(y)
    use_averages(optimizer)
    assert torch.equal(model.weight, first["weight"])
    for key, values in optimizer.state_dict()["state"].items():
        for name, tensor in values.items():
            assert torch.equal(tensor, before["state"][key][name])


def test_weights_without_gradients_stay() -> None:
    model = nn.Linear(3, 2)
    optimizer = build_optimizer(model, OptimizerConfig(name="schedule_free_sgd"))
    start = copy.deepcopy(model.state_dict())
    model.weight.grad = torch.ones(2, 3)
    optimizer.step()
    use_averages(optimizer)
    assert torch.equal(model.bias, start["bias"])
    assert not torch.equal(model.weight, start["weight"])


@pytest.mark.parametrize("name", ["schedule_free_sgd", "schedule_free_adamw"])
def test_a_run_validates_and_returns_the_averages_and_saves_the_rest(
    name: str, model: nn.Module, task: Classify, samples: Samples, tmp_path: Path, notes: Any
) -> None:
    seen: list[dict[str, torch.Tensor]] = []

    def look(network: nn.Module) -> float:
        seen.append(copy.deepcopy(network.state_dict()))
        return 0.0

    config = TrainConfig(
        epochs=2,
        batch_size=16,
        ghost_batch=8,
        precision="fp32",
        optimizer={"name": name, "learning_rate": 0.05},
        checkpoint_seconds=1e-9,
    )
    names = [key for key, p in model.named_parameters() if p.ndim > 1]  # the first group holds matrices
    result = fit(model, task, Batches(samples, 16, 0), config, work=tmp_path, validate=look).model.state_dict()
    state = load_checkpoint(tmp_path, notes())
    assert state is not None
    assert all(torch.equal(seen[-1][key], result[key]) for key in result)
    for index, key in enumerate(names):
        y, z = state.model[key].double(), state.optimizer["state"][index]["z"].double()
        assert not torch.equal(result[key], state.model[key])
        torch.testing.assert_close(result[key].double(), (y - 0.1 * z) / 0.9, rtol=1e-4, atol=1e-6)
