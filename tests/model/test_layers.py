"""Layers against torch's own: ghost batch normalization group by group, normalization by its formula."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from bessemer.model.layers import GhostBatchNorm2d, Normalize, ghost_layers, set_ghost
from bessemer.runtime import Runtime
from bessemer.train.step import STATISTICS_MOMENTUM, commit_statistics

CHANNELS, GHOST = 3, 4


def made(seed: int = 0) -> GhostBatchNorm2d:
    """A layer in float64 whose weights and running statistics are not the defaults."""
    torch.manual_seed(seed)
    layer = GhostBatchNorm2d(CHANNELS, GHOST)
    with torch.no_grad():
        layer.weight.uniform_(0.5, 2)
        layer.bias.uniform_(-1, 1)
        layer.running_mean.uniform_(-1, 1)
        layer.running_var.uniform_(0.5, 2)
    return layer.double()


def reference(layer: GhostBatchNorm2d) -> nn.BatchNorm2d:
    """Torch's own batch normalization with the same weights; its averages take the newest statistics whole."""
    other = nn.BatchNorm2d(CHANNELS, eps=layer.eps, momentum=1.0).double()
    other.load_state_dict(layer.state_dict())
    return other


def inputs(count: int, seed: int = 1) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, CHANNELS, 5, 4, dtype=torch.float64, generator=generator) * 3 + 1


@pytest.mark.parametrize("count", [4, 12, 10, 2])
def test_each_group_is_normalized_as_torch_normalizes_a_batch(count):
    layer, x = made(), inputs(count)
    wanted = torch.cat([reference(layer)(group) for group in x.split(GHOST)])
    assert torch.allclose(layer(x), wanted, rtol=0, atol=1e-12)


def test_gradients_are_those_of_torch_group_by_group():
    layer, x = made(), inputs(12).requires_grad_()
    other, y = reference(layer), inputs(12).requires_grad_()
    pull = inputs(12, seed=2)
    (layer(x) * pull).sum().backward()
    (torch.cat([other(group) for group in y.split(GHOST)]) * pull).sum().backward()
    for mine, wanted in [(x, y), (layer.weight, other.weight), (layer.bias, other.bias)]:
        assert mine.grad is not None
        assert torch.allclose(mine.grad, wanted.grad, rtol=1e-10, atol=1e-10)


def test_running_statistics_move_by_the_mean_over_the_groups():
    """The variance is that of the group itself, where torch's running one is the estimate with n - 1."""
    layer, x = made(), inputs(12)
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    means, variances = [], []
    for group in x.split(GHOST):
        other = reference(layer)
        other(group)
        n = group.numel() // CHANNELS
        means.append(other.running_mean)
        variances.append(other.running_var * (n - 1) / n)
    layer(x)
    assert torch.equal(layer.running_mean, before["running_mean"])
    commit_statistics(ghost_layers(layer), Runtime())
    for name, found in [("running_mean", means), ("running_var", variances)]:
        wanted = before[name].lerp(torch.stack(found).mean(0), STATISTICS_MOMENTUM)
        assert torch.allclose(layer.state_dict()[name], wanted, rtol=1e-9, atol=1e-9)
    assert layer.pending == []


@pytest.mark.parametrize("parts", [2, 3])
def test_accumulation_in_parts_gives_the_same_outputs_gradients_and_statistics(parts):
    whole, pieces, x = made(), made(), inputs(24)
    out = whole(x)
    out.square().sum().backward()
    outs = []
    for part in x.chunk(parts):
        outs.append(pieces(part))
        outs[-1].square().sum().backward()
    commit_statistics(ghost_layers(whole), Runtime())
    commit_statistics(ghost_layers(pieces), Runtime())
    assert torch.equal(out, torch.cat(outs))
    assert torch.allclose(whole.weight.grad, pieces.weight.grad, rtol=1e-12)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, pieces.state_dict()[name])


def test_a_group_does_not_change_with_the_other_groups():
    layer, x = made(), inputs(8)
    changed = x.clone()
    changed[GHOST:] += 100
    assert torch.equal(layer(x)[:GHOST], layer(changed)[:GHOST])


def test_evaluation_uses_the_running_statistics_as_torch_does():
    layer, x = made().eval(), inputs(6)
    assert torch.allclose(layer(x), reference(layer).eval()(x), rtol=0, atol=1e-12)
    commit_statistics(ghost_layers(layer), Runtime())
    assert torch.equal(layer.running_mean, made().running_mean)


def test_a_look_without_gradients_does_not_move_the_statistics():
    layer = made()
    with torch.no_grad():
        layer(inputs(8))
    assert layer.pending == []


def test_the_saved_state_is_that_of_torch():
    assert set(made().state_dict()) == set(nn.BatchNorm2d(CHANNELS).state_dict())


def test_the_group_size_is_set_everywhere():
    model = nn.Sequential(GhostBatchNorm2d(2), nn.Sequential(GhostBatchNorm2d(2)), nn.BatchNorm2d(2))
    set_ghost(model, 7)
    assert [layer.ghost for layer in ghost_layers(model)] == [7, 7]


@pytest.mark.parametrize("channels", [1, 3])
def test_normalize_is_its_formula_with_channels_first(channels):
    mean, std = [0.1, 0.5, 0.9][:channels], [0.2, 0.3, 0.4][:channels]
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (2, 5, 4, channels), dtype=torch.uint8, generator=generator)
    wanted = (images.double() / 255 - torch.tensor(mean).double()) / torch.tensor(std).double()
    out = Normalize(mean, std)(images)
    assert out.dtype == torch.float32
    assert out.shape == (2, channels, 5, 4)
    assert torch.allclose(out.double(), wanted.permute(0, 3, 1, 2), rtol=0, atol=1e-5)
    assert torch.equal(out, Normalize(mean, std)(images.float()))


def test_normalized_images_are_in_channels_last_order_without_a_copy():
    out = Normalize([0.5] * 3, [0.2] * 3)(torch.zeros(2, 5, 4, 3))
    assert out.is_contiguous(memory_format=torch.channels_last)
