"""A head of numbers: any network that carries classes answers in the unit of targets, and stays what it was."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from bessemer.compress.prune import prune
from bessemer.compress.quantize import quantize
from bessemer.data.dataset import Samples
from bessemer.model.contract import channel_groups, free_length, residual_branches, set_packing, taps
from bessemer.model.models import MODELS, find_model
from bessemer.model.quantized import IntegerLayer
from bessemer.model.state import Architecture, load_model, save_model
from bessemer.model.targets import Units, in_units

UNITS = {"target_mean": [1000.0, -2.0, 0.5], "target_std": [50.0, 1e-3, 2.0]}
Make = Callable[..., nn.Module]


def with_numbers(architecture: Architecture) -> Architecture:
    """The same architecture with a head of numbers."""
    return Architecture(architecture.builder, {**architecture.arguments, **UNITS})


@pytest.fixture
def pair(architecture: Architecture) -> tuple[nn.Module, nn.Module]:
    """Two networks of the same weights, the second with numbers in their own unit."""
    torch.manual_seed(0)
    plain = architecture.build().eval()
    network = with_numbers(architecture).build().eval()
    missing, unknown = network.load_state_dict(plain.state_dict(), strict=False)
    assert (missing, unknown) == (["in_units.mean", "in_units.std"], [])
    return plain, network


def test_outputs_are_those_of_the_network_in_the_unit(pair: tuple[nn.Module, nn.Module], samples: Samples) -> None:
    plain, network = pair
    images = torch.from_numpy(samples.inputs)
    expected = plain(images) * torch.tensor(UNITS["target_std"]) + torch.tensor(UNITS["target_mean"])
    assert torch.equal(network(images), expected)


def test_the_network_tells_of_itself_what_it_told_before(pair: tuple[nn.Module, nn.Module]) -> None:
    plain, network = pair
    assert isinstance(network, type(plain))
    assert taps(network) == taps(plain) != []
    assert residual_branches(network) == residual_branches(plain) != []
    assert [name for name, _ in network.named_parameters()] == [name for name, _ in plain.named_parameters()]
    assert type(copy.deepcopy(network)) is type(network)


def test_an_encoder_keeps_its_groups_its_length_and_packing(text_architecture: Architecture, tokens: Any) -> None:
    torch.manual_seed(0)
    network = with_numbers(text_architecture).build().eval()
    assert free_length(network)
    assert channel_groups(network)
    inputs = torch.from_numpy(tokens)
    alone = network(inputs)
    set_packing(network, True)
    assert network.packing
    torch.testing.assert_close(network(inputs), alone, rtol=1e-4, atol=1e-4)


def test_it_is_saved_and_loaded(architecture: Architecture, samples: Samples, tmp_path: Path) -> None:
    torch.manual_seed(0)
    built = with_numbers(architecture)
    network = built.build().eval()
    save_model(tmp_path, built, network)
    images = torch.from_numpy(samples.inputs)
    assert torch.equal(load_model(tmp_path)(images), network(images))


def test_what_is_pruned_still_answers_in_the_unit(pair: tuple[nn.Module, nn.Module], samples: Samples) -> None:
    plain, network = pair
    images = torch.from_numpy(samples.inputs)
    (one, _), (other, edit) = (prune(each, images[:2], 0.5, 4) for each in (plain, network))
    assert edit["layers"]
    expected = one(images) * torch.tensor(UNITS["target_std"]) + torch.tensor(UNITS["target_mean"])
    assert torch.equal(other(images), expected)


def test_integers_stand_in_front_of_the_unit(pair: tuple[nn.Module, nn.Module], samples: Samples) -> None:
    """The last layer's sums are not rounded to 256 levels of the whole range."""
    images = torch.from_numpy(samples.inputs)
    network, _ = quantize(pair[1], images)
    assert isinstance(network.head, IntegerLayer)
    assert isinstance(network.in_units, Units)
    with torch.no_grad():
        answers = network(images)
    assert len(answers[:, 0].unique()) == len(pair[1](images)[:, 0].unique())


def test_bf16_reaches_the_unit_in_fp32() -> None:
    network = in_units(nn.Linear(2, 1).bfloat16(), [1e6], [1.0])
    said = network(torch.zeros(1, 2).bfloat16()).detach()
    assert said.dtype == torch.float32
    assert float(said) != 1e6


@pytest.mark.parametrize("name", MODELS)
def test_what_carries_classes_carries_numbers(name: str) -> None:
    model = find_model(name)
    assert model.carries("numbers") == ("classes" in model.heads)
