"""Raw text files to what an exported model takes, by the functions that prepared its training data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bessemer.data.record import Rejected
from bessemer.data.text.boilerplate import drop_lines
from bessemer.data.text.decode import decode
from bessemer.data.text.repair import clean_text

TOKENIZER = "tokenizer.json"
Source = Path | bytes | str


def text_reader(about: Mapping[str, Any], folder: Path) -> Callable[[Source], NDArray[np.int32]]:
    """Files, bytes or texts to token ids int32 (n, T), padded with 0: a row for each piece of the text."""
    from bessemer.data.text.cleaner import pieces
    from bessemer.data.text.tokenize import load_tokenizer

    tokenizer, longest = load_tokenizer(folder / TOKENIZER), int(about["max_tokens"])
    size, text_of = about["piece_characters"], clean_reader(about)

    def read(source: Source) -> NDArray[np.int32]:
        text = text_of(source)
        found = tokenizer.encode_batch(pieces(text, size) if size else [text], longest)
        tokens = np.zeros((len(found), max([1, *map(len, found)])), np.int32)
        for row, one in zip(tokens, found, strict=True):
            row[: len(one)] = one
        return tokens

    return read


def clean_reader(about: Mapping[str, Any]) -> Callable[[Source], str]:
    """A function from a text file, its bytes or a text to the text, cleaned as `about` says."""
    html, spaces = str(about.get("tags", about["html"])), str(about.get("white_space", "normalize"))
    repeated = frozenset(about.get("boilerplate", ()))

    def read(source: Source) -> str:
        text, _ = clean_text(_raw_text(source), html, spaces)
        shorter = drop_lines(text, repeated)
        return text if shorter == text else clean_text(shorter, "keep", spaces)[0]

    return read


def _raw_text(source: Source) -> str:
    """A text as it came; raises Rejected where there is none."""
    if isinstance(source, str):
        if not source.strip():
            raise Rejected("empty text")
        return source
    return decode(source.read_bytes() if isinstance(source, Path) else source)[0]
