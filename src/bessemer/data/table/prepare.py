"""Tables on disk: rows of numbers, seconds and codes of categories, and what the training split says of each.

A stored row is float64 (D,): numbers and dates as they came, NaN where nothing is known, then the code of each
category. Code 0 is nothing known and 1 is any name that is not listed; listed are those that the training split
has at least twice. Scales are those of the training split too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bessemer.data.config import DataConfig
from bessemer.data.kind import Kept, Settled
from bessemer.data.rows import write_fixed
from bessemer.data.table.cleaner import BETWEEN
from bessemer.errors import DataError

BLOCK = 4096
SAMPLE = 50_000  # training rows that say how numbers are spread
LEAST = 2  # training rows of a category that is listed
UNKNOWN, OTHER, LISTED = 0, 1, 2  # codes: nothing known, a name that is not listed, the first that is
Values = NDArray[np.float64]


def finish_table(config: DataConfig, settled: Settled, kept: Kept, out: Path) -> dict[str, Any]:
    """Rows float64 (D,) in shards; names of categories and scales of numbers over the training split."""
    settings = settled["settings"]
    measured, categories = [*settings["numbers"], *settings["dates"]], settings["categories"]
    train = kept.train
    listed = listed_names(kept, train, len(measured), len(categories))
    scales = scales_of(kept, train, len(measured))
    refuse_empty(measured, scales)
    codes = [{name: code for code, name in enumerate(names, LISTED)} for names in listed]
    blocks = encoded(kept.payloads(), len(measured), codes)
    inputs = write_fixed(out, "inputs", blocks, (len(measured) + len(categories),), "<f8", config.shard_mib)
    arguments = {
        "numbers": len(settings["numbers"]),
        "dates": len(settings["dates"]),
        "categories": [LISTED + len(names) for names in listed],
        **scales,
    }
    return {
        "inputs": inputs,
        "arguments": arguments,
        "preprocess": {"settings": settings, "listed": dict(zip(categories, listed, strict=True))},
    }


def unpacked(payload: NDArray[np.uint8], measured: int) -> tuple[Values, list[str]]:
    """Numbers and dates (N,), and names of categories, of a cleaned row."""
    size = 8 * measured
    names = payload[size:].tobytes().decode("utf-8")
    return payload[:size].view(np.float64), names.split(BETWEEN)


def listed_names(kept: Kept, train: NDArray[np.int64], measured: int, categories: int) -> list[list[str]]:
    """For each category its names in the training split, the commonest first."""
    counts: list[Counter[str]] = [Counter() for _ in range(categories)]
    for payload in kept.payloads(train) if categories else ():
        for counter, name in zip(counts, unpacked(payload, measured)[1], strict=True):
            counter[name] += 1
    return [
        [
            name
            for name, count in sorted(one.items(), key=lambda pair: (-pair[1], pair[0]))
            if name and count >= LEAST
        ]
        for one in counts
    ]


def scales_of(kept: Kept, train: NDArray[np.int64], measured: int) -> dict[str, Any]:
    """Of each number and date its median, the factor that makes the middle half of its values 1 wide, and gaps.

    Where the middle half is one value, the whole range becomes 2 wide; a column of one value counts for nothing.
    At most SAMPLE rows, evenly chosen, are looked at.
    """
    some = train[:: -(-len(train) // SAMPLE)]
    values = np.array([unpacked(payload, measured)[0] for payload in kept.payloads(some)]).reshape(len(some), -1)
    centers, factors, gaps = [], [], []
    for column in values.T[:measured]:
        known = column[~np.isnan(column)]
        known = known if len(known) else np.array([np.nan])
        low, first, center, third, high = np.quantile(known, [0, 0.25, 0.5, 0.75, 1])
        factor = 1 / (third - first) if third > first else 2 / (high - low) if high > low else 0.0
        centers.append(float(center))
        factors.append(float(factor))
        gaps.append(bool(np.isnan(column).any()))
    return {"centers": centers, "factors": factors, "gaps": gaps}


def refuse_empty(names: Sequence[str], scales: Mapping[str, Any]) -> None:
    """DataError where a column says nothing in the whole training split, as one that is not there."""
    empty = [name for name, center in zip(names, scales["centers"], strict=True) if np.isnan(center)]
    if empty:
        problem = f"column {empty[0]!r} has no number or date in any row of the training split"
        raise DataError(problem, "correct its name in data.settings, or leave it out")


def encoded(
    payloads: Iterator[NDArray[np.uint8]], measured: int, codes: Sequence[Mapping[str, int]]
) -> Iterator[Values]:
    """Blocks of rows (n, D) as they are stored."""
    block: list[Values] = []
    for payload in payloads:
        values, names = unpacked(payload, measured)
        row = np.empty(measured + len(codes))
        row[:measured] = values
        row[measured:] = [code_of(name, known) for name, known in zip(names, codes, strict=False)]
        block.append(row)
        if len(block) == BLOCK:
            yield np.array(block)
            block = []
    if block:
        yield np.array(block)


def code_of(name: str, known: Mapping[str, int]) -> int:
    """The code of a category's name."""
    return known.get(name, OTHER) if name else UNKNOWN
