"""Log-mel spectrograms against the formula written out, and what is made of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import signal

from bessemer.data.audio.spectrogram import (
    FLOOR,
    LEAST_STD,
    draw_spectrogram,
    frame_count,
    frame_sizes,
    log_mel,
    mel_filters,
    spectrogram_statistics,
    to_hertz,
    to_mel,
)

RATE, MELS = 16_000, 40


def noise(clips: int = 3, samples: int = 4000) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 3000, (clips, samples)).astype(np.int16)


@pytest.mark.parametrize(
    ("rate", "sizes"), [(16_000, (400, 160, 512)), (8000, (200, 80, 256)), (44_100, (1100, 440, 2048))]
)
def test_frames_are_25_ms_long_every_10_ms(rate, sizes):
    assert frame_sizes(rate) == sizes


@pytest.mark.parametrize(("samples", "count"), [(399, 0), (400, 1), (559, 1), (560, 2), (16_000, 98)])
def test_no_frame_reaches_over_the_edge(samples, count):
    assert frame_count(samples, RATE) == count
    if count:
        assert log_mel(noise(1, samples), RATE, MELS).shape == (1, count, MELS)


def test_the_mel_scale_has_its_fixed_points():
    assert float(to_mel(1000.0)) == pytest.approx(1000, abs=0.05)
    assert float(to_hertz(to_mel(4321.0))) == pytest.approx(4321)


def test_filters_are_triangles_of_height_one_that_sum_to_one_between_the_outer_two():
    filters = mel_filters(RATE, MELS)
    assert filters.shape == (257, MELS)
    centers = to_hertz(np.linspace(0, float(to_mel(RATE / 2)), MELS + 2))
    bins = np.arange(257) * RATE / 512
    inner = (bins >= centers[1]) & (bins <= centers[-2])
    assert np.allclose(filters[inner].sum(1), 1)
    for band in range(MELS):  # the HTK book's formula, one number at a time
        for place, hertz in enumerate(bins):
            low, center, high = centers[band : band + 3]
            expected = 0.0
            if low < hertz <= center:
                expected = (hertz - low) / (center - low)
            elif center < hertz < high:
                expected = (high - hertz) / (high - center)
            assert filters[place, band] == pytest.approx(expected, abs=1e-9)


def test_it_is_the_logarithm_of_the_filtered_power_of_scipy():
    clips = noise()
    _, _, spectrum = signal.stft(
        clips / 32768, RATE, "hann", 400, 240, nfft=512, boundary=None, padded=False, scaling="spectrum"
    )
    power = np.abs(spectrum * 200) ** 2  # scipy divides by the window's sum
    expected = np.log(power.transpose(0, 2, 1) @ mel_filters(RATE, MELS) + FLOOR)
    assert np.abs(log_mel(clips, RATE, MELS) - expected).max() < 1e-4


def test_a_tone_stands_in_its_band():
    time = np.arange(RATE) / RATE
    clip = (8000 * np.sin(2 * np.pi * 1000 * time)).astype(np.int16)[None]
    loudest = log_mel(clip, RATE, MELS)[0].mean(0).argmax()
    step = float(to_mel(RATE / 2)) / (MELS + 1)
    assert loudest == round(float(to_mel(1000.0)) / step) - 1


def test_silence_is_the_floor():
    assert np.allclose(log_mel(np.zeros((1, 800), np.int16), RATE, MELS), math.log(FLOOR))


def test_statistics_stream_and_equal_those_of_all_at_once():
    clips = noise(70)
    mean, std = spectrogram_statistics(np.array_split(clips, 7), RATE, MELS)
    frames = log_mel(clips, RATE, MELS).astype(np.float64).reshape(-1, MELS)
    assert np.allclose(mean, frames.mean(0), atol=1e-5)
    assert np.allclose(std, frames.std(0), atol=1e-5)


def test_a_band_that_never_changes_is_not_blown_up():
    mean, std = spectrogram_statistics([np.zeros((2, 800), np.int16)], RATE, MELS)
    assert np.allclose(mean, math.log(FLOOR))
    assert std == [LEAST_STD] * MELS


def test_no_clips_have_no_statistics():
    with pytest.raises(ValueError, match="no clips"):
        spectrogram_statistics([], RATE, MELS)


def test_a_picture_shows_low_tones_at_the_bottom_and_silence_black():
    time = np.arange(RATE) / RATE
    picture = draw_spectrogram((8000 * np.sin(2 * np.pi * 200 * time)).astype(np.int16), RATE)
    assert (picture.dtype, picture.shape) == (np.uint8, (64, 98, 3))
    brightness = picture.astype(int).sum((1, 2))
    assert brightness.argmax() > 50
    dark = draw_spectrogram(np.zeros(RATE, np.int16), RATE)
    assert dark.max() < 10
    assert brightness.max() > 98 * 500
