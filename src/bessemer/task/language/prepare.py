"""What text becomes for language modelling: a tokenizer that knows every byte, and a stream of tokens a split."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bessemer.data.config import DataConfig
from bessemer.data.histogram import histogram
from bessemer.data.rows import write_ragged
from bessemer.data.split import SPLITS
from bessemer.data.stream import write_stream
from bessemer.data.text.prepare import TEXTS_PER_SHARD, blocks_of_texts, training_texts
from bessemer.data.text.read import TOKENIZER
from bessemer.data.text.tokenize import TextEncoder, load_tokenizer, train_tokenizer
from bessemer.prepare.chosen import Chosen
from bessemer.report.blocks import Block, Text
from bessemer.report.format import count as counted
from bessemer.report.format import significant, size

SIZES = (
    (1e6, 1024),
    (8e6, 2048),
    (float("inf"), 4096),
)  # bytes of training text, and a vocabulary that suits them


def finish_language(config: DataConfig, settled: dict[str, Any], chosen: Chosen, out: Path) -> dict[str, Any]:
    """The documents as texts, and as one stream of tokens for each split."""
    sizes = {name: int(chosen.sizes[places(chosen, name)].sum()) for name in SPLITS}
    tokenizer = language_tokenizer(config, chosen, sizes["train"])
    (out / TOKENIZER).write_text(tokenizer.to_json(), encoding="utf-8")
    texts = write_ragged(out, "texts", chosen.payloads(), "|u1", TEXTS_PER_SHARD)
    lengths = array("i")
    end, numbers = tokenizer.add_end(), "<u2" if tokenizer.vocabulary <= 1 << 16 else "<i4"

    def tokens(name: str) -> Iterator[NDArray[np.int32]]:
        for block in blocks_of_texts(chosen.payloads(places(chosen, name))):
            for found in tokenizer.encode_batch(block):
                lengths.append(len(found))
                yield found

    streams = {name: write_stream(out, name, tokens(name), end, numbers, config.shard_mib) for name in SPLITS}
    counts = np.frombuffer(lengths, np.int32)
    return {
        "task": "language",
        "files": [TOKENIZER],
        "inputs": texts,
        "texts": texts,
        "streams": streams,
        "end": end,
        "text_bytes": sizes,
        "stream_tokens": {name: stream["tokens"] for name, stream in streams.items()},
        "tokens": {
            **histogram(counts),
            "vocabulary": tokenizer.vocabulary,
            "bytes_per_token": sum(sizes.values()) / max(1, int(counts.sum())),
        },
        "arguments": {"vocabulary": tokenizer.vocabulary},
        "preprocess": {"html": config.text.html, "white_space": config.text.white_space, **settled},
    }


def of_data(about: Mapping[str, Any]) -> list[Block]:
    """The text of each split."""
    told = ", ".join(
        f"{name} {size(count)} in {counted(about['stream_tokens'][name])} tokens"
        for name, count in about["text_bytes"].items()
    )
    per = about["tokens"]["bytes_per_token"]
    rate = f" A token stands for {significant(per)} bytes." if per else ""
    return [Text(f"Splits are of whole documents. Text: {told}.{rate}")]


def places(chosen: Chosen, name: str) -> NDArray[np.int64]:
    """Places of a split's documents among the kept rows."""
    return np.flatnonzero(chosen.split == SPLITS.index(name))


def language_tokenizer(config: DataConfig, chosen: Chosen, size: int) -> TextEncoder:
    """A byte-level BPE trained on the training split of `size` bytes, or the one that the settings name.

    Raises DataError where the latter does not give back every text exactly.
    """
    settings = config.text.tokenizer
    if settings.path is not None:
        tokenizer = load_tokenizer(Path(settings.path))
    else:
        wanted = settings.vocabulary or next(number for most, number in SIZES if size < most)
        # One id is left for the token that ends a text.
        tokenizer = train_tokenizer(training_texts(chosen), settings.model_copy(update={"vocabulary": wanted - 1}))
    tokenizer.add_end()
    tokenizer.byte_lengths()  # refuses what is not exact
    return tokenizer
