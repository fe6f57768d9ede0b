"""Dirt for sound."""

from __future__ import annotations

import io
import random
from collections.abc import Callable

import numpy as np
import soundfile
from dirt import Make, Plant, cut_short, emptied, same, words_instead
from numpy.typing import NDArray
from scipy.signal import resample_poly

Sound = NDArray[np.float32]
Change = Callable[[Sound, int, random.Random], tuple[Sound, int]]


def rewritten(change: Change, container: str = "WAV", subtype: str = "PCM_16") -> Make:
    """Decode, change, and encode again."""

    def make(raw: bytes, dice: random.Random) -> bytes:
        sound, rate = soundfile.read(io.BytesIO(raw), dtype="float32")
        changed, new_rate = change(sound, rate, dice)
        out = io.BytesIO()
        soundfile.write(out, changed, new_rate, format=container, subtype=subtype)
        return out.getvalue()

    return make


def as_it_is(sound: Sound, rate: int, dice: random.Random) -> tuple[Sound, int]:
    """The sound itself."""
    return sound, rate


def silent(sound: Sound, rate: int, dice: random.Random) -> tuple[Sound, int]:
    """Nothing but a hiss of one quantization step."""
    noise = np.random.default_rng(dice.randrange(2**32)).integers(-1, 2, len(sound))
    return (noise / 32768).astype(np.float32), rate


def clipped(sound: Sound, rate: int, dice: random.Random) -> tuple[Sound, int]:
    """Amplified until a third of the samples stand at full scale."""
    level = max(float(np.quantile(np.abs(sound), 0.67)), 1e-3)
    return np.clip(sound / level, -1, 32767 / 32768).astype(np.float32), rate


def at_rate(new_rate: int) -> Change:
    """Resampled."""

    def change(sound: Sound, rate: int, dice: random.Random) -> tuple[Sound, int]:
        return np.clip(resample_poly(sound, new_rate, rate), -1, 1).astype(np.float32), new_rate

    return change


def stereo(sound: Sound, rate: int, dice: random.Random) -> tuple[Sound, int]:
    """Two channels of different loudness."""
    return np.stack([sound, 0.5 * sound], axis=1), rate


PLANTS = (
    Plant("truncated", cut_short),
    Plant("0 bytes", emptied),
    Plant("text named as a recording", words_instead),
    Plant("silent", rewritten(silent)),
    Plant("clipped", rewritten(clipped)),
    Plant("8 kHz", rewritten(at_rate(8000))),
    Plant("44.1 kHz", rewritten(at_rate(44_100))),
    Plant("stereo", rewritten(stereo)),
    Plant("24 bits", rewritten(as_it_is, subtype="PCM_24")),
    Plant("FLAC", rewritten(as_it_is, container="FLAC"), suffix=".flac"),
    Plant("exact copy", same, copy=True),
    Plant("exact copy as FLAC", rewritten(as_it_is, container="FLAC"), copy=True, suffix=".flac"),
)
