"""The residual network: shapes, stems, colors, and settings that cannot be."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from bessemer.model.layers import GhostBatchNorm2d
from bessemer.model.resnet import ResNetConfig, resnet
from bessemer.model.resnet.network import BasicBlock, ResNet


def small(channels: int = 1, classes: int = 4, **other) -> ResNet:
    values = {"stem_width": 4, "widths": [4, 6], "blocks": [1, 2], "strides": [1, 2]} | other
    torch.manual_seed(0)
    settings = ResNetConfig(**values).model_dump()
    return resnet(classes, [0.5] * channels, [0.25] * channels, **settings)


def tap_shapes(model: ResNet, images: torch.Tensor) -> list[tuple[int, ...]]:
    shapes: list[tuple[int, ...]] = []
    modules = dict(model.named_modules())
    hooks = [
        modules[name].register_forward_hook(lambda m, i, out: shapes.append(tuple(out.shape)))
        for name in model.taps
    ]
    model(images)
    for hook in hooks:
        hook.remove()
    return shapes


@pytest.mark.parametrize("channels", [1, 3], ids=["gray", "rgb"])
@pytest.mark.parametrize(("height", "width"), [(8, 8), (9, 13)])
def test_images_of_any_size_and_color_give_a_logit_for_each_class(channels, height, width):
    model = small(channels)
    images = torch.zeros(3, height, width, channels, dtype=torch.uint8)
    assert model(images).shape == (3, 4)


@pytest.mark.parametrize(("stem", "sides"), [("small", (64, 32)), ("large", (16, 8))])
def test_the_stem_and_the_strides_set_the_sizes_of_the_stages(stem, sides):
    shapes = tap_shapes(small(stem=stem).eval(), torch.zeros(1, 64, 64, 1))
    assert shapes == [(1, 4, sides[0], sides[0]), (1, 6, sides[1], sides[1])]


def test_the_taps_are_the_stages():
    assert small().taps == ["stages.0", "stages.1"]


def test_the_number_of_blocks_is_as_set():
    blocks = [sum(isinstance(m, BasicBlock) for m in stage.modules()) for stage in small().stages]
    assert blocks == [1, 2]


def test_bytes_and_floats_of_the_same_images_give_the_same_logits():
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (2, 8, 8, 1), dtype=torch.uint8, generator=generator)
    model = small().eval()
    assert torch.equal(model(images), model(images.float()))


def test_each_block_starts_as_its_shortcut():
    """The last normalization of a block has weight zero."""
    block = next(m for m in small().modules() if isinstance(m, BasicBlock)).eval()
    x = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(block(x), torch.relu(x))


def test_a_shortcut_is_projected_only_where_the_shape_changes():
    first, second = small().stages[1]
    assert isinstance(first.shortcut, nn.Sequential)
    assert isinstance(second.shortcut, nn.Identity)


def test_every_parameter_gets_a_gradient_once_blocks_are_open():
    model = small()
    for block in (m for m in model.modules() if isinstance(m, BasicBlock)):
        nn.init.ones_(block.norm2.weight)
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (4, 8, 8, 1), dtype=torch.uint8, generator=generator)
    model(images).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


def test_all_normalizations_are_ghost_batch_normalizations():
    norms = [m for m in small().modules() if isinstance(m, nn.BatchNorm2d)]
    assert len(norms) == 1 + 3 * 2 + 1
    assert all(isinstance(norm, GhostBatchNorm2d) for norm in norms)


@pytest.mark.parametrize(
    "settings",
    [
        {"widths": [8], "blocks": [1, 1], "strides": [1]},
        {"widths": [], "blocks": [], "strides": []},
        {"widths": [8, 0, 8]},
        {"blocks": [1, 0, 1]},
        {"strides": [2, 2, 0]},
        {"strides": [2, 2, 5]},
        {"stem": "huge"},
        {"stem_width": 0},
        {"name": "alexnet"},
        {"depth": 3},
    ],
)
def test_settings_that_cannot_be_are_refused(settings):
    with pytest.raises(ValidationError):
        ResNetConfig(**settings)
