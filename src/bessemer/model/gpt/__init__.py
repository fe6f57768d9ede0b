"""A Transformer decoder with rotary positions, for running text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, model_validator

from bessemer.model.config import ModelConfig
from bessemer.model.models import Model

if TYPE_CHECKING:
    from bessemer.model.gpt.network import GPT


class GPTConfig(ModelConfig):
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

    def check(self, recipe: Any) -> None:
        candidates = recipe.compress and recipe.compress.train
        for group, train in (("train", recipe.train), ("compress.train", candidates)):
            parts = train.sequence_warmup.parts if train and train.sequence_warmup else 1
            if self.context % parts:
                remedy = f"make it a multiple of {parts}, or lower {group}.sequence_warmup.doublings"
                raise ValueError(f"model.context cannot be cut into {parts} equal windows; {remedy}")


def gpt(vocabulary: int, **settings: Any) -> GPT:
    """Build a decoder for token ids below `vocabulary`."""
    from bessemer.model.gpt.network import GPT

    settings.pop("name", None)
    return GPT(vocabulary, **settings)


MODEL = Model(settings=GPTConfig, build=gpt, kinds=("text",), heads=("tokens",))
