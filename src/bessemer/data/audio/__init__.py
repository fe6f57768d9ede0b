"""Sound: clips of one length and rate, which networks hear as spectrograms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bessemer.data.audio.presets import PRESETS
from bessemer.data.kind import Augment, Kept, Kind, Line, Reader, Settled, Simple

if TYPE_CHECKING:
    from bessemer.data.config import AugmentConfig, DataConfig
    from bessemer.data.record import Cleaner
    from bessemer.data.starter import Plan

SUFFIXES = "wav wave flac ogg oga opus mp3 m4a aac aif aiff aifc au snd wma w64 caf amr"
MAGIC = (b"fLaC", b"OggS", b"ID3", b"FORM", b".snd")
FEW_RECORDINGS = 200  # are cut into clips


class Sound(Kind):
    """Inputs are int16 (N, T), one channel."""

    noun = "recordings"
    unit = "seconds"
    tag = "audio"
    example = "word.wav"
    sources = ("audio_folder",)
    suffixes = frozenset(f".{suffix}" for suffix in SUFFIXES.split())
    readable = suffixes - {".wave", ".m4a", ".aac", ".snd", ".wma", ".amr"}
    in_cells = False
    reads_cells = True
    alone = "bessemer.data.audio.alone"
    decisive = True  # texts describe recordings, but recordings seldom decorate texts
    presets = PRESETS
    simple = Simple("logistic regression on cepstra", (0.001, 0.01, 0.1, 1.0), 20_000, 20_000)
    drawn = True

    def sniff(self, head: bytes) -> bool:
        """By the marks of the formats."""
        return head[8:12] == b"WAVE" if head[:4] == b"RIFF" else head.startswith(MAGIC)

    def cleaner(self, config: DataConfig) -> Cleaner:
        from bessemer.data.audio.cleaner import AudioCleaner

        return AudioCleaner(config)

    def finish(self, config: DataConfig, settled: Settled, kept: Kept, out: Path) -> dict[str, Any]:
        from bessemer.data.audio.prepare import finish_audio

        return finish_audio(config, settled, kept, out)

    def simple_network(
        self, shape: Sequence[int], arguments: Mapping[str, Any], outputs: int, classes: bool
    ) -> Line:
        from bessemer.data.audio.features import SoundFeatures
        from bessemer.data.simple import Linear

        features = SoundFeatures(arguments["rate"])
        return Linear(features, [1] * features.width, outputs)

    def augmenter(self, config: AugmentConfig, about: Mapping[str, Any]) -> Augment:
        from bessemer.data.audio.augment import augment_audio

        rate = about["arguments"]["rate"]
        return lambda clips, ids, epochs, seed: augment_audio(clips, config, ids, epochs, seed, rate)

    def reader(self, about: Mapping[str, Any], folder: Path) -> Reader:
        from bessemer.data.audio.read import audio_reader

        return audio_reader(about)

    def steps(self, about: Mapping[str, Any]) -> list[str]:
        from bessemer.data.audio.cleaner import OFFSET

        cut = "clips that overlap by half, silent ones left out" if about["windows"] else "its middle"
        return [
            "decoded to -1 to 1, channels averaged",
            f"its mean removed where that is beyond {OFFSET:g}",
            f"resampled to {about['rate']} Hz (polyphase, Kaiser window)",
            f"{about['samples']} samples: of longer ones {cut}, shorter ones in the middle of zeros",
            "rounded to int16",
            "inside the model: log-mel spectrogram, mean and deviation of each band taken away",
        ]

    def tensor(self, about: Mapping[str, Any]) -> str:
        return (
            f"`inputs` is int16 (batch, samples): one channel at {about['rate']:,} samples a second, clips of "
            f"{about['seconds']:g} s. The spectrogram is computed inside the model."
        )

    def told(self, about: Mapping[str, Any]) -> str:
        return f"sound at {about['rate']:,} samples a second"

    def picture(self, value: Any, about: Mapping[str, Any]) -> NDArray[np.uint8]:
        """A clip's spectrogram."""
        from bessemer.data.audio.spectrogram import draw_spectrogram

        return draw_spectrogram(value, about["arguments"]["rate"])

    def show_payload(self, payload: bytes, settled: Settled) -> str:
        return self.show(np.frombuffer(payload, "<i2"), {"arguments": settled})

    def notes(self, settled: Settled) -> list[str]:
        from bessemer.data.audio.survey import decided

        return decided(settled)

    def suited(self, config: DataConfig, rows: int) -> DataConfig:
        if rows >= FEW_RECORDINGS:
            return config
        return config.model_copy(update={"audio": config.audio.model_copy(update={"windows": True})})

    def found(self, plan: Plan) -> str:
        return f"clips of {plan.settled['samples'] / plan.settled['rate']:.1f} s"

    def starter(self, plan: Plan, out: Path) -> str:
        from bessemer.data.audio.starter import audio_recipe

        return audio_recipe(plan, out)


AUDIO = Sound()
