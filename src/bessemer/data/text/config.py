"""Settings of text: how it is cleaned, becomes tokens, and is changed at random."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator

from bessemer.config import Config


class TokenizerConfig(Config):
    """How text becomes numbers."""

    kind: Literal["bpe", "wordpiece"] = Field("bpe", description="byte-level BPE, or WordPiece")
    vocabulary: int | None = Field(
        8000,
        ge=300,
        le=65_000,
        description="size of a vocabulary that is trained here; null, for language, goes by the size of the text",
    )
    lowercase: bool = False
    path: str | None = Field(None, description="a tokenizer.json to use in place of a trained one")


class TextConfig(Config):
    """Cleaning of text; bessemer.data.text.quality names the sources of its thresholds."""

    html: Literal["auto", "keep"] = Field(
        "auto", description="auto takes the text out of HTML; keep leaves markup"
    )
    white_space: Literal["normalize", "keep"] = Field(
        "normalize", description="keep leaves every space and line end as it is, as task: language does"
    )
    min_characters: int = Field(1, ge=1, description="shorter documents are set aside; 20 for task: language")
    piece_characters: int = Field(1000, ge=100, description="about so many characters make a piece")
    max_characters: int = Field(1_000_000, ge=1, description="longer documents are set aside")
    quality: Literal["list", "drop", "off"] = Field(
        "list",
        description="of what repeats itself or is mostly symbols: list counts it, drop sets it aside (the "
        "default of task: language)",
    )
    boilerplate: float = Field(
        0.2,
        ge=0,
        le=1,
        description="drop lines that stand in at least this share of documents and say nothing of "
        "the class; 0 is off",
    )
    languages: list[str] | None = Field(
        None, description="ISO 639-1 codes to keep, for example [en, de]; null keeps all"
    )
    max_tokens: int = Field(2048, ge=8, le=8192, description="longer documents are cut here")
    tokenizer: TokenizerConfig = TokenizerConfig()

    @field_validator("quality", mode="before")
    @classmethod
    def _once_a_switch(cls, value: Any) -> Any:
        """Recipes of earlier versions say true or false."""
        return {True: "drop", False: "off"}[value] if isinstance(value, bool) else value


class TextAugment(Config):
    """Random changes of tokens."""

    token_mask: float = Field(0.0, ge=0, lt=1, description="share of tokens replaced by [MASK]")
    token_delete: float = Field(0.0, ge=0, lt=1, description="share of tokens left out")
    token_swap: float = Field(0.0, ge=0, lt=1, description="share of tokens exchanged with their neighbor")
    span_corrupt: float = Field(
        0.0, ge=0, lt=1, description="share of tokens in spans, each span replaced by one [MASK]"
    )
