"""Edits as data: what they keep, what they refuse."""

from __future__ import annotations

import json

import pytest
import torch
from torch import nn

from bessemer.errors import ArtifactError
from bessemer.model.layers import GhostBatchNorm2d
from bessemer.model.resnet import ResNetConfig, resnet
from bessemer.model.surgery import apply_edits


def keep(model: nn.Module, **layers: dict[str, list[int]]) -> nn.Module:
    return apply_edits(model, [{"edit": "keep_channels", "layers": layers}])


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(3))


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@pytest.mark.parametrize("bias", [True, False])
def test_a_convolution_keeps_the_listed_channels(bias):
    layer = nn.Conv2d(4, 6, 3, padding=1, bias=bias)
    x = noise(2, 4, 5, 5)
    x[:, [0, 3]] = 0  # the channels that go are silent, so what stays must not change
    wanted = layer(x)[:, [5, 0, 2]]
    model = keep(nn.Sequential(layer), **{"0": {"out": [5, 0, 2], "in": [1, 2]}})
    assert torch.allclose(model(x[:, [1, 2]]), wanted, atol=1e-6)
    assert (layer.in_channels, layer.out_channels, layer.groups) == (2, 3, 1)
    assert str(nn.Conv2d(2, 3, 3, padding=1, bias=bias)) in str(model)


def test_a_depthwise_convolution_keeps_its_channels_together():
    layer = nn.Conv2d(6, 6, 3, groups=6)
    x = noise(2, 6, 5, 5)
    wanted = layer(x)[:, [1, 4]]
    keep(nn.Sequential(layer), **{"0": {"out": [1, 4], "in": [1, 4]}})
    assert torch.allclose(layer(x[:, [1, 4]]), wanted, atol=1e-6)
    assert (layer.in_channels, layer.out_channels, layer.groups) == (2, 2, 2)


@pytest.mark.parametrize("norm", [nn.BatchNorm2d, GhostBatchNorm2d])
@pytest.mark.parametrize("training", [True, False])
def test_a_batch_normalization_keeps_weights_and_statistics(norm, training):
    layer = norm(5)
    with torch.no_grad():
        for name, value in [*layer.named_parameters(), *layer.named_buffers()]:
            if name != "num_batches_tracked":
                value.uniform_(0.5, 2)
    layer.train(training)
    x = noise(4, 5, 3, 3)
    wanted = layer(x)[:, [4, 1]]
    keep(nn.Sequential(layer), **{"0": {"out": [4, 1]}})
    assert torch.allclose(layer(x[:, [4, 1]]), wanted, atol=1e-6)
    assert layer.num_features == len(layer.running_mean) == 2


@pytest.mark.parametrize("bias", [True, False])
def test_a_linear_layer_keeps_the_listed_features(bias):
    layer = nn.Linear(6, 4, bias=bias)
    x = noise(3, 6)
    x[:, [0, 1, 3]] = 0
    wanted = layer(x)[:, [3, 1]]
    keep(nn.Sequential(layer), **{"0": {"out": [3, 1], "in": [2, 4, 5]}})
    assert torch.allclose(layer(x[:, [2, 4, 5]]), wanted, atol=1e-6)
    assert (layer.in_features, layer.out_features) == (3, 2)


def test_kept_weights_can_still_be_trained_and_do_not_share_memory():
    layer = nn.Conv2d(4, 6, 3)
    before = layer.weight
    keep(nn.Sequential(layer), **{"0": {"out": [0, 1]}})
    assert isinstance(layer.weight, nn.Parameter)
    assert layer.weight.requires_grad
    assert layer.weight.untyped_storage().data_ptr() != before.untyped_storage().data_ptr()


def test_frozen_weights_stay_frozen():
    layer = nn.Linear(4, 4).requires_grad_(False)
    keep(nn.Sequential(layer), **{"0": {"out": [0, 1]}})
    assert not any(parameter.requires_grad for parameter in layer.parameters())


def network() -> nn.Module:
    settings = ResNetConfig(stem_width=4, widths=[4, 6], blocks=[1, 1], strides=[1, 2]).model_dump()
    torch.manual_seed(1)
    model = resnet(3, [0.5], [0.25], **settings)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, GhostBatchNorm2d):
                module.weight.uniform_(0.5, 2)
                module.running_mean.uniform_(-1, 1)
    return model.eval()


def full_set(model: nn.Module) -> dict[str, dict[str, list[int]]]:
    layers = {}
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d):
            layers[name] = {"out": list(range(module.out_channels)), "in": list(range(module.in_channels))}
        elif isinstance(module, nn.Linear):
            layers[name] = {"out": list(range(module.out_features)), "in": list(range(module.in_features))}
        elif isinstance(module, nn.BatchNorm2d):
            layers[name] = {"out": list(range(module.num_features))}
    return layers


def test_keeping_every_channel_changes_nothing():
    model, images = network(), noise(2, 8, 8, 1) * 255
    wanted, state = model(images), {name: value.clone() for name, value in model.state_dict().items()}
    keep(model, **full_set(model))
    assert torch.equal(model(images), wanted)
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())


def test_an_edit_does_the_same_after_a_trip_through_json():
    edits = [{"edit": "keep_channels", "layers": {"stages.0.0.conv1": {"out": [3, 1]}}}]
    edits[0]["layers"] |= {"stages.0.0.norm1": {"out": [3, 1]}, "stages.0.0.conv2": {"in": [3, 1]}}
    images = noise(2, 8, 8, 1) * 255
    wanted = apply_edits(network(), edits)(images)
    assert torch.equal(apply_edits(network(), json.loads(json.dumps(edits)))(images), wanted)
    assert wanted.shape == (2, 3)


def test_edits_are_applied_in_order():
    layer = nn.Linear(2, 4)
    first = layer.weight.detach().clone()
    edits = [{"edit": "keep_channels", "layers": {"0": {"out": kept}}} for kept in ([3, 2, 1], [0, 2])]
    apply_edits(nn.Sequential(layer), edits)
    assert torch.equal(layer.weight, first[[3, 1]])


def test_no_edits_give_the_same_object():
    model = nn.Linear(2, 2)
    assert apply_edits(model, []) is model


@pytest.mark.parametrize("edit", [{"edit": "paint_it_black"}, {"edit": None}, {}])
def test_an_unknown_edit_is_refused_and_the_known_ones_are_named(edit):
    with pytest.raises(ArtifactError, match=r"(?s)unknown edit.*keep_channels, quantize"):
        apply_edits(nn.Linear(2, 2), [edit])


def test_an_unknown_layer_is_refused_by_name():
    with pytest.raises(ArtifactError, match=r"names layer 'stages\.9'"):
        keep(network(), **{"stages.9": {"out": [0]}})


def test_a_layer_without_channels_is_refused_by_kind():
    with pytest.raises(ArtifactError, match="cannot keep channels of a LayerNorm"):
        keep(nn.Sequential(nn.LayerNorm(4)), **{"0": {"out": [0]}})
