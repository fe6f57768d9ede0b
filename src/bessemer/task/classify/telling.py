"""What the report says of a classifier: confusions, classes and mistakes, and what its card tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bessemer.data.kinds import find_kind
from bessemer.measure.metrics import confusion_matrix, per_class
from bessemer.report.blocks import Column, Gallery, Matrix, Sample, Section, Table, Text
from bessemer.report.format import plural
from bessemer.report.units import COUNT, SHARE
from bessemer.task.alone import snippet
from bessemer.task.task import Records, Shown

SHOWN_MISTAKES = 24
LISTED = 30  # classes that the card names; the others are counted
MANY, WORST = 20, 10  # of more classes than MANY only the worst are shown until the reader opens the others
COMMONEST = 8  # confusions
Counts = NDArray[np.int64]


def facts(shown: Shown) -> dict[str, Any]:
    """What the card says."""
    classes = shown.dataset.about["classes"]
    counts = counted(shown.records, len(classes))
    told = card(shown.dataset.about, per_class(counts, classes))
    return {"card": {**told, "mind": never_given(shown.role, counts, classes)}}


def never_given(role: str, counts: Counts, classes: Sequence[str]) -> list[str]:
    """A sentence that names the classes which stand in the test split and are no answer there; none else."""
    missing = np.flatnonzero((counts.sum(1) > 0) & (counts.sum(0) == 0))
    if not len(missing):
        return []
    named = ", ".join(classes[place] for place in missing[:LISTED])
    more = f" and {len(missing) - LISTED} more" if len(missing) > LISTED else ""
    samples = plural(int(counts[missing].sum()), "test sample")
    return [f"The {role} model never gives {named}{more}: {samples} of {plural(len(missing), 'class')}."]


def sections(shown: Shown) -> dict[str, Section]:
    """The confusion matrix, the quality of each class and, of what ships, its worst mistakes."""
    classes = shown.dataset.about["classes"]
    counts = counted(shown.records, len(classes))
    before = counted(shown.parent, len(classes)) if shown.parent is not None else None
    found = {
        "confusion": confusions(shown.role, classes, counts),
        "classes": quality(shown.role, classes, counts, before),
    }
    return found | ({"mistakes": mistakes(wrong(shown))} if shown.role == "shipped" else {})


def counted(records: Records, classes: int) -> Counts:
    """The confusion matrix (K, K)."""
    return confusion_matrix(records["truth"], records["decided"], classes)


def confusions(role: str, classes: Sequence[str], counts: Counts) -> Section:
    """The confusion matrix and what is confused most often."""
    blocks: list[Matrix | Table] = [Matrix(classes, counts.tolist(), f"Confusion matrix of the {role} model")]
    totals = counts.sum(1)
    pairs = [(int(times), truth, guess) for (truth, guess), times in np.ndenumerate(counts) if truth != guess]
    worst = sorted((pair for pair in pairs if pair[0]), key=lambda pair: -pair[0])[:COMMONEST]
    if worst:
        columns = [Column("truth"), Column("taken for"), Column("times", COUNT), Column("of", COUNT)]
        rows = [
            [classes[truth], classes[guess], times, int(totals[truth]), times / int(totals[truth])]
            for times, truth, guess in worst
        ]
        blocks.append(Table([*columns, Column("share", SHARE)], rows, "Commonest mistakes"))
    lead = (
        f"The {role} model on the test split. Rows are the truth, columns the prediction; the shade follows the "
        "share of the row."
    )
    return Section("Confusion matrix", blocks, lead)


def quality(role: str, classes: Sequence[str], counts: Counts, before: Counts | None) -> Section:
    """Quality of each class, the worst first; with many classes, the better ones are folded away."""
    columns = [Column("class"), Column("precision", SHARE), Column("recall", SHARE), Column("F1", SHARE, bar=True)]
    columns += [Column("F1 against parent", SHARE, change=True)] if before is not None else []
    old = {one["name"]: float(one["f1"]) for one in per_class(before, classes)} if before is not None else {}
    rows = []
    for one in sorted(per_class(counts, classes), key=lambda one: float(one["f1"])):
        change = [float(one["f1"]) - old[one["name"]]] if old else []
        rows.append([one["name"], one["precision"], one["recall"], one["f1"], *change, one["support"]])
    folded = WORST if len(rows) > MANY else None
    table = Table([*columns, Column("samples", COUNT)], rows, folded_after=folded, noun="class")
    lead = f"Quality of the {role} model on each class of the test split, the lowest F1 first."
    return Section("Classes", [table], lead)


def mistakes(found: Sequence[Sample]) -> Section:
    """Wrong answers with their inputs."""
    lead = "Wrong answers of the shipped model on the test split, the most confident first."
    nothing = Text("The shipped model makes no mistake on the test split.")
    return Section("Worst mistakes", [Gallery(found) if found else nothing], lead)


def wrong(shown: Shown) -> list[Sample]:
    """The wrong decisions on the test split that the model was surest of."""
    dataset, records = shown.dataset, shown.records
    classes, places = dataset.about["classes"], dataset.positions("test")
    truth, decided, sure = records["truth"], records["decided"], records["confidence"]
    missed = np.flatnonzero(decided != truth)
    worst = missed[np.argsort(-sure[missed], kind="stable")[:SHOWN_MISTAKES]]
    return [
        mistake(dataset.show(int(places[i])), name, classes[truth[i]], classes[decided[i]], float(sure[i]))
        for i, name in zip(worst, dataset.names(places[worst]), strict=True)
    ]


def mistake(show: Mapping[str, Any], path: str, truth: str, decided: str, sure: float) -> Sample:
    """A sample, what the model said, how sure it was, and what is true."""
    said = {"said": f"{decided} at {SHARE.value(sure)}", "truth": truth}
    return Sample(show.get("image"), show.get("text"), path, said, "said")


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
            "python": snippet(kind, "bessemer.task.classify.alone"),
            "tensors": f"{kind.tensor(about)} `preprocess.json` says it in full; `logits` is one row a sample.",
        },
        "limits": [f"Lowest F1 by class: {lowest}."],
    }
