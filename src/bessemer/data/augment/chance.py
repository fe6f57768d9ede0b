"""Random numbers for a batch, keyed by (seed, epoch, sample id)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bessemer.data.order import U64, key, mix

GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def keys(ids: U64, epochs: NDArray[np.int64], seed: int, streams: Sequence[int]) -> U64:
    """64 random bits (S, B) for each stream and sample."""
    distinct, which = np.unique(epochs, return_inverse=True)
    prefix = np.array([key(seed, int(epoch)) for epoch in distinct], np.uint64)[which]
    with np.errstate(over="ignore"):
        streamed = mix((prefix + GOLDEN) ^ np.array(streams, np.uint64)[:, None])
    return mix(mix(ids.astype(np.uint64) ^ streamed))


def uniforms(ids: U64, epochs: NDArray[np.int64], seed: int, streams: Sequence[int]) -> NDArray[np.float64]:
    """Numbers (S, B) in [0, 1): those of `bessemer.data.order.uniform(id, seed, epoch, stream)`, all in one go."""
    return (keys(ids, epochs, seed, streams) >> np.uint64(11)).astype(np.float64) / float(2**53)


def rectangles(
    areas: NDArray[np.float64],
    shape: NDArray[np.float64],
    place: tuple[NDArray[np.float64], NDArray[np.float64]],
    most: float,
) -> NDArray[np.float64]:
    """Rectangles (B, 4) inside an image: left, top, width and height, as shares of its sides.

    `areas` are their shares of the image. Width over height, relative to the image's own, is log-uniform within
    1 / `most` to `most`, or as much of it as fits in; `shape` and `place` are uniform numbers that choose.
    """
    limit = np.minimum(np.log(most), -np.log(areas))
    ratio = np.exp((2 * shape - 1) * limit)
    width, height = np.minimum(np.sqrt(areas * ratio), 1), np.minimum(np.sqrt(areas / ratio), 1)
    return np.stack([place[0] * (1 - width), place[1] * (1 - height), width, height], 1)
