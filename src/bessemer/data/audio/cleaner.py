"""One recording to clips of one length and rate, safely: the same way for training data and for `predict`.

libsndfile decodes; nothing is decoded further than LONGEST seconds, whatever a header promises. A clip is int16
(samples,): the middle of a longer recording, or a shorter one with equal silence on both sides.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import ceil, floor, gcd
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bessemer.data.audio.config import AudioConfig
from bessemer.data.config import DataConfig
from bessemer.data.record import BROKEN, FILTERED, Clean, Raw, Rejected

LONGEST, SHORTEST = 600.0, 0.02  # seconds of a recording
RATES = (1000, 384_000)  # Hz that a header may name
MAX_CHANNELS = 32
BLOCK = 1 << 18  # samples decoded at a time, over all channels
TOP = 1 - 1 / 32768  # the largest value of 16-bit sound
TOPS = {"PCM_U8": 1 - 1 / 128, "PCM_S8": 1 - 1 / 128}  # of 8-bit sound
OFFSET = 0.01  # of full scale (-40 dB): a mean beyond it is the recorder's fault
STREAMED = 0x7FFF0000  # a length in a header that says: not known when this was written
CLIP_SECONDS = (0.1, 10.0)  # bounds of a clip's length that is chosen here
WINDOW_SECONDS = 1.0  # least length chosen for windows, where recordings have it
COVERED = 0.9  # share of recordings that a clip shall hold whole, or that shall fill a window
NONE = np.empty(0, np.uint64)


@dataclass(frozen=True)
class Recording:
    """Decoded sound: float32 (T,) in -1 to 1, one channel, at the rate it came with."""

    wave: NDArray[np.float32]
    rate: int
    clipped: float  # share of samples, of any channel, at full scale or beyond
    repairs: tuple[str, ...]


def open_sound(source: Path | bytes) -> Any:
    """Open a soundfile.SoundFile by its header; raises Rejected with the reason."""
    import soundfile

    try:
        if (len(source) if isinstance(source, bytes) else source.stat().st_size) == 0:
            raise Rejected("empty file")
        sound = soundfile.SoundFile(io.BytesIO(source) if isinstance(source, bytes) else str(source))
    except (soundfile.LibsndfileError, TypeError) as error:  # TypeError: a .raw file, which says nothing of itself
        raise Rejected("not a sound file", str(error)) from error
    except OSError as error:
        raise Rejected("unreadable", error.strerror or str(error)) from error
    fault = _fault(sound)
    if fault is not None:
        sound.close()
        raise fault
    return sound


def _fault(sound: Any) -> Rejected | None:
    """What a header says that cannot be used."""
    if not RATES[0] <= sound.samplerate <= RATES[1]:
        return Rejected("not a sound file", f"it names a rate of {sound.samplerate} Hz")
    if not 1 <= sound.channels <= MAX_CHANNELS:
        return Rejected("not a sound file", f"it names {sound.channels} channels")
    if _known(sound) and sound.frames > LONGEST * sound.samplerate:
        return _too_long(f"{sound.frames / sound.samplerate:,.0f} s")
    short = re.search(r"^ *(?:data|SSND) *: (\d+) \(should be (\d+)\)", sound.extra_info, re.MULTILINE)
    if short and int(short[2]) < int(short[1]) < STREAMED:
        return Rejected("truncated or corrupt", f"{short[2]} of {short[1]} bytes are there")
    return None


def _known(sound: Any) -> bool:
    """Whether the header tells the length; streams that were cut off the air say 'as long as can be'."""
    return bool(sound.frames < 2**62)


def _too_long(detail: str) -> Rejected:
    return Rejected(f"longer than {LONGEST / 60:.0f} minutes", detail, FILTERED)


def duration(source: Path | bytes) -> float:
    """Seconds of a recording, from its header where that tells; raises Rejected where it cannot be opened."""
    with open_sound(source) as sound:
        if _known(sound):
            return float(sound.frames / sound.samplerate)
    recording = decode(source)
    return len(recording.wave) / recording.rate


def decode(source: Path | bytes) -> Recording:
    """Decode a file, or its bytes, mixed down to one channel; raises Rejected with the reason."""
    import soundfile

    with open_sound(source) as sound:
        parts, full = [], 0
        limit, top = int(LONGEST * sound.samplerate), TOPS.get(sound.subtype, TOP)
        try:
            for block in _blocks(sound, limit + 1):
                parts.append(block.mean(1, dtype=np.float32) if sound.channels > 1 else block[:, 0])
                full += int((np.abs(block) >= top).sum())
        except soundfile.LibsndfileError as error:
            raise Rejected("truncated or corrupt", str(error)) from error
        wave = np.concatenate(parts) if parts else np.empty(0, np.float32)
        if len(wave) > limit:
            raise _too_long("its header does not tell its length")
        if _known(sound) and len(wave) < sound.frames:
            raise Rejected("truncated or corrupt", f"{len(wave)} of {sound.frames} samples are there")
        if not np.isfinite(wave).all():
            raise Rejected("non-finite samples")
        repairs = ("mixed down to mono",) if sound.channels > 1 else ()
        return Recording(wave, sound.samplerate, full / max(1, len(wave) * sound.channels), repairs)


def _blocks(sound: Any, limit: int) -> Iterator[NDArray[np.float32]]:
    """Blocks (t, channels) of at most `limit` samples in all."""
    size, left = max(1, BLOCK // sound.channels), limit
    while left > 0:
        block = sound.read(min(size, left), dtype="float32", always_2d=True)
        if len(block) == 0:
            return
        left -= len(block)
        yield block


def read_audio(source: Path | bytes, rate: int) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """Sound float32 (T,) of one channel at `rate`, and what was mended; raises Rejected with the reason.

    Resampled by a polyphase filter with a Kaiser window (scipy.signal.resample_poly).
    """
    return condition(decode(source), rate)


def condition(recording: Recording, rate: int) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """A recording without a constant offset, at `rate`, and what was mended; refuses what is too short."""
    wave, repairs = recording.wave, recording.repairs
    if len(wave) < SHORTEST * recording.rate:
        raise Rejected("too short", f"{1000 * len(wave) / recording.rate:.0f} ms", FILTERED)
    offset = float(wave.mean(dtype=np.float64))
    if abs(offset) > OFFSET:
        wave, repairs = wave - np.float32(offset), (*repairs, "DC offset removed")
    if recording.rate != rate:
        from scipy.signal import resample_poly

        common = gcd(recording.rate, rate)
        wave = resample_poly(wave, rate // common, recording.rate // common).astype(np.float32)
        repairs = (*repairs, f"resampled from {recording.rate} Hz")
    return wave, repairs


def fit_clips(wave: NDArray[np.float32], samples: int, windows: bool) -> NDArray[np.int16]:
    """Clips int16 (N, samples) of a recording (T,).

    Without `windows` one: the middle of a longer recording, a shorter one centered in silence. With `windows`
    consecutive clips that overlap by half; the rest after the last full one, where there is any, is one more.
    """
    pcm = np.clip(np.round(wave * np.float32(32768)), -32768, 32767).astype(np.int16)
    if not windows or len(pcm) <= samples:
        return _centered(pcm, samples)[None]
    hop = max(1, samples // 2)
    starts = range(0, len(pcm) - samples + hop, hop)  # the last one reaches the end
    return np.stack([_centered(pcm[start : start + samples], samples) for start in starts])


def _centered(pcm: NDArray[np.int16], samples: int) -> NDArray[np.int16]:
    if len(pcm) >= samples:
        start = (len(pcm) - samples) // 2
        return pcm[start : start + samples]
    before = (samples - len(pcm)) // 2
    return np.pad(pcm, (before, samples - len(pcm) - before))


def read_clips(source: Path | bytes, rate: int, samples: int, windows: bool) -> NDArray[np.int16]:
    """Clips int16 (N, samples) of a file or its bytes, as training gets them; raises Rejected with the reason."""
    return fit_clips(read_audio(source, rate)[0], samples, windows)


def choose_seconds(durations: Counter[int], windows: bool) -> float:
    """Length of a clip for recordings whose lengths are counted in hundredths of a second.

    Nine of ten recordings fit into a clip, rounded up to 0.1 s. With windows nine of ten fill one, rounded down;
    a window is no shorter than a second where recordings have it, since a few short ones must not rule.
    """
    low, high = CLIP_SECONDS
    whole = max(low, min(high, ceil(_quantile(durations, COVERED) / 10) / 10))
    if not windows:
        return whole
    filled = floor(_quantile(durations, 1 - COVERED) / 10) / 10
    return max(min(WINDOW_SECONDS, whole), min(high, filled))


def _quantile(counts: Counter[int], share: float) -> int:
    """The least value that at least this share of the counted do not exceed; 100 where none are counted."""
    seen, wanted = 0, share * counts.total() - 1e-9
    for value in sorted(counts):
        seen += counts[value]
        if seen >= wanted:
            return value
    return 100


class AudioCleaner:
    """Recordings to clips; sets aside what is broken, silent, clipped or too short."""

    def __init__(self, config: DataConfig) -> None:
        self.config: AudioConfig = config.audio
        self.needs_survey = self.config.seconds is None
        self.settled: dict[str, Any] = {}
        if self.config.seconds is not None:
            self._settle(self.config.seconds)

    def _settle(self, seconds: float) -> None:
        self.settled = {"rate": self.config.rate, "samples": round(seconds * self.config.rate)}

    def survey(self, raw: Raw) -> float:
        """Seconds of a recording, from its header."""
        return duration(_source(raw))

    def settle(self, looks: Iterable[float]) -> None:
        """Choose the length of a clip from the lengths of all recordings, in flat memory."""
        counts = Counter(ceil(round(100 * seconds, 6)) for seconds in looks)
        if self.config.seconds is None:
            self._settle(choose_seconds(counts, self.config.windows))

    def clean(self, raw: Raw) -> Iterator[Clean | Rejected]:
        """The clips of a recording; a silent window of one that is not silent is given as Rejected."""
        recording = decode(_source(raw))
        length = len(recording.wave) / recording.rate
        wave, repairs = condition(recording, self.config.rate)
        level = loudness(wave)
        if level < self.config.silence_db:
            raise Rejected("silent", f"{level:.0f} dB of full scale", FILTERED)
        if recording.clipped > self.config.max_clipped:
            raise Rejected("clipped", f"{recording.clipped:.1%} of its samples are at full scale", FILTERED)
        clips = fit_clips(wave, self.settled["samples"], self.config.windows)
        for number, clip in enumerate(clips, 1):
            part = f"clip {number}" if len(clips) > 1 else ""
            if part and loudness(clip / np.float32(32768)) < self.config.silence_db:
                yield Rejected("silent", part, FILTERED)
            else:
                yield Clean(clip.astype("<i2").tobytes(), length, NONE, repairs, part)


def loudness(wave: NDArray[np.float32]) -> float:
    """Level (root mean square) in decibels of full scale; -120 for silence."""
    power = float(np.mean(np.square(wave, dtype=np.float64)))
    return float(10 * np.log10(max(power, 1e-12)))


def _source(raw: Raw) -> Path | bytes:
    if isinstance(raw.value, Rejected):
        raise raw.value
    if not isinstance(raw.value, (Path, bytes)):
        raise Rejected("not a sound file", "the row holds no file", BROKEN)
    return raw.value
