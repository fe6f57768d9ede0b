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

from bessemer.task.language.ngram import ORDER, NgramModel
from bessemer.task.language.score import Scores, summary

MOST = 8_000_000  # bytes of training text: n-grams take about 80 bytes of memory a byte
WINDOW = 1 << 26  # bytes that xz looks back
NGRAMS, XZ = f"Kneser-Ney {ORDER}-grams of bytes", "xz after the training text"


def text_baseline(train: Sequence[str], test: Sequence[str], seed: int = 0, most: int = MOST) -> dict[str, Any]:
    """Bits per byte on the test documents by simple means.

    Training documents are thinned out evenly down to `most` bytes. Returns `name` and `metrics` of the best,
    `also` with those of the others, `trained_on` and `train_bytes`, and `seconds`.
    """
    started = time.perf_counter()
    total = sum(len(document) for document in as_bytes(train))
    step = max(1, -(-total // most))
    learned = [document for number, document in enumerate(as_bytes(train)) if number % step == 0]
    held_out = list(as_bytes(test))
    size = sum(map(len, held_out))
    model = NgramModel(learned)
    scores = Scores(
        np.array([model.nats(document) for document in held_out]), np.array(list(map(len, held_out))), size
    )
    every: list[dict[str, Any]] = [
        {"name": NGRAMS, "metrics": {"bits_per_byte": summary(scores, seed)}},
        {
            "name": XZ,
            "metrics": {"bits_per_byte": {"value": 8 * compressed_growth(learned, held_out) / max(1, size)}},
        },
    ]
    best, *others = sorted(every, key=lambda one: one["metrics"]["bits_per_byte"]["value"])
    return {
        **best,
        "also": others,
        "trained_on": sum(map(len, learned)),
        "train_bytes": total,
        "seconds": time.perf_counter() - started,
    }


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
