"""What a person should look at: training labels that a cross-validated simple model speaks against."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bessemer.data.config import DataConfig
from bessemer.data.kinds import find_kind
from bessemer.data.rows import RaggedRows, one_pass
from bessemer.data.split import take_count
from bessemer.prepare.accounts import row_names
from bessemer.prepare.chosen import Chosen
from bessemer.prepare.labels import check_labels

LISTED = 1000


def review_labels(
    config: DataConfig, about: dict[str, Any], chosen: Chosen, labels: NDArray[np.int32], seed: int, out: Path
) -> dict[str, Any]:
    """`label_check` and `label_issues` of the report, the least plausible labels first; nothing is dropped.

    `labels` are those of the kept rows. At most `label_check.sample` training samples are looked at.
    """
    folds = config.label_check.folds
    if folds < 2:
        return {"label_check": None, "label_issues": []}
    looked = _looked_at(chosen, labels, config.label_check.sample, seed)
    features, _ = find_kind(config.modality).features(_values(about, looked, out), about["arguments"])
    ids = chosen.staged.ids[chosen.rows[looked]]
    issues = check_labels(features, labels[looked].astype(np.int64), ids, folds, seed)
    classes = about["classes"]
    rows = [int(chosen.rows[looked[issue.row]]) for issue in issues[:LISTED]]
    names = row_names(chosen.staged.folder / "rows.arrow", rows)
    listed = [
        {
            "row": row,
            "path": names[row],
            "sample": int(looked[issue.row]),
            "given": classes[issue.given],
            "suggested": classes[issue.suggested],
            "confidence": issue.confidence,
        }
        for row, issue in zip(rows, issues, strict=False)
    ]
    return {"label_check": {"checked": len(looked), "found": len(issues)}, "label_issues": listed}


def _looked_at(chosen: Chosen, labels: NDArray[np.int32], count: int, seed: int) -> NDArray[np.int64]:
    """Places among the kept rows of at most `count` training samples, every class keeping its share."""
    train = chosen.train
    return train[take_count(labels[train], chosen.staged.ids[chosen.rows[train]], count, seed)]


def _values(about: dict[str, Any], positions: NDArray[np.int64], out: Path) -> Any:
    if "texts" in about:
        rows = RaggedRows(out, about["texts"])
        rows.most_open = 1  # of each text that is read a page and its neighbors stay mapped as long as its shard
        return [rows.values(int(position)).tobytes().decode("utf-8") for position in positions]
    return one_pass(out, about["inputs"])[positions]
