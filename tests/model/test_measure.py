"""Parameters and floating-point operations against formulas written by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from bessemer.compress.quantize import quantize
from bessemer.model.measure import flops, parameters
from bessemer.model.resnet import ResNetConfig, resnet


def convolution(inputs: int, outputs: int, kernel: int, height: int, width: int, groups: int = 1) -> int:
    """A multiply-add counts as two; the bias is not counted."""
    return 2 * outputs * (inputs // groups) * kernel * kernel * height * width


@pytest.mark.parametrize(
    ("layer", "wanted"),
    [
        (nn.Conv2d(3, 8, 3, padding=1), convolution(3, 8, 3, 12, 10)),
        (nn.Conv2d(3, 8, 3, padding=1, bias=False), convolution(3, 8, 3, 12, 10)),
        (nn.Conv2d(3, 8, 3), convolution(3, 8, 3, 10, 8)),
        (nn.Conv2d(3, 8, 1, stride=2), convolution(3, 8, 1, 6, 5)),
        (nn.Conv2d(3, 6, 5, padding=2, groups=3), convolution(3, 6, 5, 12, 10, groups=3)),
    ],
)
@pytest.mark.parametrize("batch", [1, 4])
def test_a_convolution_counts_by_its_formula(layer, wanted, batch):
    assert flops(layer, torch.zeros(batch, 3, 12, 10)) == wanted


@pytest.mark.parametrize("batch", [1, 4])
def test_a_linear_layer_counts_by_its_formula(batch):
    assert flops(nn.Linear(7, 5), torch.zeros(batch, 7)) == 2 * 7 * 5


def test_a_residual_network_is_the_sum_of_its_layers():
    settings = ResNetConfig(stem_width=4, widths=[4, 6], blocks=[1, 1], strides=[1, 2]).model_dump()
    model = resnet(3, [0.5], [0.25], **settings)
    layers = [
        convolution(1, 4, 3, 8, 8),  # stem
        2 * convolution(4, 4, 3, 8, 8),  # first stage
        convolution(4, 6, 3, 4, 4) + convolution(6, 6, 3, 4, 4),  # second stage
        convolution(4, 6, 1, 4, 4),  # its shortcut
        2 * 6 * 3,  # head
    ]
    assert flops(model, torch.zeros(2, 8, 8, 1, dtype=torch.uint8)) == sum(layers)


def test_parameters_are_weights_and_biases_not_statistics():
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(8, 5, bias=False))
    assert parameters(model) == (8 * 3 * 3 * 3 + 8) + (8 + 8) + 8 * 5


def test_shared_parameters_count_once():
    layer = nn.Linear(4, 4)
    assert parameters(nn.Sequential(layer, layer)) == 20


def test_measuring_leaves_the_model_as_it_was():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)).train()
    state = {name: value.clone() for name, value in model.state_dict().items()}
    flops(model, torch.ones(2, 1, 4, 4))
    assert model.training
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())


def test_a_network_in_integers_has_as_many_numbers_as_its_layers() -> None:
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 5)).eval()
    integer, _ = quantize(network, torch.rand(8, 1, 8, 8))
    assert parameters(integer) == parameters(network) == (9 + 1) * 4 + (144 + 1) * 5
