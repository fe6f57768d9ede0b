"""What a kind of data becomes on disk: shards of what the model takes, and what the model must know of them."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bessemer.data.config import DataConfig
from bessemer.data.rows import FixedRows, write_fixed, write_ragged
from bessemer.prepare.staging import Staged

BLOCK = 1024
TEXTS_PER_SHARD = 16_384
TOKENIZER_BYTES = 32 << 20  # of training text that a tokenizer is trained on


@dataclass(frozen=True)
class Chosen:
    """The rows that are kept, in order, and the split (0, 1, 2) of each."""

    staged: Staged
    rows: NDArray[np.int64]
    split: NDArray[np.uint8]

    def payloads(self, which: NDArray[np.int64] | None = None) -> Iterator[NDArray[np.uint8]]:
        """The stored bytes of the kept rows, or of those at some of their places."""
        rows = self.rows if which is None else self.rows[which]
        path = self.staged.folder / "payload.bin"
        for start in range(0, len(rows), BLOCK):  # all is mapped again for each block, to let go what was read
            flat, some = np.memmap(path, np.uint8, "r"), rows[start : start + BLOCK]
            begins = self.staged.starts[some]
            for begin, end in zip(begins, begins + self.staged.sizes[some], strict=True):
                yield np.array(flat[begin:end])

    @property
    def train(self) -> NDArray[np.int64]:
        """Places of the training samples among the kept rows."""
        return np.flatnonzero(self.split == 0)


def finish_images(config: DataConfig, settled: dict[str, Any], chosen: Chosen, out: Path) -> dict[str, Any]:
    """Images (H, W, C) in shards; mean and standard deviation of each channel over the training split."""
    (height, width), gray = settled["size"], settled["gray"]
    shape = (height, width, 1 if gray else 3)
    blocks = (image.reshape(1, *shape) for image in chosen.payloads())
    inputs = write_fixed(out, "inputs", blocks, shape, "|u1", config.shard_mib)
    mean, std = channel_statistics(one_pass(out, inputs), chosen.train)
    return {
        "inputs": inputs,
        "image": list(shape),
        "mean": mean,
        "std": std,
        "arguments": {"mean": mean, "std": std},
        "preprocess": {
            "size": [height, width],
            "color": "gray" if gray else "rgb",
            "resize": "crop in the middle to the shape, then bilinear",
        },
    }


def one_pass(out: Path, about: dict[str, Any]) -> FixedRows:
    """Rows for a single pass in order: one shard is mapped at a time."""
    rows = FixedRows(out, about)
    rows.most_open = 1
    return rows


def channel_statistics(images: FixedRows, positions: NDArray[np.int64]) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each channel, in 0 to 1, over the given images (the training split)."""
    total, squares, count = 0.0, 0.0, 0
    for start in range(0, len(positions), BLOCK):
        block = images[positions[start : start + BLOCK]].astype(np.float64) / 255
        total = total + block.sum(axis=(0, 1, 2))
        squares = squares + (block**2).sum(axis=(0, 1, 2))
        count += block.shape[0] * block.shape[1] * block.shape[2]
    mean = np.asarray(total) / count
    variance = np.maximum(np.asarray(squares) / count - mean**2, 0)
    std = np.maximum(np.sqrt(variance), 1 / 255)  # a constant channel must not divide by zero
    return [round(float(m), 6) for m in mean], [round(float(s), 6) for s in std]


def finish_audio(config: DataConfig, settled: dict[str, Any], chosen: Chosen, out: Path) -> dict[str, Any]:
    """Clips (T,) int16 in shards; mean and standard deviation of each mel band over the training split."""
    from bessemer.data.spectrogram import spectrogram_statistics

    rate, samples, mels = settled["rate"], settled["samples"], config.audio.mels
    blocks = (clip.view("<i2").reshape(1, samples) for clip in chosen.payloads())
    inputs = write_fixed(out, "inputs", blocks, (samples,), "<i2", config.shard_mib)
    clips, train = one_pass(out, inputs), chosen.train
    some = (clips[train[start : start + BLOCK]] for start in range(0, len(train), BLOCK))
    mean, std = spectrogram_statistics(some, rate, mels)
    return {
        "inputs": inputs,
        "rate": rate,
        "seconds": samples / rate,
        "arguments": {"rate": rate, "mels": mels, "mean": mean, "std": std},
        "preprocess": {
            "rate": rate,
            "samples": samples,
            "windows": config.audio.windows,
            "silence_db": config.audio.silence_db,
        },
    }


def finish_text(config: DataConfig, settled: dict[str, Any], chosen: Chosen, out: Path) -> dict[str, Any]:
    """Texts and their tokens in shards; the tokenizer is trained on the training split, or read from a file."""
    from bessemer.data.tokenize import load_tokenizer, train_tokenizer

    settings = config.text.tokenizer
    if settings.path is not None:
        tokenizer = load_tokenizer(Path(settings.path))
    else:
        tokenizer = train_tokenizer(training_texts(chosen), settings)
    (out / "tokenizer.json").write_text(tokenizer.to_json(), encoding="utf-8")
    texts = write_ragged(out, "texts", chosen.payloads(), "|u1", TEXTS_PER_SHARD)
    counted = array("i")  # four bytes a text, where a list of numbers takes forty

    def tokens() -> Iterator[NDArray[np.int32]]:
        for block in blocks_of_texts(chosen.payloads()):
            for found in tokenizer.encode_batch(block):
                counted.append(len(found))
                yield found[: config.text.max_tokens]

    numbers = "<u2" if tokenizer.vocabulary <= 1 << 16 else "<i4"  # one from a file may be larger
    inputs = write_ragged(out, "inputs", tokens(), numbers, TEXTS_PER_SHARD)
    lengths = np.frombuffer(counted, np.int32)
    return {
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


def training_texts(chosen: Chosen) -> Iterator[str]:
    """Texts of the training split, evenly thinned where they are more than a tokenizer needs."""
    train = chosen.train
    total = int(chosen.staged.sizes[chosen.rows[train]].sum())
    step = max(1, -(-total // TOKENIZER_BYTES))
    return (text.tobytes().decode("utf-8") for text in chosen.payloads(train[::step]))


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


def histogram(values: NDArray[Any], bins: int = 24) -> dict[str, list[float]]:
    """Counts of values in bins whose edges grow evenly on a logarithmic scale where the range is wide."""
    if len(values) == 0:
        return {"edges": [], "counts": []}
    low, high = float(values.min()), float(values.max())
    if low > 0 and high / low > 20:
        edges = np.geomspace(low, high * (1 + 1e-9), bins + 1)
    else:
        edges = np.linspace(low, high if high > low else low + 1, bins + 1)
    counts = np.histogram(values, edges)[0]
    return {"edges": [round(float(edge), 3) for edge in edges], "counts": counts.tolist()}


FINISH: dict[str, Callable[[DataConfig, dict[str, Any], Chosen, Path], dict[str, Any]]] = {
    "image": finish_images,
    "audio": finish_audio,
    "text": finish_text,
}
