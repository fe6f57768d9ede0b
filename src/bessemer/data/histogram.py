"""How values are spread, as counts in bins."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def histogram(values: NDArray[Any], bins: int = 24) -> dict[str, list[float]]:
    """Counts of values in bins whose edges grow evenly on a logarithmic scale where the range is wide."""
    if len(values) == 0:
        return {"edges": [], "counts": []}
    low, high = float(values.min()), float(values.max())
    if low > 0 and high / low > 20:
        edges = np.geomspace(low, high * (1 + 1e-9), bins + 1)
    else:
        edges = np.linspace(low, high if high > low else low + max(1, 1e-6 * abs(low)), bins + 1)
    counts = np.histogram(values, edges)[0]
    return {"edges": rounded(edges), "counts": counts.tolist()}


def rounded(edges: NDArray[np.float64]) -> list[float]:
    """Edges for people: three decimals, or more where bins are narrow, so that they still rise."""
    widths = np.diff(edges, prepend=edges[0] - (edges[1] - edges[0]))
    decimals = np.maximum(3, 1 - np.floor(np.log10(widths))).astype(int)
    return [round(float(edge), int(places)) for edge, places in zip(edges, decimals, strict=True)]
