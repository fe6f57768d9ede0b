"""Sound on disk: shards of clips, and what the model must know of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bessemer.data.audio.cleaner import silence_of
from bessemer.data.audio.spectrogram import spectrogram_statistics
from bessemer.data.config import DataConfig
from bessemer.data.kind import Kept, Settled
from bessemer.data.rows import one_pass, write_fixed

BLOCK = 1024


def finish_audio(config: DataConfig, settled: Settled, kept: Kept, out: Path) -> dict[str, Any]:
    """Clips (T,) int16 in shards; mean and standard deviation of each mel band over the training split."""
    rate, samples, mels = settled["rate"], settled["samples"], config.audio.mels
    blocks = (clip.view("<i2").reshape(1, samples) for clip in kept.payloads())
    inputs = write_fixed(out, "inputs", blocks, (samples,), "<i2", config.shard_mib)
    clips, train = one_pass(out, inputs), kept.train
    some = (clips[train[start : start + BLOCK]] for start in range(0, len(train), BLOCK))
    mean, std = spectrogram_statistics(some, rate, mels)
    return {
        "inputs": inputs,
        "rate": rate,
        "seconds": samples / rate,
        "arguments": {"rate": rate, "mels": mels, "mean": mean, "std": std},
        "preprocess": {
            "rate": rate,
            "samples": samples,
            "windows": config.audio.windows,
            "silence_db": silence_of(settled, config.audio),
            **{name: settled[name] for name in ("float_full_scale", "gain_db") if name in settled},
        },
    }
