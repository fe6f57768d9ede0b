"""Columns of a table for simple models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bessemer.data.table.prepare import LISTED

WIDEST = 50  # categories of a column that get a feature each, the commonest first


def widths(arguments: Mapping[str, Any]) -> list[int]:
    """How many features each column of categories gets."""
    return [min(size, LISTED + WIDEST) for size in arguments["categories"]]


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
