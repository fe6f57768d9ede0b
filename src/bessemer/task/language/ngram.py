"""The simple baseline of language modelling: n-grams of bytes with interpolated Kneser-Ney smoothing.

Each order takes a discount from its counts and gives what it took to the order below, which counts in how many
contexts a byte occurs, not how often (Kneser and Ney, 1995; interpolated as in Chen and Goodman, 1999). It has no
tokenizer and nothing to tune, trains in seconds, and is a strong model of small corpora.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bessemer.draws import U64

ORDER = 8  # bytes of an n-gram: seven of context and the one to say; more do not fit into a number
SYMBOLS = 256
END = 0  # a byte that no clean text holds ends a document, and fills the context before its first byte
Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Order:
    """Counts of one order: sorted n-grams and contexts, each as a number with the last byte lowest."""

    grams: U64
    counts: NDArray[np.int64]
    contexts: U64
    totals: NDArray[np.int64]
    kinds: NDArray[np.int64]  # different bytes seen behind each context
    discount: float


class NgramModel:
    """Probabilities of bytes given those before, learned from documents of bytes."""

    def __init__(self, documents: Iterable[Bytes], order: int = ORDER) -> None:
        grams = np.concatenate([np.empty(0, np.uint64), *(ngrams(document, order) for document in documents)])
        found, counts = np.unique(grams, return_counts=True)
        self.orders = [_order(found, counts)]
        for length in range(order - 1, 0, -1):
            shorter = found & np.uint64(256**length - 1)
            found, counts = np.unique(shorter, return_counts=True)  # in how many contexts, not how often
            self.orders.append(_order(found, counts))
        self.length = order

    def nats(self, document: Bytes) -> float:
        """What a document costs, its end included, in nats."""
        every = ngrams(document, self.length)
        chance = np.full(len(every), 1 / SYMBOLS)
        for length, one in enumerate(reversed(self.orders), 1):
            chance = _interpolated(one, every & np.uint64(256**length - 1), chance)
        return float(-np.log(chance).sum())


def ngrams(document: Bytes, order: int) -> U64:
    """The n-gram that ends at each byte of a document and at its end, as numbers (T + 1,)."""
    padded = np.concatenate([np.full(order - 1, END, np.uint8), document, np.full(1, END, np.uint8)])
    out = np.zeros(len(document) + 1, np.uint64)
    for place in range(order):
        out = (out << np.uint64(8)) | padded[place : place + len(out)].astype(np.uint64)
    return out


def _order(grams: U64, counts: NDArray[np.int64]) -> Order:
    contexts, first = np.unique(grams >> np.uint64(8), return_index=True)
    totals = np.add.reduceat(counts, first) if len(first) else counts
    kinds = np.diff(np.append(first, len(grams)))
    once, twice = int((counts == 1).sum()), int((counts == 2).sum())
    discount = once / (once + 2 * twice) if twice else 0.5  # the estimate of Ney, Essen and Kneser, 1994
    return Order(grams, counts, contexts, totals, kinds, discount)


def _interpolated(one: Order, grams: U64, below: NDArray[np.float64]) -> NDArray[np.float64]:
    """The chance of each n-gram's last byte, from its count and the chance by the order below."""
    count = _look_up(one.grams, one.counts, grams)
    total = _look_up(one.contexts, one.totals, grams >> np.uint64(8))
    kinds = _look_up(one.contexts, one.kinds, grams >> np.uint64(8))
    seen = np.maximum(total, 1)
    known = np.maximum(count - one.discount, 0) / seen + one.discount * kinds / seen * below
    result: NDArray[np.float64] = np.where(total > 0, known, below)
    return result


def _look_up(keys: U64, values: NDArray[np.int64], wanted: U64) -> NDArray[np.int64]:
    place = np.minimum(np.searchsorted(keys, wanted), max(0, len(keys) - 1))
    result: NDArray[np.int64] = np.where(keys[place] == wanted, values[place], 0)
    return result
