"""What the report says of a classifier: mistakes, classes, and what its card tells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bessemer.data.dataset import Dataset
from bessemer.data.kinds import find_kind
from bessemer.measure.metrics import confusion_matrix, per_class
from bessemer.report.units import SHARE
from bessemer.task.task import Records, Shown

SHOWN_MISTAKES = 24
LISTED = 30  # classes that the card names; the others are counted


def told(shown: Shown) -> dict[str, Any]:
    """The confusion matrix, the quality of each class and, of what ships, its worst mistakes."""
    classes = shown.dataset.about["classes"]
    matrix = confusion_matrix(shown.records["truth"], shown.records["decided"], len(classes))
    facts: dict[str, Any] = {
        "classes": {shown.role: per_class(matrix, classes)},
        "confusion": {shown.role: matrix.tolist()},
    }
    facts["card"] = card(shown.dataset.about, facts["classes"][shown.role])
    if shown.role == "shipped":
        facts["mistakes"] = mistakes(shown.dataset, shown.records)
    return facts


def card(about: Mapping[str, Any], classes: list[dict[str, Any]]) -> dict[str, Any]:
    """What the model card says of a classifier."""
    names, kind = about["classes"], find_kind(about["modality"])
    listed = ", ".join(names[:LISTED]) + (f" and {len(names) - LISTED} more" if len(names) > LISTED else "")
    worst = sorted(classes, key=lambda one: float(one["f1"]))[:3]
    lowest = ", ".join(f"{one['name']} ({SHARE.value(one['f1'])})" for one in worst)
    return {
        "pipeline_tag": f"{kind.tag}-classification",
        "does": [f"It sorts {kind.noun} into {len(names)} classes: {listed}."],
        "use": {
            "example": kind.example,
            "says": "classes and probabilities of raw files",
            "tensors": f"{kind.tensor(about)} `preprocess.json` says it in full; `logits` is one row a sample.",
        },
        "limits": [f"Lowest F1 by class: {lowest}."],
    }


def mistakes(dataset: Dataset, records: Records) -> list[dict[str, Any]]:
    """The wrong decisions on the test split that the model was surest of."""
    classes, places = dataset.about["classes"], dataset.positions("test")
    truth, decided, sure = records["truth"], records["decided"], records["confidence"]
    wrong = np.flatnonzero(decided != truth)
    worst = wrong[np.argsort(-sure[wrong], kind="stable")[:SHOWN_MISTAKES]]
    names = dataset.names(places[worst])
    return [
        {
            **dataset.show(int(places[i])),
            "path": name,
            "truth": classes[int(truth[i])],
            "predicted": classes[int(decided[i])],
            "confidence": float(sure[i]),
        }
        for i, name in zip(worst, names, strict=True)
    ]
