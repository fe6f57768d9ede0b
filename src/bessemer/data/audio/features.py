"""Simple features of sound: mean spectra, in the scale that a linear model wants."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bessemer.data.audio.spectrogram import mean_spectrum
from bessemer.data.features import BLOCK, Features, Transform, standardized

MELS = 64


def scaled_spectra(clips: Any, rate: int) -> tuple[Features, Transform]:
    """Mean spectra of clips int16 (N, T), with mean 0 and deviation 1, and the same of others."""
    return standardized(clips, lambda some: audio_features(some, rate))


def audio_features(clips: Any, rate: int) -> NDArray[np.float32]:
    """Mean log spectra float32 (N, D) of clips int16 (N, T); only a block is held at a time."""
    blocks = (np.asarray(clips[start : start + BLOCK]) for start in range(0, len(clips), BLOCK))
    return np.concatenate([mean_spectrum(block, rate, MELS) for block in blocks])
