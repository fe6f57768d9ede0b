"""A Transformer encoder beside a bag of tokens and pairs, for text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, model_validator

from bessemer.model.config import ModelConfig
from bessemer.model.models import Model

if TYPE_CHECKING:
    from bessemer.model.encoder.network import Encoder


class EncoderConfig(ModelConfig):
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


def encoder(classes: int, vocabulary: int, pad: int, max_tokens: int, **settings: Any) -> Encoder:
    """Build an encoder for `classes` classes and token ids below `vocabulary`, of which `pad` is padding."""
    from bessemer.model.encoder.network import Encoder

    settings.pop("name", None)
    return Encoder(classes, vocabulary, pad, max_tokens, **settings)


MODEL = Model(settings=EncoderConfig, build=encoder, kinds=("text",), heads=("classes",))
