"""Changes of sound: each does what it says, on its own clip, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bessemer.data.audio import AUDIO
from bessemer.data.audio.augment import augment_audio
from bessemer.data.config import AugmentConfig

RATE, LENGTH, BATCH = 8000, 4000, 64
IDS = np.arange(BATCH, dtype=np.uint64) * np.uint64(977)
EPOCHS = np.zeros(BATCH, np.int64)
EVERYTHING = AugmentConfig(time_shift=0.2, gain_db=6, noise_db=10, time_mask=0.2, frequency_mask=0.2)


def clips(level: float = 2000.0) -> np.ndarray:
    return np.random.default_rng(0).normal(0, level, (BATCH, LENGTH)).astype(np.int16)


def change(values: np.ndarray, seed: int = 1, **settings) -> np.ndarray:
    return augment_audio(values, AugmentConfig(**settings), IDS, EPOCHS, seed, RATE)


def rms(values: np.ndarray) -> np.ndarray:
    return np.sqrt(np.mean(np.square(values.astype(np.float64)), axis=1))


def test_no_settings_change_nothing():
    values = clips()
    assert change(values) is values


def test_the_input_is_left_alone():
    values = clips()
    before = values.copy()
    assert not np.array_equal(augment_audio(values, EVERYTHING, IDS, EPOCHS, 1, RATE), before)
    assert np.array_equal(values, before)


@given(seed=st.integers(0, 2**62), order=st.permutations(range(12)), cut=st.integers(1, 11))
def test_a_clip_changes_alike_whatever_stands_beside_it(seed, order, cut):
    values, epochs = clips()[:12], np.arange(12, dtype=np.int64) % 3
    whole = augment_audio(values, EVERYTHING, IDS[:12], epochs, seed, RATE)
    some = np.array(order[:cut])
    part = augment_audio(values[some], EVERYTHING, IDS[some], epochs[some], seed, RATE)
    assert np.array_equal(part, whole[some])


@pytest.mark.parametrize(
    "settings",
    [{"time_shift": 0.2}, {"gain_db": 6}, {"noise_db": 10}, {"time_mask": 0.3}, {"frequency_mask": 0.3}],
)
def test_samples_epochs_and_seeds_differ(settings):
    values = np.tile(clips()[:1], (BATCH, 1))
    first = change(values, **settings)
    assert len(np.unique(first, axis=0)) > BATCH * 0.9
    assert (change(values, seed=2, **settings) != first).any(1).mean() > 0.9
    later = augment_audio(values, AugmentConfig(**settings), IDS, EPOCHS + 1, 1, RATE)
    assert (later != first).any(1).mean() > 0.9


@pytest.mark.parametrize(("edge", "fill"), [(100, "constant"), (0, "symmetric")])
def test_a_shift_is_filled_with_silence_where_there_is_some_else_with_the_mirrored_edge(edge, fill):
    values = np.tile(np.arange(1, LENGTH + 1, dtype=np.int16), (BATCH, 1))
    values[:, :edge] = values[:, LENGTH - edge :] = 0
    every = np.lib.stride_tricks.sliding_window_view(np.pad(values[0], 400, fill), LENGTH)
    moves = []
    for out in change(values, time_shift=0.1):
        (found,) = np.flatnonzero((every == out).all(1))
        moves.append(400 - int(found))
    assert -400 <= min(moves) < -250
    assert 250 < max(moves) <= 400


def test_a_shift_of_a_whole_clip_is_allowed():
    assert change(clips(), time_shift=1).shape == (BATCH, LENGTH)


def test_gain_is_within_its_decibels_and_is_the_same_over_a_clip():
    values = clips()
    out = change(values, gain_db=6).astype(np.float64)
    factor = (out * values).sum(1) / (values.astype(np.float64) ** 2).sum(1)
    decibels = 20 * np.log10(factor)
    assert -6.01 < decibels.min() < -4
    assert 4 < decibels.max() < 6.01
    assert np.abs(out - factor[:, None] * values).max() < 1  # nothing but the factor, and rounding


def test_gain_cuts_at_full_scale():
    out = change(np.full((BATCH, LENGTH), -30_000, np.int16), gain_db=20)
    assert out.min() == -32_768
    assert out.max() < 0


def test_noise_keeps_its_ratio_and_is_white():
    values = clips()
    noise = change(values, noise_db=20).astype(np.float64) - values
    ratio = 20 * np.log10(rms(values) / rms(noise))
    assert 19.8 < ratio.min() < 24
    assert 36 < ratio.max() < 40.5
    unit = noise / rms(noise)[:, None]
    assert abs(unit.mean()) < 0.01
    following = (unit[:, 1:] * unit[:, :-1]).mean(), (unit[:, 4:] * unit[:, :-4]).mean()
    assert np.abs(following).max() < 0.01
    power = (np.abs(np.fft.rfft(unit, axis=1)) ** 2 / LENGTH).mean(0)[1:2001].reshape(20, -1).mean(1)
    assert np.abs(power - 1).max() < 0.1


def test_noises_of_two_clips_have_nothing_in_common():
    values = np.tile(clips()[:1], (BATCH, 1))
    noise = change(values, noise_db=0).astype(np.float64) - values
    common = np.corrcoef(noise)[~np.eye(BATCH, dtype=bool)]
    assert np.abs(common).max() < 6 / np.sqrt(LENGTH)


def test_silence_stays_silent():
    assert not change(np.zeros((BATCH, LENGTH), np.int16), noise_db=0, gain_db=6).any()


def padded() -> np.ndarray:
    """Short sounds in the middle of silence, with a single zero and a gap of zeros inside."""
    values = clips()
    values[values == 0] = 1
    values[:, :1000] = values[:, 3200:] = 0
    values[:, 1500] = 0  # no silence: waves pass through zero
    values[:, 2000:2100] = 0
    return values


@pytest.mark.parametrize("preset", ["light", "standard", "strong"])
def test_digital_silence_is_as_much_and_as_silent_as_in_clips_that_nothing_changed(preset):
    values, config = padded(), AugmentConfig(**AUDIO.preset(preset, None))
    unmoved = config.model_copy(update={"time_shift": 0.0, "time_mask": 0.0})
    out = augment_audio(values, unmoved, IDS, EPOCHS, 1, RATE)
    silent = np.ones(LENGTH, bool)
    silent[1000:2000] = silent[2100:3200] = False
    assert not out[:, silent].any()
    assert (out[:, ~silent] != 0).mean() > 0.99
    assert not np.array_equal(out, values)
    whole = augment_audio(values, config, IDS, EPOCHS, 1, RATE)
    share = [(part == 0).mean() for part in (values, whole)]
    assert share[0] - 0.02 < share[1] < share[0] + config.time_mask / 2 + config.time_shift / 2


def test_the_ratio_of_noise_is_that_of_the_sound_without_its_padding():
    values = padded()
    noise = change(values, noise_db=20).astype(np.float64) - values
    inside = np.r_[1000:2000, 2100:3200]
    ratio = 20 * np.log10(rms(values[:, inside]) / rms(noise[:, inside]))
    assert 19.5 < ratio.min() < 24
    assert 36 < ratio.max() < 41


def test_a_time_mask_silences_one_stretch_and_nothing_else():
    values = np.full((BATCH, LENGTH), 7, np.int16)
    values[:, :100] = 0  # digital silence of its own
    widths = []
    for out in change(values, time_mask=0.25):
        gone = np.flatnonzero(out[100:] == 0)
        widths.append(len(gone))
        assert len(gone) == 0 or gone[-1] - gone[0] == len(gone) - 1
        assert (out[100:][np.setdiff1d(np.arange(LENGTH - 100), gone)] == 7).all()
    assert 750 < max(widths) <= 1000
    assert min(widths) < 200


def test_a_time_mask_is_as_quiet_as_a_clip_without_silence_is():
    values = clips()
    values[:, ::2] = np.where(values[:, ::2] == 0, 1, values[:, ::2])
    values[:, 3000:] //= 20
    values[values == 0] = 1
    out = change(values, time_mask=0.25)
    assert (out == 0).mean() < 0.02
    loud = np.abs(out[:, :3000].astype(float) - values[:, :3000]) > 1
    for clip, changed in zip(out, loud, strict=True):
        places = np.flatnonzero(changed)
        if len(places) > 300 and places[-1] < 2990:  # else it reaches into the quiet part
            level = np.sqrt(np.mean(np.square(clip[places[0] : places[-1]].astype(float))))
            assert level == pytest.approx(100, rel=0.15)


def test_a_frequency_mask_removes_one_band_of_the_mel_scale_and_nothing_else():
    values = clips()
    before = np.abs(np.fft.rfft(values, axis=1))
    after = np.abs(np.fft.rfft(change(values, frequency_mask=0.3), axis=1))
    mel = 2595 * np.log10(1 + np.arange(before.shape[1]) * RATE / LENGTH / 700)
    widths = []
    for old, new in zip(before, after, strict=True):
        gone = np.flatnonzero(new < 50 + 0.01 * old)
        band = mel[gone[-1]] - mel[gone[0]] if len(gone) > 3 else 0.0
        widths.append(band / mel[-1])
        kept = np.delete(np.arange(len(old)), gone)
        # Rounding: half a level a sample, which add up in one bin where the band taken out is periodic.
        assert np.abs(new[kept] - old[kept]).max() < LENGTH / 2  # a bin holds about 100,000
        assert np.median(np.abs(new[kept] - old[kept])) < 100
    assert 0.24 < max(widths) <= 0.3
