"""Muon against torch's own on matrices, and its iteration against plain NumPy."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import torch
from scipy.optimize import linprog
from torch import Tensor, nn
from torch.optim._muon import _zeropower_via_newtonschulz

from bessemer.model.state import Architecture
from bessemer.train.muon import MINIMAX, POLYNOMIALS, Muon, hidden_matrices, newton_schulz
from bessemer.train.optimizer import build_optimizer, set_rate
from bessemer.train.optimizer_config import OptimizerConfig

SHAPES = [(8, 24), (24, 8), (16, 16), (1, 5)]
CONFIG = OptimizerConfig(name="muon", learning_rate=0.05, adamw_rate=0.003, weight_decay=0.1)


def slow_iteration(matrix: np.ndarray) -> np.ndarray:
    """The polynomials on singular values, in float64: each value s goes to a s + b s^3 + c s^5, in turn."""
    left, values, right = np.linalg.svd(matrix, full_matrices=False)
    values = values / np.sum(values**4) ** 0.25
    for a, b, c in POLYNOMIALS:
        values = a * values + b * values**3 + c * values**5
    return left @ np.diag(values) @ right


def random_matrix(shape: tuple[int, int], seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("shape", SHAPES)
def test_newton_schulz_moves_singular_values_by_its_polynomial(shape: tuple[int, int]) -> None:
    matrix = random_matrix(shape)
    expected = slow_iteration(matrix.double().numpy())
    np.testing.assert_allclose(newton_schulz(matrix, torch.float64).numpy(), expected, atol=1e-9)
    np.testing.assert_allclose(newton_schulz(matrix, torch.float32).numpy(), expected, atol=1e-4)
    rounded = newton_schulz(matrix).double().numpy()  # to 8 bits; steep polynomials move lengths
    assert np.sum(rounded * expected) > 0.99 * np.linalg.norm(rounded) * np.linalg.norm(expected)


def test_newton_schulz_makes_a_matrix_nearly_orthogonal() -> None:
    values = torch.linalg.svdvals(newton_schulz(random_matrix((32, 64)), torch.float64))
    assert 0.7 < values.min() <= values.max() < 1.3


def few_directions(seed: int) -> torch.Tensor:
    small = random_matrix((4, 1), seed) @ random_matrix((1, 4), seed + 1)
    return small + 1e-3 * random_matrix((4, 4), seed + 2)


@pytest.mark.parametrize("seed", range(50))
@pytest.mark.parametrize(
    "make", [partial(random_matrix, (128, 128)), partial(random_matrix, (8, 24)), few_directions]
)
def test_rounding_does_not_throw_newton_schulz_out_of_bounds(make: Callable[..., Tensor], seed: int) -> None:
    assert torch.linalg.svdvals(newton_schulz(make(seed=seed)).float()).max() < 1.3


def test_each_polynomial_is_the_best_for_what_the_one_before_leaves() -> None:
    low, high = 0.01, 1.0
    for a, b, c in MINIMAX:
        s = np.geomspace(low, high, 2000)
        powers = np.stack([s, s**3, s**5], 1)
        farthest = np.abs(powers @ [a, b, c] - 1).max()
        ones = np.ones((len(s), 1))  # the least error of any odd quintic, as a linear program
        program = linprog(
            [0, 0, 0, 1],
            np.block([[powers, -ones], [-powers, -ones]]),
            np.concatenate([np.ones(len(s)), -np.ones(len(s))]),
            bounds=[(None, None)] * 3 + [(0, None)],
        )
        assert farthest == pytest.approx(program.fun, abs=3e-3)
        low, high = 1 - farthest, 1 + farthest


def test_newton_schulz_takes_the_scale_out_and_leaves_zeros() -> None:
    matrix = random_matrix((6, 9))
    assert torch.equal(newton_schulz(matrix), newton_schulz(matrix * 1024))
    assert torch.equal(newton_schulz(torch.zeros(3, 4)), torch.zeros(3, 4).bfloat16())
    assert torch.equal(newton_schulz(matrix), newton_schulz(matrix))


def test_with_torchs_iteration_it_is_torchs_muon_to_the_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    jordan = partial(_zeropower_via_newtonschulz, ns_coefficients=(3.4445, -4.775, 2.0315), ns_steps=5, eps=1e-7)
    monkeypatch.setattr("bessemer.train.muon.newton_schulz", jordan)
    ours = [nn.Parameter(random_matrix(shape, seed)) for seed, shape in enumerate(SHAPES)]
    theirs = copy.deepcopy(ours)
    optimizer = Muon([{"params": ours}], 0.02, momentum=0.95, weight_decay=0.1)
    expected = torch.optim.Muon(theirs, 0.02, weight_decay=0.1, momentum=0.95)
    for step in range(4):
        for one, other in zip(ours, theirs, strict=True):
            one.grad = random_matrix(tuple(one.shape), 100 + step)
            other.grad = one.grad.clone()
        optimizer.step()
        expected.step()
    for one, other in zip(ours, theirs, strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_a_filter_is_the_matrix_of_its_outputs(layout: torch.memory_format) -> None:
    start, gradient = random_matrix((6, 36)).reshape(6, 4, 3, 3), random_matrix((6, 36), 1).reshape(6, 4, 3, 3)
    filters = nn.Parameter(start.clone().contiguous(memory_format=layout))
    matrix = nn.Parameter(start.clone().reshape(6, 36))
    filters.grad, matrix.grad = gradient.contiguous(memory_format=layout), gradient.reshape(6, 36).clone()
    Muon([{"params": [filters]}]).step()
    Muon([{"params": [matrix]}]).step()
    assert torch.equal(filters.reshape(6, 36), matrix)


def test_the_rest_moves_as_adamw_with_a_rate_of_its_own() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 6), nn.LayerNorm(6), nn.Linear(6, 5), nn.Linear(5, 3))
    other = copy.deepcopy(net)
    rest = [p for name, p in other.named_parameters() if name not in ("0.weight", "2.weight")]
    groups = [{"params": [p for p in rest if p.ndim == n], "weight_decay": d} for n, d in ((2, 0.1), (1, 0.0))]
    ours, theirs = build_optimizer(net, CONFIG), torch.optim.AdamW(groups, betas=(0.9, 0.95))
    for step in range(3):
        set_rate(ours, 0.05 / (1 + step))
        set_rate(theirs, 0.003 / (1 + step))
        for network, optimizer in ((net, ours), (other, theirs)):
            optimizer.zero_grad()
            network(random_matrix((7, 4), step)).square().sum().backward()
        for p, q in zip(net.parameters(), other.parameters(), strict=True):
            q.grad = p.grad.clone()
        ours.step()
        theirs.step()
    for (name, p), q in zip(net.named_parameters(), other.parameters(), strict=True):
        if name in ("0.weight", "2.weight"):
            assert not torch.equal(p, q)
        else:
            torch.testing.assert_close(p, q, rtol=1e-5, atol=1e-7)


def names_taken(model: nn.Module) -> set[str]:
    taken = {id(parameter) for parameter in hidden_matrices(model)}
    return {name for name, parameter in model.named_parameters() if id(parameter) in taken}


def test_it_takes_the_filters_of_a_residual_network(model: nn.Module) -> None:
    expected = {n for n, p in model.named_parameters() if p.ndim == 4}
    assert names_taken(model) == expected
    assert "head.weight" not in expected


def test_it_takes_the_projections_of_an_encoder(text_architecture: Architecture) -> None:
    taken = names_taken(text_architecture.build())
    assert taken
    assert all(name.startswith("blocks.") and name.endswith("weight") for name in taken)


def test_without_a_head_by_name_the_last_linear_layer_is_the_head() -> None:
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Conv2d(4, 4, 3, groups=4), nn.Linear(4, 4), nn.Linear(4, 2))
    assert names_taken(net) == {"0.weight", "2.weight"}


def test_shared_embeddings_frozen_weights_and_positions_are_not_taken() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.tokens = nn.Embedding(7, 4)
            self.positions = nn.Parameter(torch.zeros(5, 4))
            self.recurrent = nn.GRU(4, 4)
            self.attention = nn.MultiheadAttention(4, 2)
            self.frozen = nn.Linear(4, 4).requires_grad_(False)
            self.decode = nn.Linear(4, 7)
            self.decode.weight = self.tokens.weight
            self.head = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2))

    recurrent = {"recurrent.weight_ih_l0", "recurrent.weight_hh_l0"}
    assert names_taken(Net()) == recurrent | {"attention.in_proj_weight", "attention.out_proj.weight"}


def test_a_model_without_hidden_matrices_is_said_aloud() -> None:
    with pytest.warns(UserWarning, match="no hidden matrices"):
        optimizer = build_optimizer(nn.Linear(3, 2), CONFIG)
    assert [group["muon"] for group in optimizer.param_groups] == [False, False]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        build_optimizer(nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 2)), CONFIG)


def test_every_trained_weight_is_in_one_group(model: nn.Module) -> None:
    optimizer = build_optimizer(model, CONFIG)
    held = [id(p) for group in optimizer.param_groups for p in group["params"]]
    assert sorted(held) == sorted(id(p) for p in model.parameters())
