"""8-bit quantization: scales, integers, and the whole simulation against slow references."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bessemer.compress.prune import prune
from bessemer.compress.quantize import SHRINKS, choose_scale, quantize, scale_of
from bessemer.data.dataset import Samples
from bessemer.errors import UsageError
from bessemer.model.quantized import FULL, REDUCED, IntegerLayer, quantize_weight, trace
from bessemer.model.state import Architecture, load_model, save_model

Array = NDArray[Any]


@pytest.mark.parametrize(("low", "high"), [(0.0, 2.55), (-1.0, 1.0), (-2.55, 0.0), (-0.3, 7.1), (0.0, 1e-6)])
def test_a_scale_covers_its_range_and_gives_zero_exactly(low: float, high: float) -> None:
    scale, zero = scale_of(low, high)
    assert scale == float(np.float32((high - low) / 255))
    assert 0 <= zero <= 255
    assert zero == round(-low / scale)
    assert (0 - zero) * scale <= low + scale / 2
    assert (255 - zero) * scale >= high - scale / 2 - 1e-6 * abs(high)
    rounded = torch.fake_quantize_per_tensor_affine(torch.zeros(1), scale, zero, 0, 255)
    assert rounded.item() == 0


@pytest.mark.parametrize("high", [0.0, 1e-44])
def test_a_range_without_width_gets_a_scale_that_can_be_divided_by(high: float) -> None:
    scale, zero = scale_of(0.0, high)
    assert scale > 0
    assert zero == 0


def slow_error(values: Array, scale: float, zero: int) -> float:
    steps = np.clip(np.round(values.astype(np.float64) / scale) + zero, 0, 255)
    return float((((steps - zero) * scale - values) ** 2).mean())


@pytest.mark.parametrize("shape", ["normal", "relu", "outliers", "constant"])
def test_the_chosen_scale_is_the_best_of_a_brute_force_search(shape: str) -> None:
    normal = np.random.default_rng(0).normal(size=4000).astype(np.float32)
    outliers = np.append(normal, np.float32([40, -35]))
    cases = {"normal": normal, "relu": normal.clip(0), "outliers": outliers, "constant": np.full(9, 3, np.float32)}
    values = cases[shape]
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    errors = [slow_error(values, *scale_of(low * shrink, high * shrink)) for shrink in SHRINKS]
    chosen = choose_scale(low, high, torch.from_numpy(values))
    assert slow_error(values, *chosen) == pytest.approx(min(errors), rel=1e-3, abs=1e-12)


def test_rare_large_values_are_clipped() -> None:
    normal = torch.randn(400_000, generator=torch.Generator().manual_seed(0))
    values = torch.cat([normal, torch.tensor([12.0])])
    low, high = float(values.min()), float(values.max())
    assert choose_scale(low, high, values)[0] < scale_of(low, high)[0]


def test_integer_weights_equal_a_slow_reference() -> None:
    weight = torch.randn(5, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    weight[2] = 0
    integers, scales = quantize_weight(weight)
    assert integers.dtype == torch.int8
    for row, found, scale in zip(weight.numpy(), integers.numpy(), scales.tolist(), strict=True):
        largest = np.abs(row).max()
        expected = largest / np.float32(127) if largest > 0 else 1.0
        assert scale == pytest.approx(expected, rel=1e-6)
        assert np.array_equal(found, np.round(row / np.float32(scale)))
    assert integers.abs().amax((1, 2, 3)).tolist() == [127, 127, 0, 127, 127]


class Small(nn.Module):
    """Convolution, ReLU, mean over the image, linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 4, 3, stride=2, padding=1)
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.relu(self.conv(x)).mean((2, 3)))


def to_steps(values: Array, point: list[float]) -> Array:
    scale, zero = np.float32(point[0]), int(point[1])
    return np.clip(np.round(values / scale) + zero, 0, 255).astype(np.int64) - zero


def integer_weights(layer: nn.Module, input_scale: float, limit: int) -> tuple[Array, Array, Array]:
    """Weights, biases and scales of a layer, found anew from its floats."""
    weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
    scales = np.abs(weight.reshape(len(weight), -1)).max(1) / np.float32(limit)
    integers = np.round(weight / scales.reshape(-1, *[1] * (weight.ndim - 1))).astype(np.int64)
    return integers, np.round(bias / (scales * np.float32(input_scale))).astype(np.int64), scales


def slow_small(network: Small, points: list[list[float]], x: Array, limit: int) -> Array:
    """The integer network by loops over int64; `points` are those of input, ReLU and mean."""
    steps = to_steps(x, points[0])
    weight, bias, scales = integer_weights(network.conv, points[0][0], limit)
    padded = np.pad(steps, ((0, 0), (0, 0), (1, 1), (1, 1)))
    sums = np.empty((len(x), 4, 4, 4), np.int64)
    for row in range(4):
        for column in range(4):
            patch = padded[:, None, :, 2 * row : 2 * row + 3, 2 * column : 2 * column + 3]
            sums[:, :, row, column] = (patch * weight[None]).sum((2, 3, 4)) + bias
    real = sums * (scales * points[0][0])[:, None, None]
    means = (to_steps(np.maximum(real, 0), points[1]) * points[1][0]).mean((2, 3))
    steps = to_steps(means, points[2])
    weight, bias, scales = integer_weights(network.head, points[2][0], limit)
    return (steps @ weight.T + bias) * (scales * points[2][0])


@pytest.mark.parametrize("limit", [FULL, REDUCED])
def test_the_simulation_equals_a_slow_network_of_integers(limit: int) -> None:
    torch.manual_seed(0)
    network, x = Small().eval(), torch.randn(6, 2, 8, 8)
    integer, edit = quantize(network, x, limit)
    points = list(edit["activations"].values())
    assert len(points) == 3
    expected = slow_small(network, points, x.numpy(), limit)
    np.testing.assert_allclose(integer(x).detach().numpy(), expected, rtol=1e-4, atol=1e-5)
    assert not np.allclose(network(x).detach().numpy(), expected, atol=1e-4)


def test_folded_batch_norm_equals_the_unfused_network(model: nn.Module, samples: Samples) -> None:
    images = torch.from_numpy(samples.inputs[:8])
    folded = trace(copy.deepcopy(model))
    assert not [m for m in folded.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    torch.testing.assert_close(folded(images), model(images), rtol=1e-5, atol=1e-5)


def test_a_batch_norm_whose_input_is_read_elsewhere_is_not_folded() -> None:
    class Branching(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.norm = nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2)

        def forward(self, x: Tensor) -> Tensor:
            y = self.conv(x)
            return self.norm(y) + y

    network, x = Branching().eval(), torch.rand(2, 1, 3, 3)
    network.norm.running_mean.fill_(0.5)
    torch.testing.assert_close(trace(copy.deepcopy(network))(x), network(x))


def integer_layers(network: nn.Module) -> list[str]:
    return [name for name, layer in network.named_modules() if isinstance(layer, IntegerLayer)]


def test_every_convolution_and_linear_layer_becomes_integer(model: nn.Module, samples: Samples) -> None:
    layers = {name for name, layer in model.named_modules() if isinstance(layer, (nn.Conv2d, nn.Linear))}
    integer, _ = quantize(model, torch.from_numpy(samples.inputs))
    assert set(integer_layers(integer)) == layers
    for name in layers:
        found = integer.get_submodule(name)
        assert found.weight.dtype == torch.int8
        assert found.bias.dtype == torch.int32


@pytest.mark.parametrize("between", [nn.Flatten(), nn.Dropout(0.5), nn.Identity()])
def test_a_layer_behind_one_that_only_passes_values_on_becomes_integer(between: nn.Module) -> None:
    network = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), between, nn.Linear(8, 2)).eval()
    integer, _ = quantize(network, torch.rand(8, 4))
    assert integer_layers(integer) == ["0", "3"]


def test_a_quantized_network_decides_as_before(quantized: Any, trained: Any, samples: Samples) -> None:
    images = torch.from_numpy(samples.inputs)
    with torch.no_grad():
        after, before = quantized[1](images), trained[1](images)
    assert torch.equal(after.argmax(1), before.argmax(1))
    assert float((after - before).abs().max()) < 0.1 * float(before.std())


def test_padding_that_is_not_zero_is_kept_or_refused() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1, padding_mode="reflect"), nn.ReLU(), nn.Conv2d(4, 2, 1))
    x = torch.rand(4, 1, 6, 6) + 1
    try:
        integer, _ = quantize(network, x)
    except UsageError:
        return
    torch.testing.assert_close(integer(x), network(x), rtol=0, atol=0.2 * float(network(x).detach().std()))


def test_the_model_that_is_given_is_left_alone(model: nn.Module, samples: Samples) -> None:
    before = copy.deepcopy(model.state_dict())
    quantize(model.train(), torch.from_numpy(samples.inputs))
    assert model.training
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name])


def test_calibration_is_used_whole(model: nn.Module, samples: Samples) -> None:
    some, more = samples.inputs[:4], np.concatenate([samples.inputs[:4], np.full((100, 8, 8, 1), 255, np.uint8)])
    _, narrow = quantize(model, torch.from_numpy(some))
    _, wide = quantize(model, torch.from_numpy(more))
    assert wide["activations"]["normalize"][0] > narrow["activations"]["normalize"][0]


@pytest.mark.parametrize("keep", [1.0, 0.5])
def test_a_pruned_and_quantized_model_reloads_to_the_same_bits(
    keep: float, model: nn.Module, architecture: Architecture, samples: Samples, tmp_path: Path
) -> None:
    images = torch.from_numpy(samples.inputs)
    edits = []
    if keep < 1:
        model, edit = prune(model, images[:2], keep, round_to=1)
        edits.append(edit)
    integer, edit = quantize(model, images)
    save_model(tmp_path, architecture.edited(*edits, edit), integer)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["architecture.json", "weights.safetensors"]
    assert torch.equal(load_model(tmp_path)(images), integer(images))


class Branch(nn.Module):
    """Cannot be traced: what it does depends on the data."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x) if x.sum() > 0 else x


class Counting(Branch):
    """Cannot be traced: asks for the length of the batch."""

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x) / len(x)


@pytest.mark.parametrize("network", [Branch(), Counting()])
def test_a_model_that_cannot_be_traced_is_refused(network: nn.Module) -> None:
    with pytest.raises(UsageError, match="cannot be traced"):
        quantize(network, torch.rand(2, 3))


def test_no_calibration_data_is_refused(model: nn.Module) -> None:
    with pytest.raises(UsageError, match="no calibration data"):
        quantize(model, torch.empty(0, 8, 8, 1, dtype=torch.uint8))


@pytest.mark.parametrize("layer", [nn.ReLU(), nn.Conv1d(3, 4, 1), nn.Identity()])
def test_a_model_without_convolutions_or_linear_layers_is_refused(layer: nn.Module) -> None:
    with pytest.raises(UsageError, match="nothing to quantize"):
        quantize(nn.Sequential(layer), torch.rand(2, 3, 4))


def test_calibration_that_is_not_finite_is_refused(model: nn.Module) -> None:
    broken = torch.full((4, 8, 8, 1), float("nan"))
    with pytest.raises(UsageError, match="finite"):
        quantize(model, broken)


def test_what_is_returned_names_the_layers_that_stay_in_floats() -> None:
    layers = [nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 16), nn.SiLU(), nn.Linear(16, 2)]
    made = quantize(nn.Sequential(*layers).eval(), torch.rand(32, 4))
    integer, edit = made
    assert (made.model, made.edit) == (integer, edit)
    assert integer_layers(integer) == ["0", "2"]
    # 386 floats of 4 bytes before. Then a byte a weight, and 12 an output for its bias, the scale of that, and the
    # scale of its weights; three points have a scale and a zero point of a byte.
    saved = 64 + 256 + 12 * 32 + 4 * 34 + 3 * 5
    assert repr(made) == f"int8: 2 layers, {saved} B of 1.5 kB\nin floats    kind\n4          Linear"


def test_a_network_that_is_all_in_integers_says_so(model: nn.Module, samples: Samples) -> None:
    assert repr(quantize(model, torch.from_numpy(samples.inputs))).endswith("none in floats")


def test_of_data_some_inputs_are_taken(model: nn.Module, samples: Samples) -> None:
    whole = quantize(model, torch.from_numpy(samples.inputs)).edit
    assert quantize(model, samples).edit == whole
    assert quantize(model, (samples.inputs, samples.labels)).edit == whole


def test_inputs_that_the_model_does_not_take_are_named() -> None:
    with pytest.raises(UsageError, match=r"Sequential does not take the calibration data \(8, 5\)"):
        quantize(nn.Sequential(nn.Linear(4, 3)), torch.randn(8, 5))
