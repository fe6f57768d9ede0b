"""Random changes of sound: shift, gain, noise, and masks over time and frequency.

The masks are those of SpecAugment (Park et al., 2019), on the wave: a stretch of time is silenced, and a band of
the mel scale is removed by a Fourier transform of the whole clip. Every number is a pure function of (seed, epoch,
sample id), the noise by counters too, so a clip changes in the same way whatever stands beside it in the batch.
Nothing may look in training as it never does in a clip that is not changed. So digital silence stays silent (noise
over the padding of training clips alone would tell them from test clips), and none is made in a clip that has
none: a shift is filled by the mirrored edge, and a masked stretch becomes as quiet as the clip's quietest.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bessemer.data.audio.spectrogram import to_hertz, to_mel
from bessemer.data.augment.chance import keys, uniforms
from bessemer.data.config import AugmentConfig
from bessemer.draws import GOLDEN, U64, mix

Clips = NDArray[np.int16]
Draw = NDArray[np.float64]
STREAMS = {"shift": 101, "gain": 102, "ratio": 103, "width": 104, "start": 105, "band": 106, "low": 107}
NOISE = 108  # stream; they are apart from those of images and text
SILENCE = 0.005  # seconds of zeros
QUIET_FRAME = 0.025  # seconds
NOISE_SPREAD_DB = 20.0  # the ratio of signal to noise is between noise_db and noise_db plus this


def is_identity(config: AugmentConfig) -> bool:
    """Whether these settings leave every clip as it is."""
    changes = (config.time_shift, config.gain_db, config.time_mask, config.frequency_mask)
    return not any(changes) and config.noise_db is None


def augment_audio(
    clips: Clips, config: AugmentConfig, ids: U64, epochs: NDArray[np.int64], seed: int, rate: int
) -> Clips:
    """Augment a batch of clips int16 (B, T) at `rate`; the result has the same shape and type.

    In this order: shift, gain, noise, band mask, then one rounding, then the stretch of silence.
    """
    if is_identity(config):
        return clips
    chance = dict(zip(STREAMS, uniforms(ids, epochs, seed, list(STREAMS.values())), strict=True))
    padding = silences(clips, rate)
    out = shift(clips, config.time_shift, chance["shift"], padding)
    if config.gain_db or config.noise_db is not None or config.frequency_mask:
        silent = silences(out, rate)
        wave = out.astype(np.float32)
        wave *= (10 ** ((2 * chance["gain"] - 1) * config.gain_db / 20)).astype(np.float32)[:, None]
        if config.noise_db is not None:
            ratio = config.noise_db + NOISE_SPREAD_DB * chance["ratio"]
            add_noise(wave, silent, ratio, keys(ids, epochs, seed, [NOISE])[0])
        if config.frequency_mask:
            wave = mask_band(wave, config.frequency_mask, chance["band"], chance["low"], rate)
        wave[silent] = 0  # a band that is taken out rings on
        out = np.rint(wave).clip(-32768, 32767).astype(np.int16)
    if config.time_mask:
        out = mask_time(out, config.time_mask, chance["width"], chance["start"], np.asarray(padding.any(1)), rate)
    return out


def shift(clips: Clips, share: float, numbers: Draw, silent: NDArray[np.bool_]) -> Clips:
    """Move clips (B, T) later or earlier by up to `share` of their length. Always a copy.

    Silence comes in where the edge is `silent` (B, T), else the sound at the edge, mirrored.
    """
    length = clips.shape[1]
    out = np.zeros_like(clips)
    moves = np.rint((2 * numbers - 1) * share * length).astype(int)
    for clip, target, move, (first, last) in zip(clips, out, moves, silent[:, [0, -1]], strict=True):
        target[max(0, move) : length + min(0, move)] = clip[max(0, -move) : length - max(0, move)]
        if move > 0 and not first:
            target[:move] = clip[:move][::-1]
        elif move < 0 and not last:
            target[move:] = clip[move:][::-1]
    return out


def silences(clips: Clips, rate: int) -> NDArray[np.bool_]:
    """Where clips (B, T) have digital silence, as padding is: stretches of zeros of at least SILENCE seconds.

    Clips of the test split have it too, so nothing may be laid over it in training.
    """
    from scipy.ndimage import maximum_filter1d, minimum_filter1d

    least = max(2, round(SILENCE * rate))
    zeros = (clips == 0).astype(np.uint8)
    inside = minimum_filter1d(zeros, least, axis=1, mode="nearest")
    # Of an even length the middle is on one side: the filter back must be the mirrored one.
    found: NDArray[np.uint8] = maximum_filter1d(inside, least, axis=1, mode="nearest", origin=-(1 - least % 2))
    return found.astype(bool)


def add_noise(wave: NDArray[np.float32], silent: NDArray[np.bool_], decibels: Draw, bits: U64) -> None:
    """Add white noise, so many decibels below the sound of each clip of (B, T), but where `silent`; in place.

    The noise is uniform, four 16-bit values from each mixed counter: of white noise no ear and no filter bank
    tells how single samples are distributed.
    """
    length = wave.shape[1]
    with np.errstate(over="ignore"):
        counters: U64 = np.arange(1, 2 + length // 4, dtype=np.uint64) * GOLDEN
        words = mix(bits[:, None] + counters)
    noise = words.astype("<u8").view("<u2")[:, :length].astype(np.float32)
    noise -= np.float32(32767.5)
    sounding = np.maximum(1, np.count_nonzero(~silent, axis=1))
    level = np.sqrt(np.square(wave).sum(1) / sounding) * 10 ** (-decibels / 20)
    noise *= (level / (65536 / 12**0.5)).astype(np.float32)[:, None]
    noise[silent] = 0
    wave += noise


def mask_band(
    wave: NDArray[np.float32], share: float, widths: Draw, starts: Draw, rate: int
) -> NDArray[np.float32]:
    """Clips (B, T) without a band of up to `share` of the mel scale, anywhere on it."""
    from scipy import fft

    length = wave.shape[1]
    top = float(to_mel(rate / 2))
    width = widths * share * top
    low = starts * (top - width)
    first, last = to_hertz(low), to_hertz(low + width)
    size = fft.next_fast_len(length, real=True)
    spectrum = fft.rfft(wave, size, axis=1)
    hertz = np.arange(spectrum.shape[1]) * (rate / size)
    spectrum[(hertz >= first[:, None]) & (hertz < last[:, None])] = 0
    kept: NDArray[np.float32] = fft.irfft(spectrum, size, axis=1)[:, :length]
    return kept


def mask_time(
    clips: Clips, share: float, widths: Draw, starts: Draw, has_silence: NDArray[np.bool_], rate: int
) -> Clips:
    """Clips (B, T) with a stretch of up to `share` of their length silenced, anywhere in them; in place.

    A clip that has no digital silence of its own gets none: the stretch becomes as quiet as its quietest part.
    """
    length = clips.shape[1]
    width = np.rint(widths * share * length).astype(int)
    start = np.floor(starts * (length - width + 1)).astype(int)
    for clip, begin, count, silent in zip(clips, start, width, has_silence, strict=True):
        stretch = clip[begin : begin + count]
        factor = 0.0 if silent or not count else min(1.0, quietest(clip, rate) / max(1e-9, level_of(stretch)))
        stretch[...] = np.rint(stretch * factor)
    return clips


def quietest(clip: Clips, rate: int) -> float:
    """Level (root mean square) of the quietest tenth of a clip (T,), in frames of QUIET_FRAME seconds."""
    size = max(1, min(len(clip), round(QUIET_FRAME * rate)))
    frames = clip[: len(clip) // size * size].reshape(-1, size).astype(np.float32)
    return float(np.sqrt(np.quantile(np.square(frames).mean(1), 0.1)))


def level_of(clip: Clips) -> float:
    """Level (root mean square) of sound."""
    return float(np.sqrt(np.square(clip.astype(np.float32)).mean()))
