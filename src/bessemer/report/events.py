"""Learning curves as TensorBoard events."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any


def write_events(curves: dict[str, Any], folder: Path) -> None:
    """One TensorBoard run for the parent and one for each candidate."""
    from torch.utils.tensorboard import SummaryWriter

    shutil.rmtree(folder, ignore_errors=True)
    every = {"parent": curves.get("parent", []), **curves.get("candidates", {})}
    for name, points in every.items():
        if not points:
            continue
        with SummaryWriter(str(folder / name)) as writer:
            for point in points:
                for key in ("loss", "rate", "validation"):
                    if point.get(key) is not None:
                        writer.add_scalar(key, point[key], point["step"])
