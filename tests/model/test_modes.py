"""Modes of layers: woken for training where their owner has not said otherwise."""

from __future__ import annotations

import pytest
from torch import nn

from bessemer.model.modes import evaluating, wake


def net() -> nn.Sequential:
    return nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Dropout(), nn.BatchNorm1d(2, affine=False))


def modes(network: nn.Sequential) -> list[bool]:
    return [layer.training for layer in network]


def test_a_network_with_a_layer_in_training_keeps_the_mode_of_each() -> None:
    network = net()
    network[1].eval()
    wake(network)
    assert modes(network) == [True, False, True, True]
    network.eval()
    network[0].train()  # the head alone
    wake(network)
    assert modes(network) == [True, False, False, False]


def test_a_network_wholly_in_evaluation_is_woken_but_for_frozen_normalization() -> None:
    network = net().eval()
    wake(network)
    assert modes(network) == [True] * 4
    network.eval()
    network[0].requires_grad_(False)
    network[1].requires_grad_(False)
    wake(network)
    assert modes(network) == [True, False, True, True]


def test_modes_come_back_after_a_failure() -> None:
    network = net()
    network[2].eval()

    def fail() -> None:
        with evaluating(network):
            assert modes(network) == [False] * 4
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert modes(network) == [True, True, False, True]
