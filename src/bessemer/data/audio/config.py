"""Settings of sound: how it is cleaned, and how it is changed at random."""

from __future__ import annotations

from pydantic import Field

from bessemer.config import Config


class AudioConfig(Config):
    """Cleaning of sound."""

    rate: int | None = Field(
        None, ge=4000, le=48_000, description="samples a second, others are resampled; null takes the commonest"
    )
    seconds: float | None = Field(
        None, ge=0.1, le=60, description="length of a clip; null takes what nine of ten files need"
    )
    windows: bool = Field(False, description="cut longer recordings into clips, all with the same label")
    silence_db: float | None = Field(
        None,
        lt=0,
        description="quieter recordings are set aside; decibels of full scale; null is -60, less where a class is "
        "quiet",
    )
    mels: int = Field(64, ge=8, le=256, description="bands of the log-mel spectrogram that the model computes")
    max_clipped: float = Field(
        0.01, ge=0, le=1, description="share of samples at full scale that is still accepted"
    )


class AudioAugment(Config):
    """Random changes of clips."""

    time_shift: float = Field(0.0, ge=0, le=1, description="shift by up to this share of the clip each way")
    gain_db: float = Field(0.0, ge=0, le=40, description="louder or quieter by up to this many decibels")
    noise_db: float | None = Field(
        None, ge=0, le=100, description="least signal-to-noise ratio of added noise, in decibels; null adds none"
    )
    time_mask: float = Field(0.0, ge=0, lt=1, description="silence a stretch of up to this share of the clip")
    frequency_mask: float = Field(
        0.0, ge=0, lt=1, description="filter out a band of up to this share of the spectrum"
    )
