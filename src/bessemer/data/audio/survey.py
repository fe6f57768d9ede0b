"""What is decided from a look at all recordings: rate, length of a clip, full scale, and what counts as silent."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor
from typing import Any, NamedTuple

import numpy as np

from bessemer.data.audio.config import AudioConfig

CLIP_SECONDS = (0.1, 10.0)  # bounds of a clip's length that is chosen here
WINDOW_SECONDS = 1.0  # least length chosen for windows, where recordings have it
COVERED = 0.9  # share of recordings that a clip shall hold whole, or that shall fill a window
RATES = (4000, 48_000)  # bounds of a rate that is chosen here
SILENCE_DB = -60.0  # level of a recording that holds nothing, in decibels of full scale
BELOW_USUAL_DB = 15.0  # quieter than its class usually is, a recording of a quiet class holds nothing
NOTHING_DB = -90.0  # the rounding of 16 bits
QUIET_DB, LOUD_DB = -50.0, -26.0  # a set whose loudest class is below the first is brought to the second
OUTLIERS = 0.02  # share of recordings whose peaks do not decide on full scale
WHOLE_NUMBERS = (2.0**15, 2.0**23, 2.0**31)  # full scale of integers that were written as floating point
OVERS = 16.0  # peaks up to this are a mix that goes beyond full scale, larger ones are whole numbers
CUT_SHARE = 0.2  # of recordings of which a clip holds a part only: from here on that is told


class Look(NamedTuple):
    """What is seen of one recording: seconds, samples a second, level in decibels, peak of a float file."""

    seconds: float
    rate: int
    label: str | None = None
    level: float = SILENCE_DB / 2
    peak: float = 0.0


@dataclass(frozen=True)
class Scale:
    """How values become sound from -1 to 1: full scale of floating-point files, and a factor for all."""

    floats: float = 1.0
    gain: float = 1.0

    @classmethod
    def of(cls, settled: Mapping[str, Any]) -> Scale:
        """The scale that was settled, from the cleaner or from `preprocess.json`."""
        return cls(float(settled.get("float_full_scale", 1.0)), 10 ** (settled.get("gain_db", 0.0) / 20))


def settle(looks: Iterable[Look], config: AudioConfig) -> dict[str, Any]:
    """Rate and length of a clip, as set or as the recordings are; where it matters, scale and bound of silence."""
    seconds: Counter[int] = Counter()
    rates: Counter[int] = Counter()
    levels: dict[str | None, list[float]] = defaultdict(list)
    peaks: list[tuple[str | None, float, float]] = []
    for look in looks:
        seconds[ceil(round(100 * look.seconds, 6))] += 1
        rates[look.rate] += 1
        if look.peak:
            peaks.append((look.label, look.level, look.peak))
        else:
            levels[look.label].append(look.level)
    rate = config.rate or usual_rate(rates)
    length = config.seconds or choose_seconds(seconds, config.windows)
    settled: dict[str, Any] = {"rate": rate, "samples": round(length * rate)}
    floats = float_full_scale([peak for _, _, peak in peaks])
    for label, level, _ in peaks:
        levels[label].append(level - 20 * math.log10(floats))
    usual = [
        float(np.median([one for one in some if one > NOTHING_DB] or [SILENCE_DB / 2])) for some in levels.values()
    ]
    gain = LOUD_DB - max(usual) if usual and max(usual) < QUIET_DB else 0.0
    silence = min([SILENCE_DB, *(level + gain - BELOW_USUAL_DB for level in usual)])
    cut = sum(count for hundredths, count in seconds.items() if hundredths > 100 * length + 1)
    found = {
        "float_full_scale": floats if floats != 1 else None,
        "gain_db": round(gain, 1) or None,
        "silence_db": round(silence, 1) if config.silence_db is None and silence < SILENCE_DB else None,
        "rates": {str(one): count for one, count in rates.most_common()} if len(rates) > 1 else None,
        "cut": cut if not config.windows and cut >= CUT_SHARE * seconds.total() and cut else None,
    }
    return settled | {name: value for name, value in found.items() if value is not None}


def usual_rate(rates: Counter[int]) -> int:
    """The rate of most recordings, of equally frequent ones the higher; 16,000 where there are none."""
    if not rates:
        return 16_000
    rate, _ = max(rates.items(), key=lambda item: (item[1], item[0]))
    return min(max(rate, RATES[0]), RATES[1])


def float_full_scale(peaks: Sequence[float]) -> float:
    """Full scale of floating-point files: 1, or what their values reach."""
    if not peaks:
        return 1.0
    high = sorted(peaks, reverse=True)[ceil(OUTLIERS * len(peaks)) - 1]
    if high <= 1:
        return 1.0
    return high if high <= OVERS else next((top for top in WHOLE_NUMBERS if high <= top), high)


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


def decided(settled: Mapping[str, Any]) -> list[str]:
    """What was decided, in words, where it is not what everyone expects."""
    said = []
    if rates := settled.get("rates"):
        told = ", ".join(f"{count:,} at {int(rate):,}" for rate, count in rates.items())
        said.append(f"Recordings differ in samples a second ({told}): all are brought to {settled['rate']:,}.")
    if "float_full_scale" in settled:
        said.append(f"Values of floating-point files reach {settled['float_full_scale']:g}: taken as full scale.")
    if "gain_db" in settled:
        said.append(f"All recordings are quiet: they are made louder by {settled['gain_db']:g} dB, all alike.")
    if "silence_db" in settled:
        said.append(f"Some classes are quiet: only what is below {settled['silence_db']:g} dB counts as silent.")
    if cut := settled.get("cut"):
        length = settled["samples"] / settled["rate"]
        said.append(
            f"Of {cut:,} recordings longer than {length:g} s the middle is used; audio.windows: true cuts them up."
        )
    return said
