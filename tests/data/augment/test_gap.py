"""Training samples look as test samples do where nothing is to be learned: padding, silence, borders, grounds.

A network is told apart by what training alone has: noise over the padding of training clips once cost half of the
accuracy. Each test takes samples, changes them as a preset does, and compares statistics with the same samples
as they are, which is what a test split holds.
"""

from __future__ import annotations

import numpy as np
import pytest

from bessemer.data.augment.presets import resolve
from bessemer.data.config import AugmentConfig
from bessemer.data.kinds import KINDS

PRESETS = ["light", "standard", "strong"]
COUNT, RATE = 64, 8000
IDS, EPOCHS = np.arange(COUNT, dtype=np.uint64), np.zeros(COUNT, np.int64)


def changed(kind: str, preset: str, values: np.ndarray, about: dict, **settings) -> np.ndarray:
    config = resolve(AugmentConfig(preset=preset, **settings), KINDS[kind], values.shape[1:3])
    return KINDS[kind].augmenter(config, about)(values, IDS[: len(values)], EPOCHS[: len(values)], 0)


def test_every_kind_that_changes_samples_is_compared_here():
    assert {name for name, kind in KINDS.items() if kind.presets or name == "image"} == {"image", "audio", "text"}


# --- images ----------------------------------------------------------------------------------------------


def drawings(ground: int, channels: int) -> np.ndarray:
    """Textured squares on an even ground."""
    rng = np.random.default_rng(0)
    values = np.full((COUNT, 32, 32, channels), ground, np.uint8)
    values[:, 10:22, 10:22] = rng.integers(60, 200, (COUNT, 12, 12, channels))
    return values


def border(images: np.ndarray) -> np.ndarray:
    inside = np.zeros(images.shape[1:3], bool)
    inside[1:-1, 1:-1] = True
    return images[:, ~inside]


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("ground", [0, 128, 255])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_border_of_drawings_is_even_and_of_their_ground(preset, ground, channels):
    values = drawings(ground, channels)
    edge = border(changed("image", preset, values, {}, erase=0.0)).astype(float)
    assert edge.std(1).max() < 1, "a border of another color, or noise on it"
    assert abs(np.median(edge) - ground) < 12
    assert np.abs(edge.mean((1, 2)) - ground).max() < 45, "brightness and contrast may move it, not more"


@pytest.mark.parametrize("preset", PRESETS)
def test_the_border_of_photographs_is_like_their_inside(preset):
    """No black wedges or stripes: as bright, and as varied, as at the edge of a picture that is not changed."""
    rng = np.random.default_rng(1)
    coarse = rng.integers(90, 220, (COUNT, 8, 8, 3))
    values = np.kron(coarse, np.ones((1, 4, 4, 1))).astype(np.uint8)
    after, before = border(changed("image", preset, values, {}, erase=0.0)), border(values)
    assert (after < 30).mean() < 0.01
    assert after.mean() == pytest.approx(before.mean(), rel=0.05)
    assert after.std() == pytest.approx(before.std(), rel=0.25)


@pytest.mark.parametrize("settings", [{"crop": 4}, {"rotate": 30.0}, {"scale": [0.7, 1.0]}, {"shear": 20.0}])
def test_what_comes_in_from_outside_is_the_ground_where_nothing_else_is_asked_for(settings):
    assert border(changed("image", "none", drawings(255, 3), {}, **settings)).min() == 255


# --- sound -----------------------------------------------------------------------------------------------


def clips(padding: int) -> np.ndarray:
    """Bursts over faint noise, with digital silence on both sides."""
    rng = np.random.default_rng(2)
    wave = rng.normal(0, 40, (COUNT, 4000))
    wave[:, 1200:2800] += rng.normal(0, 3000, (COUNT, 1600))
    wave = np.where(np.abs(wave) < 1, 1, wave).astype(np.int16)
    if padding:
        wave[:, :padding] = wave[:, -padding:] = 0
    return wave


def silent(values: np.ndarray) -> float:
    """Share of the samples in stretches of ten zeros."""
    zeros = np.lib.stride_tricks.sliding_window_view(values == 0, 10, axis=1).all(2)
    return float(zeros.mean())


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("padding", [0, 600])
def test_digital_silence_is_as_common_as_in_clips_that_are_not_changed(preset, padding):
    values = clips(padding)
    after = changed("audio", preset, values, {"arguments": {"rate": RATE}})
    share = silent(values)
    assert share <= silent(after) + 0.02
    assert silent(after) <= (share + 0.15 if padding else 0.0)


@pytest.mark.parametrize("preset", PRESETS)
def test_the_quiet_parts_of_clips_are_as_quiet(preset):
    """The floor of a spectrogram is where noise, masks and filled edges would show."""
    values = clips(0)
    floors = []
    for some in (values, changed("audio", preset, values, {"arguments": {"rate": RATE}})):
        frames = some.reshape(COUNT, 40, 100).astype(float)
        floors.append(np.median(20 * np.log10(np.sqrt((frames**2).mean(2)).min(1) + 1e-3)))
    low = {"light": 1.0, "standard": 20.0, "strong": 28.0}[preset]  # noise of 20 or 10 dB below the sound
    assert floors[0] - 6 < floors[1] < floors[0] + low


# --- texts -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("preset", PRESETS)
def test_padding_of_texts_is_at_their_end_and_no_token_is_new(preset):
    rng = np.random.default_rng(3)
    lengths = rng.integers(1, 60, COUNT)
    values = np.where(np.arange(60) < lengths[:, None], rng.integers(5, 50, (COUNT, 60)), 0).astype(np.int32)
    mask = 3
    after = changed("text", preset, values, {"mask": mask})
    real = after != 0
    assert (real[:, :-1] >= real[:, 1:]).all(), "padding within a text"
    assert real.any(1).all()
    for one, other in zip(values, after, strict=True):
        assert set(other.tolist()) <= {*one.tolist(), mask, 0}
    assert real.sum() > 0.85 * lengths.sum()
    assert (after == mask).sum() < 0.2 * lengths.sum()
