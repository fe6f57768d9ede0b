"""Log-mel spectrograms in numpy: the reference of bessemer.data.audio.power, and statistics.

A frame of 25 ms every 10 ms, a Hann window, the power spectrum, triangular filters that stand evenly on the mel
scale mel = 2595 log10(1 + f / 700) (O'Shaughnessy, "Speech communication", 1987; filters as in the HTK Book,
section 5.6: overlapping triangles of height 1), and the logarithm. No frame reaches over the edge of a clip.

Shapes: clips int16 (N, T); log-mel float32 (N, frames, mels), in nats.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Clips = NDArray[np.int16]
FULL_SCALE = 32768
FLOOR = 1e-6  # added to the power before the logarithm; noise of 16-bit rounding gives about 1e-8
BLOCK = 64
LEAST_STD = 0.01  # nats; a band that never changes must not be blown up
DYNAMIC_RANGE = 10.0  # nats (43 dB) below the loudest that a picture shows


def frame_sizes(rate: int) -> tuple[int, int, int]:
    """Samples of a window (25 ms), of a hop (10 ms), and of the transform (the next power of two).

    The window is made of five halves of a hop, so that frames are cut out of whole blocks at any rate.
    """
    half = round(rate / 200)
    window = 5 * half
    return window, 2 * half, 1 << (window - 1).bit_length()


def frame_count(samples: int, rate: int) -> int:
    """Frames of a clip of so many samples; 0 where it is shorter than a window."""
    window, hop, _ = frame_sizes(rate)
    return max(0, 1 + (samples - window) // hop)


def to_mel(hertz: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Place on the mel scale of a frequency."""
    return np.asarray(2595 * np.log10(1 + np.asarray(hertz, np.float64) / 700))


def to_hertz(mel: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Frequency of a place on the mel scale."""
    return np.asarray(700 * (10 ** (np.asarray(mel, np.float64) / 2595) - 1))


def mel_filters(rate: int, mels: int) -> NDArray[np.float64]:
    """Triangles (bins, mels) from 0 Hz to half the rate.

    With many bands at a low rate the lowest triangles fall between two bins of the spectrum and stay empty.
    """
    size = frame_sizes(rate)[2]
    bins = np.arange(size // 2 + 1) * (rate / size)
    edges = to_hertz(np.linspace(0, float(to_mel(rate / 2)), mels + 2))
    rising = (bins[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins[:, None]) / (edges[2:] - edges[1:-1])
    return np.maximum(0, np.minimum(rising, falling))


def hann(window: int) -> NDArray[np.float64]:
    """The periodic Hann window."""
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)


def log_mel(clips: Clips, rate: int, mels: int) -> NDArray[np.float32]:
    """Log-mel spectrograms (N, frames, mels) of clips (N, T), which hold at least one window (25 ms)."""
    window, hop, size = frame_sizes(rate)
    filters, shape = mel_filters(rate, mels), hann(window) / FULL_SCALE
    out = np.empty((len(clips), frame_count(clips.shape[1], rate), mels), np.float32)
    for start in range(0, len(clips), BLOCK):
        block = clips[start : start + BLOCK]
        frames = np.lib.stride_tricks.sliding_window_view(block, window, axis=1)[:, ::hop]
        spectrum = np.fft.rfft(frames * shape, size)
        out[start : start + BLOCK] = np.log((spectrum.real**2 + spectrum.imag**2) @ filters + FLOOR)
    return out


def spectrogram_statistics(batches: Iterable[Clips], rate: int, mels: int) -> tuple[list[float], list[float]]:
    """Mean and standard deviation, in nats, of each band over all frames of batches of clips (the training split).

    Streams: memory is that of one batch. A band that hardly changes gets a standard deviation of LEAST_STD.
    """
    total, squares, count = np.zeros(mels), np.zeros(mels), 0
    for clips in batches:
        for start in range(0, len(clips), BLOCK):
            values = log_mel(clips[start : start + BLOCK], rate, mels).astype(np.float64).reshape(-1, mels)
            total += values.sum(0)
            squares += (values**2).sum(0)
            count += len(values)
    if count == 0:
        raise ValueError("no clips to take statistics of")
    mean = total / count
    std = np.maximum(np.sqrt(np.maximum(squares / count - mean**2, 0)), LEAST_STD)
    return [round(float(m), 6) for m in mean], [round(float(s), 6) for s in std]


def draw_spectrogram(clip: Clips, rate: int, mels: int = 64) -> NDArray[np.uint8]:
    """A clip (T,) as a color picture uint8 (mels, frames, 3), low tones at the bottom, louder is brighter."""
    import cv2

    values = log_mel(clip[None], rate, mels)[0].T[::-1]
    top = float(values.max(initial=np.log(FLOOR) + DYNAMIC_RANGE))
    level = (values - (top - DYNAMIC_RANGE)) / DYNAMIC_RANGE
    gray = (level.clip(0, 1) * 255).round().astype(np.uint8)
    return np.ascontiguousarray(cv2.applyColorMap(gray, cv2.COLORMAP_MAGMA)[..., ::-1])
