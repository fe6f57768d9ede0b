"""Images on disk: shards of pixels, and what the model must know of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bessemer.data.config import DataConfig
from bessemer.data.image.form import Form
from bessemer.data.kind import Kept, Settled
from bessemer.data.rows import FixedRows, one_pass, write_fixed

BLOCK = 1024


def finish_images(config: DataConfig, settled: Settled, kept: Kept, out: Path) -> dict[str, Any]:
    """Images (H, W, C) in shards; mean and standard deviation of each channel over the training split."""
    (height, width), gray = settled["size"], settled["gray"]
    shape = (height, width, 1 if gray else 3)
    blocks = (image.reshape(1, *shape) for image in kept.payloads())
    inputs = write_fixed(out, "inputs", blocks, shape, "|u1", config.shard_mib)
    mean, std = channel_statistics(one_pass(out, inputs), kept.train)
    return {
        "inputs": inputs,
        "image": list(shape),
        "mean": mean,
        "std": std,
        "arguments": {"mean": mean, "std": std},
        "preprocess": Form.of(settled).preprocess,
    }


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
