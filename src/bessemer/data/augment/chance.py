"""Random numbers for a batch, keyed by (seed, epoch, sample id)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bessemer.draws import GOLDEN, U64, Stream, key, mix


def keys(ids: U64, epochs: NDArray[np.int64], seed: int, purposes: Sequence[int]) -> U64:
    """64 random bits (S, B) for each purpose and sample."""
    distinct, which = np.unique(epochs, return_inverse=True)
    prefix = np.array([key(Stream.AUGMENT, seed, int(epoch)) for epoch in distinct], np.uint64)[which]
    with np.errstate(over="ignore"):
        streamed = mix((prefix + GOLDEN) ^ np.array(purposes, np.uint64)[:, None])
    return mix(mix(ids.astype(np.uint64) ^ streamed))


def uniforms(ids: U64, epochs: NDArray[np.int64], seed: int, purposes: Sequence[int]) -> NDArray[np.float64]:
    """Numbers (S, B) in [0, 1): those of `uniform(ids, key(Stream.AUGMENT, seed, epoch, purpose))`, in one go."""
    return (keys(ids, epochs, seed, purposes) >> np.uint64(11)).astype(np.float64) / float(2**53)


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
