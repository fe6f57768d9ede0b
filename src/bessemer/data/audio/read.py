"""Raw sound files to what an exported model takes, by the functions that prepared its training data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bessemer.data.audio.cleaner import loudness, read_clips
from bessemer.data.audio.survey import Scale


def audio_reader(about: Mapping[str, Any]) -> Callable[[Path | bytes], NDArray[np.int16]]:
    """Sound files or bytes to int16 (n, T). Of several clips the silent ones are left out, as in training."""
    rate, samples, windows = int(about["rate"]), int(about["samples"]), bool(about["windows"])
    silence, scale = float(about["silence_db"]), Scale.of(about)

    def read(source: Path | bytes) -> NDArray[np.int16]:
        clips = read_clips(source, rate, samples, windows, scale)
        heard = np.array([loudness(clip / np.float32(32768)) >= silence for clip in clips])
        return clips[heard] if heard.any() else clips

    return read
