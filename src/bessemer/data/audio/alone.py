"""A sound file to what the exported model takes, without bessemer: the model card shows this source.

It says again in few lines what `bessemer.data.audio.cleaner` does, and a test holds one against the other.
"""

from typing import Any

import numpy as np
import soundfile

MODEL = "model.onnx"
CANCELLED = 0.1  # of a channel's power
TOGETHER = True  # outputs of one file are parts of one answer


def read(path: str, about: dict[str, Any], folder: str) -> dict[str, Any]:
    with soundfile.SoundFile(path) as sound:
        channels, rate, floats = sound.read(dtype="float32", always_2d=True), sound.samplerate, sound.subtype
    wave, power = channels.mean(1, dtype=np.float32), channels.var(0, dtype=np.float64)
    if wave.var(dtype=np.float64) < CANCELLED * power.max():  # channels take each other away
        wave = channels[:, int(power.argmax())]
    if floats in ("FLOAT", "DOUBLE"):
        wave = wave / np.float32(about.get("float_full_scale", 1.0))
    if abs(wave.mean(dtype=np.float64)) > 0.01:  # a constant offset
        wave = wave - np.float32(wave.mean(dtype=np.float64))
    if rate != about["rate"]:
        from math import gcd

        from scipy.signal import resample_poly

        common = gcd(rate, about["rate"])
        wave = resample_poly(wave, about["rate"] // common, rate // common).astype(np.float32)
    wave = wave * np.float32(10 ** (about.get("gain_db", 0.0) / 20))
    pcm = np.clip(np.round(wave * np.float32(32768)), -32768, 32767).astype(np.int16)
    size, starts = about["samples"], [max(0, (len(pcm) - about["samples"]) // 2)]  # the middle
    if about["windows"] and len(pcm) > size:
        hop = max(1, size // 2)
        starts = list(range(0, len(pcm) - size + hop, hop))
    clips = []
    for start in starts:
        clip = pcm[start : start + size]
        before = (size - len(clip)) // 2
        clips.append(np.pad(clip, (before, size - len(clip) - before)))
    loud = [10 * np.log10(max(1e-12, float(np.mean((clip / 32768) ** 2)))) for clip in clips]
    heard = [clip for clip, level in zip(clips, loud, strict=True) if level >= about["silence_db"]]
    return {about["input"]["name"]: np.stack(heard or clips)}
