"""Settings of the training methods that have more than one."""

from __future__ import annotations

from fractions import Fraction

from pydantic import Field, model_validator

from bessemer.config import Config


class ResizingConfig(Config):
    """Images shrink early in training and grow to full size (train/methods/resizing.py)."""

    start: float = Field(0.5, gt=0, lt=1, description="share of the sides of an image at first")
    until: float = Field(0.8, gt=0, lt=1, description="share of the steps after which images have full size")
    sizes: int = Field(4, ge=1, le=16, description="sizes below full size, each for as many steps")


class SequenceWarmupConfig(Config):
    """Windows of running text are cut into shorter ones early in training (train/methods/sequence_warmup.py)."""

    doublings: int = Field(2, ge=1, le=8, description="windows start at 1 / 2^doublings of their length")
    until: float = Field(0.3, gt=0, lt=1, description="share of the steps after which windows have full length")

    @property
    def parts(self) -> int:
        """Into how many windows one is cut at first."""
        return int(2**self.doublings)


class BatchWarmupConfig(Config):
    """Batches grow by doubling early in training (data/order.py)."""

    doublings: int = Field(2, ge=1, le=8, description="batches start at batch_size / 2^doublings")
    until: float = Field(0.3, gt=0, lt=1, description="share of the samples after which batches have full size")


class SelectiveConfig(Config):
    """Only the samples with the largest losses are learned from (train/methods/selective.py)."""

    keep: float = Field(0.5, gt=0, lt=1, description="share of the samples; a fraction of at most eighths")
    start: float = Field(0.5, ge=0, lt=1, description="share of the steps after which it begins")
    end: float = Field(0.9, gt=0, le=1, description="share of the steps after which all samples count again")

    @property
    def fraction(self) -> Fraction:
        """`keep` as p / q: of q ghost groups p are kept."""
        return Fraction(self.keep).limit_denominator(8)

    @model_validator(mode="after")
    def _is_possible(self) -> SelectiveConfig:
        if abs(float(self.fraction) - self.keep) > 1e-3 or not 0 < self.fraction < 1:
            raise ValueError(f"keep {self.keep} is not a fraction of halves to eighths; take 0.5, 0.25 or 0.75")
        if self.start >= self.end:
            raise ValueError(f"start ({self.start}) must come before end ({self.end})")
        return self


class LoraConfig(Config):
    """Small factors beside frozen linear layers are what is trained (train/methods/lora.py)."""

    rank: int = Field(8, ge=1, le=1024, description="of the change of each weight")
    alpha: float = Field(16.0, gt=0, description="changes are scaled by alpha / rank")
    layers: list[str] = Field([], description="linear layers by the end of their names; empty takes all")
    full: list[str] = Field([], description="beginnings of names that are trained whole, such as a new head")


class EarlyStoppingConfig(Config):
    """Training ends where validation no longer gains (train/early_stopping.py)."""

    patience: int = Field(3, ge=1, description="validations without a gain; a run has about ten")
    gain: float = Field(0.0, ge=0, description="a validation must be better than the best one by more than this")
