"""What stands beside a language model: n-grams of bytes, and a compressor that has read the training text.

The n-grams play the model's game: they learn from the training split and say each test document on its own. xz may
look further: it also learns from the test documents before, and finds any repetition. The better one counts.
"""

from __future__ import annotations

import lzma
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bessemer.draws import mix
from bessemer.task.language.ngram import ORDER, NgramModel
from bessemer.task.language.score import Scores, summary

MOST = 8_000_000  # bytes of training text for n-grams, which take about 80 bytes of memory a byte
MOST_PACKED = 32_000_000  # bytes of training text for xz, which reads it twice
WINDOW = 1 << 26  # bytes that xz looks back
NGRAMS, XZ = f"Kneser-Ney {ORDER}-grams of bytes", "xz after the training text"


def text_baseline(
    train: Sequence[str],
    test: Sequence[str],
    seed: int = 0,
    most: int = MOST,
    most_packed: int = MOST_PACKED,
) -> dict[str, Any]:
    """Bits per byte on the test documents by simple means.

    Of more than `most` bytes of training documents n-grams learn from so many, and xz from `most_packed`:
    documents spread evenly, the last one cut. Returns `name`, `metrics` and `trained_on` (bytes) of the best,
    `also` with those of the others, `train_bytes`, `amount` (the same in words for the report), and `seconds`.
    """
    started = time.perf_counter()
    total = sum(len(document) for document in as_bytes(train))
    learned, packed = within(train, most), within(train, most_packed)
    held_out = list(as_bytes(test))
    size = sum(map(len, held_out))
    model = NgramModel(learned)
    scores = Scores(
        np.array([model.nats(document) for document in held_out]), np.array(list(map(len, held_out))), size
    )
    every: list[dict[str, Any]] = [
        {
            "name": NGRAMS,
            "metrics": {"bits_per_byte": summary(scores, seed)},
            "trained_on": sum(map(len, learned)),
        },
        {
            "name": XZ,
            "metrics": {"bits_per_byte": {"value": 8 * compressed_growth(packed, held_out) / max(1, size)}},
            "trained_on": sum(map(len, packed)),
        },
    ]
    best, *others = sorted(every, key=lambda one: one["metrics"]["bits_per_byte"]["value"])
    return {
        **best,
        "also": others,
        "train_bytes": total,
        "amount": {"unit": "bytes", "trained_on": best["trained_on"], "of": total},
        "seconds": time.perf_counter() - started,
    }


def within(texts: Sequence[str], most: int) -> list[NDArray[np.uint8]]:
    """Documents of `most` bytes in all, or all there are: spread evenly over the texts, in order, the last one
    cut.

    They are taken in the order of mixed places, so that a larger budget holds what a smaller one does.
    """
    places = np.argsort(mix(np.arange(len(texts), dtype=np.uint64)), kind="stable")
    taken: dict[int, NDArray[np.uint8]] = {}
    for place in places.tolist():
        if most <= 0:
            break
        (document,) = as_bytes([texts[place]])
        taken[place] = document[:most]
        most -= len(document)
    return [taken[place] for place in sorted(taken)]


def as_bytes(texts: Sequence[str]) -> Iterator[NDArray[np.uint8]]:
    """Texts as bytes of UTF-8, one by one."""
    return (np.frombuffer(text.encode("utf-8"), np.uint8) for text in texts)


def compressed_growth(before: Sequence[NDArray[np.uint8]], after: Sequence[NDArray[np.uint8]]) -> int:
    """Bytes by which a compressed text grows when more documents follow; a zero byte ends each."""
    known = b"".join(document.tobytes() + b"\0" for document in before)
    more = b"".join(document.tobytes() + b"\0" for document in after)
    return _compressed(known + more) - _compressed(known)


def _compressed(text: bytes) -> int:
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 9, "dict_size": WINDOW}]
    return len(lzma.compress(text, lzma.FORMAT_RAW, filters=filters))
