"""One recording to clips of one length and rate, safely: the same way for training data and for `predict`.

libsndfile decodes; nothing is decoded further than LONGEST seconds, whatever a header promises. A clip is int16
(samples,): the middle of a longer recording, or a shorter one with equal silence on both sides.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import gcd
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bessemer.data.audio.config import AudioConfig
from bessemer.data.audio.header import MENDED, with_true_length
from bessemer.data.audio.survey import SILENCE_DB, Look, Scale, settle
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
CANCELLED = 0.1  # of a channel's power: channels whose mean has less take each other away
NONE = np.empty(0, np.uint64)
FLOATS = ("FLOAT", "DOUBLE")  # files whose full scale may be any number
AS_IT_IS = Scale()


@dataclass(frozen=True)
class Recording:
    """Decoded sound: float32 (T,) in -1 to 1, one channel, at the rate it came with."""

    wave: NDArray[np.float32]
    rate: int
    clipped: float  # share of samples, of any channel, at full scale or beyond
    repairs: tuple[str, ...]
    peak: float  # largest value of any channel


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


def look_at(source: Path | bytes, label: str | None) -> Look:
    """A look at a recording, by its header and a second of it; raises Rejected where it cannot be opened.

    Only files of floating point, which say nothing of their full scale, and those without a length are decoded.
    """
    import soundfile

    source = with_true_length(source) or source
    with open_sound(source) as sound:
        rate, frames, floats = int(sound.samplerate), int(sound.frames), sound.subtype in FLOATS
        if _known(sound) and not floats:
            try:
                sound.seek(max(0, frames // 2 - rate // 2))
                part = sound.read(rate, dtype="float32", always_2d=True)
            except soundfile.LibsndfileError as error:
                raise Rejected("truncated or corrupt", str(error)) from error
            heard = (
                max((loudness(channel - channel.mean()) for channel in part.T), default=-120.0)
                if len(part)
                else -120.0
            )
            return Look(frames / rate, rate, label, heard)
    recording = decode(source)
    wave = recording.wave - recording.wave.mean() if len(recording.wave) else np.zeros(1, np.float32)
    return Look(len(recording.wave) / rate, rate, label, loudness(wave), recording.peak if floats else 0.0)


def decode(source: Path | bytes, floats: float = 1.0) -> Recording:
    """Decode a file, or its bytes, to one channel; raises Rejected with the reason.

    Channels are averaged. Where they take each other away (one of them wired the wrong way round), the loudest is
    used. `floats` is full scale of files of floating point.
    """
    mended = with_true_length(source)
    with open_sound(mended or source) as sound:
        means, full, peak = [], 0, 0.0
        sums, squares = np.zeros(sound.channels), np.zeros(sound.channels)
        limit, top = int(LONGEST * sound.samplerate), TOPS.get(sound.subtype, TOP)
        scale = floats if sound.subtype in FLOATS else 1.0
        for block in _decoded(sound, limit + 1):
            means.append(block.mean(1, dtype=np.float32))
            full += int((np.abs(block) >= top * scale).sum())
            peak = max(peak, float(np.abs(block).max(initial=0)))
            sums += block.sum(0, dtype=np.float64)
            squares += np.square(block, dtype=np.float64).sum(0)
        wave = np.concatenate(means) if means else np.empty(0, np.float32)
        if len(wave) > limit:
            raise _too_long("its header does not tell its length")
        if _known(sound) and len(wave) < sound.frames:
            raise Rejected("truncated or corrupt", f"{len(wave)} of {sound.frames} samples are there")
        if not np.isfinite(wave).all():
            raise Rejected("non-finite samples")
        repairs = [MENDED] if mended else []
        power = squares / max(1, len(wave)) - np.square(sums / max(1, len(wave)))
        if sound.channels > 1 and len(wave) and wave.var(dtype=np.float64) < CANCELLED * power.max():
            wave = _channel(sound, int(power.argmax()), limit)
            repairs.append("loudest channel used: channels cancel each other")
        elif sound.channels > 1:
            repairs.append("mixed down to mono")
        if scale != 1:
            wave, peak = wave / np.float32(scale), peak / scale
            repairs.append("brought to full scale")
        return Recording(wave, sound.samplerate, full / max(1, len(wave) * sound.channels), tuple(repairs), peak)


def _channel(sound: Any, number: int, limit: int) -> NDArray[np.float32]:
    """One channel of a file that was decoded before."""
    sound.seek(0)
    return np.concatenate([block[:, number] for block in _decoded(sound, limit)])


def _decoded(sound: Any, limit: int) -> Iterator[NDArray[np.float32]]:
    """Blocks of a file; raises Rejected where they are damaged."""
    import soundfile

    try:
        yield from _blocks(sound, limit)
    except soundfile.LibsndfileError as error:
        raise Rejected("truncated or corrupt", str(error)) from error


def _blocks(sound: Any, limit: int) -> Iterator[NDArray[np.float32]]:
    """Blocks (t, channels) of at most `limit` samples in all."""
    size, left = max(1, BLOCK // sound.channels), limit
    while left > 0:
        block = sound.read(min(size, left), dtype="float32", always_2d=True)
        if len(block) == 0:
            return
        left -= len(block)
        yield block


def read_audio(
    source: Path | bytes, rate: int, scale: Scale = AS_IT_IS
) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """Sound float32 (T,) of one channel at `rate`, and what was mended; raises Rejected with the reason.

    Resampled by a polyphase filter with a Kaiser window (scipy.signal.resample_poly).
    """
    return condition(decode(source, scale.floats), rate, scale.gain)


def condition(recording: Recording, rate: int, gain: float = 1.0) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """A recording without a constant offset, at `rate`, times `gain`, and what was mended; refuses short ones."""
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
    if gain != 1:
        wave, repairs = wave * np.float32(gain), (*repairs, "made louder, as all are")
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


def read_clips(
    source: Path | bytes, rate: int, samples: int, windows: bool, scale: Scale = AS_IT_IS
) -> NDArray[np.int16]:
    """Clips int16 (N, samples) of a file or its bytes, as training gets them; raises Rejected with the reason."""
    return fit_clips(read_audio(source, rate, scale)[0], samples, windows)


class AudioCleaner:
    """Recordings to clips; sets aside what is broken, silent, clipped or too short."""

    needs_survey = True  # rates, levels and the scale of floating point are those of the set

    def __init__(self, config: DataConfig) -> None:
        self.config: AudioConfig = config.audio
        self.settled: dict[str, Any] = {}
        if self.config.seconds is not None and self.config.rate is not None:
            self.settled = settle([], self.config)

    def survey(self, raw: Raw) -> Look:
        """Length, rate and level of a recording, most of it from its header."""
        return look_at(_source(raw), raw.label)

    def settle(self, looks: Iterable[Look]) -> None:
        """Choose rate, length and scale of clips from all recordings."""
        self.settled = settle(looks, self.config)

    def clean(self, raw: Raw) -> Iterator[Clean | Rejected]:
        """The clips of a recording; a silent window of one that is not silent is given as Rejected."""
        scale, silence = Scale.of(self.settled), silence_of(self.settled, self.config)
        recording = decode(_source(raw), scale.floats)
        length = len(recording.wave) / recording.rate
        wave, repairs = condition(recording, self.settled["rate"], scale.gain)
        level = loudness(wave)
        if level < silence:
            raise Rejected("silent", f"{level:.0f} dB of full scale", FILTERED)
        if recording.clipped > self.config.max_clipped:
            raise Rejected("clipped", f"{recording.clipped:.1%} of its samples are at full scale", FILTERED)
        clips = fit_clips(wave, self.settled["samples"], self.config.windows)
        for number, clip in enumerate(clips, 1):
            part = f"clip {number}" if len(clips) > 1 else ""
            if part and loudness(clip / np.float32(32768)) < silence:
                yield Rejected("silent", part, FILTERED)
            else:
                yield Clean(clip.astype("<i2").tobytes(), length, NONE, repairs, part)


def silence_of(settled: Mapping[str, Any], config: AudioConfig) -> float:
    """The level below which a clip is silent, in decibels of full scale: as set, or as settled."""
    return config.silence_db if config.silence_db is not None else float(settled.get("silence_db", SILENCE_DB))


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
