"""Where samples came from, for people: read from the table of all rows that preparation leaves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def batches_of(source: Any) -> Any:
    """The record batches of an open Arrow file, one by one."""
    import pyarrow as pa

    reader = pa.ipc.open_file(source)
    return (reader.get_batch(number) for number in range(reader.num_record_batches))


def name_of(batch: Any, place: int) -> str:
    """Origin and place of one row of a batch."""
    parts = (batch.column(name)[place].as_py() for name in ("origin", "place"))
    return ", ".join(filter(None, parts))


def kept_names(path: Path, positions: NDArray[np.int64]) -> list[str]:
    """Origin and place of kept rows of `rows.arrow`, by their positions among the kept ones."""
    import pyarrow as pa

    wanted, found, before = np.sort(positions), {}, 0
    with pa.memory_map(str(path)) as source:
        for batch in batches_of(source):
            kept = np.flatnonzero(np.asarray(batch.column("state").to_pylist()) == "kept")
            for position in wanted[np.searchsorted(wanted, before) : np.searchsorted(wanted, before + len(kept))]:
                row = int(kept[position - before])
                found[int(position)] = name_of(batch, row)
            before += len(kept)
    return [found[int(position)] for position in positions]
