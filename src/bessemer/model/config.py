"""Settings of the parent model: one class for each builder, told apart by `name`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from bessemer.config import Config


class ResidualConfig(Config):
    """A residual network: `widths` channels and `blocks` blocks a stage."""

    name: str
    stem: Literal["small", "large"] = Field(
        "small", description="small: 3x3; large: 7x7 with stride 2 and pooling, for images of 100 pixels or more"
    )
    stem_width: int = Field(32, ge=1, le=4096)
    widths: list[int] = Field([64, 128, 256], min_length=1, max_length=8)
    blocks: list[int] = Field([1, 1, 1], min_length=1, max_length=8)
    strides: list[int] = Field([2, 2, 2], min_length=1, max_length=8)
    dropout: float = Field(0.0, ge=0, lt=1, description="of the features in front of the last layer")

    @model_validator(mode="after")
    def _stages_agree(self) -> ResidualConfig:
        if not len(self.widths) == len(self.blocks) == len(self.strides):
            raise ValueError("model.widths, model.blocks and model.strides must have one entry per stage")
        if min(self.widths + self.blocks + self.strides) < 1 or max(self.strides) > 4:
            raise ValueError("model.widths and model.blocks must be at least 1, model.strides 1 to 4")
        return self


class ResNetConfig(ResidualConfig):
    """A residual network for images."""

    name: Literal["resnet"] = "resnet"


class SoundConfig(ResidualConfig):
    """A residual network on log-mel spectrograms, for sound."""

    name: Literal["sound"] = "sound"


class EncoderConfig(Config):
    """A Transformer encoder beside a bag of tokens and pairs, for text."""

    name: Literal["encoder"] = "encoder"
    width: int = Field(128, ge=8, le=4096, description="features of a token")
    layers: int = Field(2, ge=1, le=48)
    heads: int = Field(4, ge=1, le=64, description="of attention; they share the width evenly")
    feedforward: int = Field(256, ge=1, le=16_384, description="neurons between the two layers after attention")
    dropout: float = Field(0.1, ge=0, lt=1)
    context: int = Field(
        256, ge=1, le=4096, description="first tokens that the encoder reads in order; the bag counts all"
    )
    pairs: int = Field(
        32_768, ge=0, le=2**18, description="entries for hashed pairs of neighboring tokens; 0 counts no pairs"
    )

    @model_validator(mode="after")
    def _heads_share(self) -> EncoderConfig:
        if self.width % self.heads:
            raise ValueError(f"model.width ({self.width}) must be a multiple of model.heads ({self.heads})")
        return self


class GPTConfig(Config):
    """A Transformer decoder with rotary positions, for language modelling."""

    name: Literal["gpt"] = "gpt"
    width: int = Field(256, ge=8, le=8192, description="features of a token")
    layers: int = Field(4, ge=1, le=96)
    heads: int = Field(4, ge=1, le=128, description="of attention; they share the width evenly")
    feedforward: int = Field(1024, ge=1, le=32_768, description="neurons between the two layers after attention")
    dropout: float = Field(0.0, ge=0, lt=1)
    context: int = Field(256, ge=8, le=32_768, description="tokens that are read at once: the length of a window")
    convolution: int = Field(
        0, ge=0, le=16, description="positions of a short convolution over queries, keys and values; 0 has none"
    )

    @model_validator(mode="after")
    def _heads_share(self) -> GPTConfig:
        if self.width % (2 * self.heads):  # rotary positions turn pairs of features
            raise ValueError(f"model.width ({self.width}) must be an even multiple of model.heads ({self.heads})")
        if self.convolution == 1:
            raise ValueError("model.convolution of 1 position does nothing; give 0, or 2 to 16")
        return self


ModelConfig = Annotated[ResNetConfig | EncoderConfig | SoundConfig | GPTConfig, Field(discriminator="name")]
