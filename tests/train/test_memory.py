"""Activations that are computed again, rounded, put away or pooled, against plain training."""

from __future__ import annotations

import copy
import gc
import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bessemer.errors import StorageError, UsageError
from bessemer.model.gpt.network import GPT
from bessemer.model.layers import ghost_layers, set_ghost
from bessemer.train.memory import offload
from bessemer.train.memory.checkpointing import checkpoint_blocks, plain_blocks
from bessemer.train.memory.config import MemoryConfig
from bessemer.train.memory.int8 import int8_activations, round_groups, signal_to_noise
from bessemer.train.memory.live import LiveBytes
from bessemer.train.memory.method import ActivationMemory
from bessemer.train.memory.offload import Spool, check_folder, offloaded_activations
from bessemer.train.memory.pooled import (
    ChannelPooledLinear,
    channel_pooled_linear,
    exact_channels,
    pool_channels,
)
from bessemer.train.memory.saved import packing
from bessemer.train.memory.wrap import Wrapped, is_wrapped, unwrap, wrap

Build = Callable[[], tuple[nn.Module, Tensor]]


@pytest.fixture(params=["resnet", "encoder", "gpt"])
def build(
    request: pytest.FixtureRequest,
    make_model: Callable[..., nn.Module],
    make_encoder: Any,
    samples: Any,
    tokens: Any,
) -> Build:
    """A fresh network, always the same, and its inputs; those with dropout use it."""

    def make() -> tuple[nn.Module, Tensor]:
        if request.param == "resnet":
            model = make_model()
            set_ghost(model, 8)
            return model.train(), torch.from_numpy(samples.inputs[:16])
        if request.param == "encoder":
            return make_encoder().train(), torch.from_numpy(tokens)
        torch.manual_seed(0)
        return GPT(40, 32, 2, 2, 64, 0.1, 16).train(), torch.arange(64).reshape(4, 16) % 40

    return make


def gradients(
    model: nn.Module, inputs: Tensor, context: AbstractContextManager[Any] | None = None, precision: str = "fp32"
) -> tuple[Tensor, dict[str, Tensor]]:
    """The loss and all gradients of one pass under seed 1."""
    torch.manual_seed(1)
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
        with context or nullcontext():
            outputs = model(inputs).float()
        loss = outputs.flatten(0, -2).logsumexp(1).mean() + outputs.square().mean()
    loss.backward()
    return loss.detach(), {name: one.grad for name, one in model.named_parameters() if one.grad is not None}


def equal(one: tuple[Tensor, dict[str, Tensor]], other: tuple[Tensor, dict[str, Tensor]]) -> bool:
    """The same bits in loss and gradients."""
    same = one[1].keys() == other[1].keys() and torch.equal(one[0], other[0])
    return same and all(torch.equal(tensor, other[1][name]) for name, tensor in one[1].items())


# --- checkpointing ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("every", [1, 2])
def test_checkpointing_keeps_every_bit_and_every_name(build: Build, every: int, precision: str) -> None:
    model, inputs = build()
    names = list(model.state_dict())
    expected = gradients(*build(), precision=precision)
    assert len(checkpoint_blocks(model, every)) == 2 // every
    assert list(model.state_dict()) == names
    assert equal(gradients(model, inputs, precision=precision), expected)
    plain_blocks(model)
    assert not is_wrapped(model)


def test_checkpointing_records_statistics_once(make_model: Callable[..., nn.Module], samples: Any) -> None:
    found = []
    for change in (lambda model: None, checkpoint_blocks):
        model = make_model().train()
        set_ghost(model, 8)
        change(model)
        gradients(model, torch.from_numpy(samples.inputs[:16]))
        found.append([[mean.tolist() for mean, _ in layer.pending] for layer in ghost_layers(model)])
    assert found[0] == found[1]
    assert all(len(layer) == 2 for layer in found[0])


def test_checkpointed_blocks_keep_less() -> None:
    def held(change: Callable[[nn.Module], Any]) -> int:
        torch.manual_seed(0)
        model = GPT(40, 32, 8, 2, 64, 0.0, 16).train()
        change(model)
        with LiveBytes() as live:
            outputs = model(torch.zeros(8, 16, dtype=torch.int64))
        assert outputs.requires_grad
        return live.now

    assert held(checkpoint_blocks) < 0.25 * held(lambda model: None)


def test_checkpointed_blocks_run_plainly_without_gradients(build: Build) -> None:
    model, inputs = build()
    expected = model.eval()(inputs)
    checkpoint_blocks(model)
    assert torch.equal(model(inputs), expected)


def test_a_copy_of_a_wrapped_model_runs_on_its_own_weights() -> None:
    model = GPT(40, 32, 2, 2, 64, 0.0, 16).train()
    checkpoint_blocks(model)
    other = copy.deepcopy(model)
    with torch.no_grad():
        for weight in model.parameters():
            weight.zero_()
    assert other(torch.zeros(1, 16, dtype=torch.int64)).abs().sum() > 0


def test_a_model_without_known_blocks_is_refused() -> None:
    with pytest.raises(UsageError, match="no block that is known") as caught:
        checkpoint_blocks(nn.Linear(2, 2))
    assert "train.memory.checkpoint_every" in caught.value.remedy


def test_wrapping_is_undone() -> None:
    layer = nn.Linear(2, 2)
    wrap(layer, lambda forward, x: forward(x) + 1)
    assert isinstance(layer, Wrapped)
    assert isinstance(layer, nn.Linear)
    assert torch.equal(layer(torch.zeros(2)), layer.bias + 1)
    unwrap(layer)
    assert type(layer) is nn.Linear
    assert torch.equal(layer(torch.zeros(2)), layer.bias)


# --- 8 bits -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 127, 128, 1000, 600_000])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_rounding_equals_a_plain_reference(size: int, dtype: torch.dtype) -> None:
    values = torch.randn(size, generator=torch.Generator().manual_seed(size)).to(dtype)
    rounded = round_groups(values).flat()
    assert rounded.dtype == dtype
    wanted = np.zeros(-(-size // 128) * 128, np.float32)
    wanted[:size] = values.float().numpy()
    groups = wanted.reshape(-1, 128)
    low, high = np.minimum(groups.min(1), 0), np.maximum(groups.max(1), 0)
    step = ((high - low) / 255)[:, None]
    nearest = np.round(groups / step) * step
    error = np.abs(rounded.float().numpy() - nearest.reshape(-1)[:size])
    at_edges = step.max() * (
        1.01 if dtype == torch.float32 else 1.5
    )  # the zero point shifts the range by half a step
    assert error.max() <= at_edges
    assert np.median(error) <= (1e-6 if dtype == torch.float32 else 4e-3)


def test_rounding_loses_little_and_keeps_zeros_and_masks() -> None:
    generator = torch.Generator().manual_seed(0)
    normal = torch.randn(1 << 16, generator=generator)
    assert 42 < signal_to_noise(normal, round_groups(normal).flat()) < 46
    positive = normal.relu()
    assert torch.equal(round_groups(positive).flat()[positive == 0], positive[positive == 0])
    assert signal_to_noise(positive, round_groups(positive).flat()) > signal_to_noise(
        normal, round_groups(normal).flat()
    )
    for low, high in ((0.0, 1 / 0.9), (-1e9, 0.0)):
        mask = torch.where(normal > 0, torch.tensor(low), torch.tensor(high))
        torch.testing.assert_close(round_groups(mask).flat(), mask, rtol=1e-6, atol=0)
    zeros = torch.zeros(256)
    assert torch.equal(round_groups(zeros).flat(), zeros)


def test_the_dynamic_range_of_one_group_does_not_hurt_another() -> None:
    values = torch.cat([torch.full((128,), 1000.0), torch.linspace(-1, 1, 128)])
    assert (round_groups(values).flat()[128:] - values[128:]).abs().max() < 1 / 255 + 1e-6


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_8_bits_keep_the_loss_and_come_near_the_gradients(build: Build, precision: str) -> None:
    loss, expected = gradients(*build(), precision=precision)
    model, inputs = build()
    rounded_loss, rounded = gradients(model, inputs, int8_activations(model, smallest=256), precision)
    assert torch.equal(rounded_loss, loss)
    every = torch.cat([one.flatten() for one in expected.values()])
    others = torch.cat([rounded[name].flatten() for name in expected])
    assert 25 < signal_to_noise(every, others) < 80


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_no_weight_is_rounded(precision: str) -> None:
    packed: list[Tensor] = []

    def pack(flat: Tensor) -> Any:
        packed.append(flat.clone())
        return round_groups(flat)

    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 96), nn.ReLU(), nn.Unflatten(1, (6, 4, 4)), nn.Conv2d(6, 8, 3), nn.ReLU())
    x = torch.randn(32, 64, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"), packing(model, pack, 8):
        y = (model(x * 2).flatten(1) @ torch.randn(32, 5)).sum()
    y.backward()
    weights = [form.flatten() for weight in model.parameters() for form in (weight, weight.bfloat16().float())]
    forms = [*weights, *(weight.T.flatten() for weight in (model[0].weight, model[0].weight.bfloat16().float()))]
    assert len(packed) >= 3
    for one in packed:
        assert not any(one.shape == form.shape and torch.equal(one.float(), form) for form in forms)


def test_what_several_operations_save_is_packed_once() -> None:
    packed = []

    def pack(flat: Tensor) -> Any:
        packed.append(flat.shape)
        return round_groups(flat)

    layers = nn.ModuleList(nn.Linear(32, 8) for _ in range(3))
    x = torch.randn(2, 64, 32, requires_grad=True)
    with packing(layers, pack, 1024):
        y = x * 2.0
        outputs = [layers[0](y), layers[1](y.flatten(0, 1)), layers[2](y)]
        del y
        for one in range(3):  # new tensors at the old address are other tensors
            outputs.append(layers[one](x * float(one)))
    assert packed == [(4096,)] * 4
    sum(one.sum() for one in outputs).backward()
    assert x.grad is not None


def test_an_infinite_mask_stays_itself() -> None:
    mask = torch.full((64, 64), -torch.inf).triu(1)
    query = torch.randn(1, 2, 64, 32, requires_grad=True)
    with int8_activations(nn.Identity()):
        out = F.scaled_dot_product_attention(query, query, query, mask)
    out.sum().backward()
    assert query.grad.isfinite().all()


def test_8_bits_keep_less() -> None:
    def held(context: AbstractContextManager[Any]) -> int:
        layers = nn.Sequential(*[nn.Sequential(nn.Linear(64, 64), nn.GELU()) for _ in range(6)])
        with LiveBytes() as live, context:
            out = layers(torch.ones(512, 64))
        assert out.requires_grad
        return live.now

    plain = held(nullcontext())
    assert held(int8_activations(nn.Identity())) < 0.4 * plain  # output and input of the last layers are not saved


# --- offloading -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_offloading_keeps_every_bit_and_leaves_no_file(build: Build, precision: str, tmp_path: Path) -> None:
    expected = gradients(*build(), precision=precision)
    model, inputs = build()
    handles = set(os.listdir("/proc/self/fd"))
    assert equal(gradients(model, inputs, offloaded_activations(model, tmp_path, 256), precision), expected)
    gc.collect()
    assert list(tmp_path.iterdir()) == []
    assert set(os.listdir("/proc/self/fd")) == handles


def test_a_spool_gives_back_what_it_was_given(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    places = [spool.write(memoryview(text)) for text in (b"one", b"", b"three")]
    back = bytearray(5)
    spool.read(memoryview(back), places[2])
    assert bytes(back) == b"three"
    with pytest.raises(StorageError):
        spool.read(memoryview(bytearray(9)), places[2])


def test_a_full_disk_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def full(*_: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(offload.os, "pwrite", full)
    layer = nn.Linear(64, 64)
    with pytest.raises(StorageError, match="No space left"), offloaded_activations(layer, tmp_path, 64):
        layer(torch.ones(64, 64, requires_grad=True) * 2)


def test_a_folder_in_memory_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    (tmp_path / "shm").mkdir()
    mounts.write_text(f"disk / ext4 rw 0 0\ntmpfs {tmp_path / 'shm'} tmpfs rw 0 0\n")
    monkeypatch.setattr(offload, "MOUNTS", mounts)
    check_folder(tmp_path)
    with pytest.raises(UsageError, match=r"is itself in memory \(tmpfs\)") as caught:
        check_folder(tmp_path / "shm")
    assert "train.memory.folder" in caught.value.remedy
    with pytest.raises(UsageError, match="is not a folder"):
        check_folder(tmp_path / "nowhere")


# --- channel-pooled activations ---------------------------------------------------------------------------


@pytest.mark.parametrize("bias", [True, False])
def test_pooled_linear_is_exact_but_for_the_gradient_of_the_weight(bias: bool) -> None:
    torch.manual_seed(0)
    pooled = ChannelPooledLinear(12, 5, 3, bias)
    plain = nn.Linear(12, 5, bias)
    plain.load_state_dict(pooled.state_dict())
    x, target = torch.randn(4, 7, 12), torch.randn(4, 7, 5)
    found, expected = x.clone().requires_grad_(), x.clone().requires_grad_()
    for layer, given in ((pooled, found), (plain, expected)):
        (layer(given) * target).sum().backward()
    assert torch.equal(pooled(x), plain(x))
    torch.testing.assert_close(found.grad, expected.grad)
    means = x.reshape(4, 7, 4, 3).mean(-1).repeat_interleave(3, -1)  # what the weight is told of x
    torch.testing.assert_close(pooled.weight.grad, torch.einsum("bto,bti->oi", target, means))
    if bias:
        torch.testing.assert_close(pooled.bias.grad, plain.bias.grad)


def test_a_pooled_gradient_is_exact_where_channels_of_a_group_agree() -> None:
    torch.manual_seed(0)
    weight = torch.randn(5, 12, requires_grad=True)
    x = torch.randn(8, 4).repeat_interleave(3, 1)
    channel_pooled_linear(x, weight, None, 3).square().sum().backward()
    pooled, weight.grad = weight.grad, None
    F.linear(x, weight).square().sum().backward()
    torch.testing.assert_close(pooled, weight.grad)


def test_pooling_a_model_keeps_names_and_outputs_and_is_undone(build: Build) -> None:
    model, inputs = build()
    names = list(model.state_dict())
    torch.manual_seed(1)
    expected = model(inputs)
    assert pool_channels(model, 4)
    assert list(model.state_dict()) == names
    torch.manual_seed(1)
    torch.testing.assert_close(model(inputs), expected)
    exact_channels(model)
    assert equal(gradients(*build()), gradients(model, inputs))


def test_pooled_layers_keep_less() -> None:
    def held(layers: nn.Module) -> int:
        with LiveBytes() as live:
            out = layers(torch.ones(64, 64))
        assert out.requires_grad
        return live.now

    plain = held(nn.Sequential(*[nn.Linear(64, 64) for _ in range(8)]))
    assert held(nn.Sequential(*[ChannelPooledLinear(64, 64, 8) for _ in range(8)])) < 0.3 * plain


def test_channels_must_be_whole_groups() -> None:
    with pytest.raises(UsageError, match="not whole groups of 5"):
        ChannelPooledLinear(12, 5, 5)
    with pytest.raises(UsageError, match="whole groups of 5") as caught:
        pool_channels(nn.Linear(12, 5), 5)
    assert "train.memory.pool_channels" in caught.value.remedy


# --- in a run ---------------------------------------------------------------------------------------------

SETTINGS = [{"checkpoint_every": 1}, {"saved": "int8"}, {"saved": "offload"}, {"pool_channels": 4}]


@pytest.mark.parametrize("settings", [*SETTINGS, {"checkpoint_every": 2, "saved": "int8", "pool_channels": 4}])
def test_a_run_wraps_the_model_and_lets_go_of_it(build: Build, settings: dict[str, Any]) -> None:
    model, inputs = build()
    method = ActivationMemory(MemoryConfig(**settings))
    method.prepare(model)
    assert is_wrapped(model)
    loss, found = gradients(model, inputs)
    plain_loss, expected = gradients(*build())
    assert torch.equal(loss, plain_loss)
    assert found.keys() == expected.keys()
    method.release()
    assert not is_wrapped(model)
    assert type(model) is type(build()[0])
