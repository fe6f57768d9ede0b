"""The decoder's short convolution against torch's convolution, and that nothing looks ahead."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor
from torch.nn import functional as F

from bessemer.model.gpt import GPTConfig
from bessemer.model.gpt.network import GPT, Cache, ShortConvolution
from bessemer.train.muon import hidden_matrices


def features(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("size", [2, 3, 5])
@torch.no_grad()
def test_a_short_convolution_is_torchs_in_groups_of_one_beside_a_shortcut(size: int) -> None:
    layer, x = ShortConvolution(6, size), features(2, 9, 6)
    kernel = torch.cat([torch.ones(1, 6), layer.taps]).flip(0).T[:, None]  # (C, 1, size), the farthest first
    expected = F.conv1d(F.pad(x.transpose(1, 2), (size - 1, 0)), kernel, groups=6).transpose(1, 2)
    torch.testing.assert_close(layer(x), expected)
    assert layer(x.bfloat16()).dtype == torch.bfloat16


@torch.no_grad()
def test_with_a_cache_it_goes_on_from_what_it_has_read() -> None:
    layer, x, cache = ShortConvolution(6, 4), features(2, 9, 6), Cache()
    parts = [layer(part, cache) for part in x.split([1, 1, 5, 2], 1)]
    torch.testing.assert_close(torch.cat(parts, 1), layer(x))


@pytest.mark.parametrize("convolution", [0, 4])
@torch.no_grad()
def test_no_position_sees_a_later_one(convolution: int) -> None:
    torch.manual_seed(0)
    model = GPT(30, 16, 2, 2, 32, 0.0, 12, convolution).eval()
    tokens = torch.arange(12)[None]
    changed = tokens.clone()
    changed[0, 7] = 29
    same = torch.isclose(model(tokens), model(changed)).all(-1)[0]
    assert same.tolist() == [True] * 7 + [False] * 5


def test_adamw_moves_the_taps_beside_muon() -> None:
    model = GPT(30, 16, 1, 2, 32, 0.0, 12, 4)
    taken = {id(parameter) for parameter in hidden_matrices(model)}
    left = {name for name, parameter in model.named_parameters() if id(parameter) not in taken}
    assert left == {
        *("tokens.weight", "norm.weight", "blocks.0.norm1.weight", "blocks.0.norm2.weight"),
        "blocks.0.attention.convolution.taps",
    }


def test_a_convolution_of_one_position_is_refused() -> None:
    with pytest.raises(ValidationError, match="convolution of 1 position"):
        GPTConfig(convolution=1)
