"""The spectrogram layer against numpy, and a sound model through every room: train, prune, quantize, export."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from bessemer.compress.prune import prune
from bessemer.compress.quantize import quantize
from bessemer.data.audio.power import transform_steps
from bessemer.data.audio.spectrogram import log_mel, spectrogram_statistics
from bessemer.data.dataset import Batches, Samples
from bessemer.export.onnx import export_onnx
from bessemer.export.session import OnnxModel
from bessemer.measure.parity import compare
from bessemer.model.answers import TorchModel
from bessemer.model.measure import flops
from bessemer.model.quantized import QuantizePoint
from bessemer.model.sound.network import LogMel
from bessemer.model.state import Architecture, load_model, save_model
from bessemer.task.classify.objective import Classify
from bessemer.train.config import OptimizerConfig, TrainConfig
from bessemer.train.loop import fit

RATE, SAMPLES, MELS, CLASSES = 8000, 4000, 24, 3
TONES = (400.0, 900.0, 2000.0)


def tones(clips: int, seed: int = 0) -> Samples:
    """Tones of about 400, 900 or 2000 Hz, of any loudness and phase, under noise."""
    generator = np.random.default_rng(seed)
    labels = np.arange(clips, dtype=np.int64) % CLASSES
    hertz = np.array(TONES)[labels] * generator.uniform(0.85, 1.15, clips)
    phase, level = generator.uniform(0, 6.28, clips), generator.uniform(1000, 8000, clips)
    wave = np.sin(2 * np.pi * hertz[:, None] * np.arange(SAMPLES) / RATE + phase[:, None]) * level[:, None]
    wave += generator.normal(0, 600, wave.shape)
    return Samples(wave.astype(np.int16), labels, generator.permutation(clips).astype(np.uint64))


def plain(rate: int, mels: int) -> LogMel:
    return LogMel(rate, mels, [0.0] * mels, [1.0] * mels)


@pytest.fixture(scope="module")
def architecture() -> Architecture:
    mean, std = spectrogram_statistics([tones(96).inputs], RATE, MELS)
    network = {"stem": "small", "stem_width": 16, "widths": [16, 32], "blocks": [1, 1], "strides": [2, 2]}
    arguments = {"classes": CLASSES, "rate": RATE, "mels": MELS, "mean": mean, "std": std}
    return Architecture("sound", {**arguments, **network})


@pytest.fixture(scope="module")
def heard(architecture: Architecture) -> nn.Module:
    """A small sound model that was trained on tones."""
    torch.manual_seed(0)
    model = architecture.build()
    optimizer = OptimizerConfig(learning_rate=0.05)
    config = TrainConfig(epochs=8, batch_size=16, ghost_batch=16, optimizer=optimizer, precision="fp32")
    fit(model, Classify(CLASSES), Batches(tones(96), 16, 0), config)
    return model.eval()


def accuracy(model: nn.Module, samples: Samples) -> float:
    return float((TorchModel(model).logits(samples.inputs).argmax(1) == samples.labels).mean())


@pytest.mark.parametrize(
    ("rate", "mels", "samples"), [(16_000, 64, 16_000), (8000, 40, 6001), (22_050, 64, 9999), (4000, 16, 100)]
)
def test_the_layer_is_the_reference(rate, mels, samples):
    clips = np.random.default_rng(0).normal(0, 3000, (3, samples)).astype(np.int16)
    clips[1] = clips[1] // 1000  # close to silence
    clips[2] = 0
    out = plain(rate, mels)(torch.from_numpy(clips))
    expected = log_mel(clips, rate, mels)
    assert out.shape == (3, 2, mels, expected.shape[1])
    assert np.abs(out[:, 0].transpose(1, 2).numpy() - expected).max() < 1e-4


@pytest.mark.parametrize("size", [128, 256, 512, 2048])
def test_two_small_products_are_the_fourier_transform(size):
    layer = plain({128: 4000, 256: 8000, 512: 16_000, 2048: 48_000}[size], 16)
    assert layer.size == size
    frames = torch.randn(2, 3, size, generator=torch.Generator().manual_seed(0))
    expected = torch.fft.rfft(frames.double()).abs() ** 2
    assert torch.allclose(layer.power(frames).double(), expected, rtol=1e-4, atol=1e-3)
    assert sum(matrix.numel() for matrix in transform_steps(size).values()) < 20 * size


def test_bands_are_normalized_by_mean_and_spread():
    clips = torch.from_numpy(tones(4).inputs)
    mean, std = [0.5 * band for band in range(MELS)], [1.0 + band for band in range(MELS)]
    bands = plain(RATE, MELS)(clips)
    expected = (bands[:, 0] - torch.tensor(mean)[:, None]) / torch.tensor(std)[:, None]
    assert torch.allclose(LogMel(RATE, MELS, mean, std)(clips)[:, 0], expected, atol=1e-5)


def test_the_second_channel_tells_a_band_its_place():
    places = plain(RATE, MELS)(torch.from_numpy(tones(2).inputs))[:, 1]
    assert torch.equal(places, torch.linspace(-1, 1, MELS)[:, None].expand_as(places))


def test_floats_in_the_same_range_give_the_same_and_low_precision_does_not_reach_it():
    clips = torch.from_numpy(tones(4).inputs)
    layer = plain(RATE, MELS)
    assert torch.equal(layer(clips), layer(clips.float()))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(layer(clips), plain(RATE, MELS)(clips.float()))


def test_statistics_of_another_number_of_bands_are_refused():
    with pytest.raises(ValueError, match="24 values"):
        LogMel(RATE, 24, [0.0], [1.0])


def test_a_sound_model_learns_tones(heard):
    assert accuracy(heard, tones(60, seed=1)) > 0.9


def test_it_is_saved_and_loaded(heard, architecture, tmp_path):
    save_model(tmp_path, architecture, heard)
    clips = tones(6).inputs
    assert np.array_equal(TorchModel(load_model(tmp_path)).logits(clips), TorchModel(heard).logits(clips))


def test_it_has_features_to_distill_and_operations_to_count(heard):
    modules = dict(heard.named_modules())
    assert [name in modules for name in heard.taps] == [True, True]
    one, two = (flops(heard, torch.from_numpy(tones(n).inputs)) for n in (1, 2))
    assert one == two > 1_000_000


def test_it_is_pruned_behind_the_spectrogram(heard, architecture, tmp_path):
    example = torch.from_numpy(tones(2).inputs)
    small, edit = prune(heard, example, 0.5)
    assert small.stem[0].out_channels == 8
    assert small.stem[0].in_channels == 2
    assert torch.equal(small.normalize(example), heard.normalize(example))
    save_model(tmp_path, architecture.edited(edit), small)
    assert np.array_equal(
        TorchModel(load_model(tmp_path)).logits(example.numpy()), TorchModel(small).logits(example.numpy())
    )


def test_the_file_decides_as_the_model(heard, tmp_path):
    clips = tones(60, seed=1).inputs
    size = export_onnx(heard, torch.from_numpy(clips[:2]), tmp_path / "model.onnx")
    given = OnnxModel(tmp_path / "model.onnx")
    parity = compare(TorchModel(heard).logits(clips), given.logits(clips))
    assert (parity.agreement, parity.samples) == (1.0, 60)
    assert parity.max_abs_error < 1e-3
    assert given.shape()[1:] == [SAMPLES]
    assert size < sum(parameter.numel() for parameter in heard.parameters()) * 4 + 60_000


def test_it_is_quantized_behind_the_spectrogram(heard, architecture, tmp_path):
    clips = tones(96).inputs
    integer, edit = quantize(heard, torch.from_numpy(clips))
    assert isinstance(integer.get_submodule("point_normalize"), QuantizePoint)
    assert "point_inputs" not in dict(integer.named_modules())
    assert accuracy(integer, tones(60, seed=1)) > 0.9
    save_model(tmp_path, architecture.edited(edit), integer)
    assert np.array_equal(
        TorchModel(load_model(tmp_path)).logits(clips[:8]), TorchModel(integer).logits(clips[:8])
    )
    assert agreement(integer, tmp_path / "int8.onnx") >= 0.98


def agreement(model: nn.Module, path: Path) -> float:
    clips = tones(60, seed=1).inputs
    export_onnx(model, torch.from_numpy(clips[:2]), path)
    return compare(TorchModel(model).logits(clips), OnnxModel(path).logits(clips)).agreement
