"""Settings of export."""

from __future__ import annotations

from pydantic import Field

from bessemer.config import Config


class ExportConfig(Config):
    """How the shipped file is checked and timed."""

    min_agreement: float = Field(
        0.995,
        ge=0,
        le=1,
        description="share of test samples that an int8 file must decide (numbers: be close) as its simulation",
    )
    benchmark_seconds: float = Field(4.0, gt=0, description="time spent on timing the shipped file")
