"""Text on disk: texts and their tokens in shards, the tokenizer, and what the model must know of them."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bessemer.data.config import DataConfig
from bessemer.data.histogram import histogram
from bessemer.data.kind import Kept, Settled
from bessemer.data.rows import write_ragged
from bessemer.data.text.read import TOKENIZER
from bessemer.data.text.tokenize import load_tokenizer, train_tokenizer

BLOCK = 1024
TEXTS_PER_SHARD = 16_384
TOKENIZER_BYTES = 32 << 20  # of training text that a tokenizer is trained on


def finish_text(config: DataConfig, settled: Settled, kept: Kept, out: Path) -> dict[str, Any]:
    """Texts and their tokens in shards; the tokenizer is trained on the training split, or read from a file."""
    settings = config.text.tokenizer
    if settings.path is not None:
        tokenizer = load_tokenizer(Path(settings.path))
    else:
        tokenizer = train_tokenizer(training_texts(kept), settings)
    (out / TOKENIZER).write_text(tokenizer.to_json(), encoding="utf-8")
    texts = write_ragged(out, "texts", kept.payloads(), "|u1", TEXTS_PER_SHARD)
    counted = array("i")  # four bytes a text, where a list of numbers takes forty

    def tokens() -> Iterator[NDArray[np.int32]]:
        for block in blocks_of_texts(kept.payloads()):
            for found in tokenizer.encode_batch(block):
                counted.append(len(found))
                yield found[: config.text.max_tokens]

    numbers = "<u2" if tokenizer.vocabulary <= 1 << 16 else "<i4"  # one from a file may be larger
    inputs = write_ragged(out, "inputs", tokens(), numbers, TEXTS_PER_SHARD)
    lengths = np.frombuffer(counted, np.int32)
    return {
        "files": [TOKENIZER],
        "inputs": inputs,
        "texts": texts,
        "mask": tokenizer.mask,
        "tokens": {
            **histogram(lengths),
            "vocabulary": tokenizer.vocabulary,
            "truncated": float(np.mean(lengths > config.text.max_tokens)),
        },
        "arguments": {
            "vocabulary": tokenizer.vocabulary,
            "pad": tokenizer.pad,
            "max_tokens": config.text.max_tokens,
        },
        "preprocess": {
            "html": config.text.html,
            "white_space": config.text.white_space,
            "piece_characters": config.text.piece_characters if config.unit == "piece" else None,
            "max_tokens": config.text.max_tokens,
            **settled,
        },
    }


def training_texts(kept: Kept) -> Iterator[str]:
    """Texts of the training split, evenly thinned where they are more than a tokenizer needs."""
    train = kept.train
    total = int(kept.sizes[train].sum())
    step = max(1, -(-total // TOKENIZER_BYTES))
    return (text.tobytes().decode("utf-8") for text in kept.payloads(train[::step]))


def blocks_of_texts(payloads: Iterator[NDArray[np.uint8]]) -> Iterator[list[str]]:
    """Stored texts, decoded, some of them at once."""
    block: list[str] = []
    for payload in payloads:
        block.append(payload.tobytes().decode("utf-8"))
        if len(block) == BLOCK:
            yield block
            block = []
    if block:
        yield block
