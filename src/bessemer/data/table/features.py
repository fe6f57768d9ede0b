"""Columns of a table for simple models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bessemer.data.features import Features, Transform, standardized
from bessemer.data.table.prepare import LISTED

WIDEST = 50  # categories of a column that get a feature each, the commonest first


def scaled(values: NDArray[np.float64], arguments: Mapping[str, Any]) -> NDArray[np.float64]:
    """Numbers and dates (n, N) around 0, the middle half 1 wide and what lies far out drawn in, NaN kept.

    Smooth clipping at 3 is that of Holzmüller et al., "Better by default", 2024.
    """
    scaled = (values - np.array(arguments["centers"])) * np.array(arguments["factors"])
    result: NDArray[np.float64] = scaled / np.sqrt(1 + (scaled / 3) ** 2)
    return result


def flat_columns(values: Any, arguments: Mapping[str, Any]) -> NDArray[np.float32]:
    """Rows as features float32 (N, F): scaled numbers, 0 for gaps, a mark for each gap, ones for categories."""
    rows = np.asarray(values[:], np.float64)
    measured = arguments["numbers"] + arguments["dates"]
    numbers = scaled(rows[:, :measured], arguments)
    marks = np.isnan(numbers)[:, np.array(arguments["gaps"], bool)]
    parts = [np.nan_to_num(numbers), marks]
    for place, size in enumerate(arguments["categories"]):
        codes = rows[:, measured + place]
        parts.append(codes[:, None] == np.arange(min(size, LISTED + WIDEST)))
    return np.concatenate(parts, 1).astype(np.float32)


def table_features(values: Any, arguments: Mapping[str, Any]) -> tuple[Features, Transform]:
    """Features of the training rows with mean 0 and deviation 1, and those of others likewise."""
    return standardized(values, lambda rows: flat_columns(rows, arguments))


def table_columns(values: Any, arguments: Mapping[str, Any]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Rows (N, D) for trees, with NaN where nothing is known, and which columns are codes of categories (D,)."""
    rows = np.asarray(values[:], np.float64)
    measured = arguments["numbers"] + arguments["dates"]
    rows = rows.copy()
    # Seconds since 1970 are too large for float32; trees ask for the order alone.
    rows[:, :measured] = (rows[:, :measured] - np.array(arguments["centers"])) * np.array(arguments["factors"])
    codes = rows[:, measured:]
    codes[codes == 0] = np.nan
    return rows.astype(np.float32), np.arange(rows.shape[1]) >= measured
