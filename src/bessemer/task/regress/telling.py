"""What the report says of a regression: errors of each target, said against true numbers, the worst samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bessemer.data.histogram import histogram
from bessemer.data.kinds import find_kind
from bessemer.measure.numbers import measures, moments_of
from bessemer.report.blocks import Block, Column, Curves, Gallery, Histogram, Sample, Section, Table
from bessemer.report.units import PLAIN, Unit, unit_for
from bessemer.task.alone import snippet
from bessemer.task.task import Records, Shown

SHOWN_WORST = 24
LISTED = 30  # targets that the card names; the others are counted
DRAWN = 6  # targets whose errors are drawn; the table has all
PARTS = 20  # of the samples, by their true number, in the curves of what is said
LEAST = 5  # samples of a part
TABULAR = "tabular"  # the one kind of data whose regression model hubs know
Numbers = Sequence[Mapping[str, Any]]  # what `dataset.json` says of each target


def sections(shown: Shown) -> dict[str, Section]:
    """Errors of each target, what is said of which true numbers and, of what ships, the worst samples."""
    numbers = shown.dataset.about["numbers"]
    found = {
        "errors": errors(shown.role, numbers, shown.records, shown.parent),
        "fit": fit(shown.role, numbers, shown.records),
    }
    return found | ({"worst": worst(shown)} if shown.role == "shipped" else {})


def errors(role: str, numbers: Numbers, records: Records, parent: Records | None) -> Section:
    """A table of the targets, and how errors spread."""
    before = each(parent) if parent is not None else None
    columns = [Column("target"), *(Column(name) for name in ("RMSE", "MAE")), Column("R²", PLAIN)]
    columns += [Column("RMSE of the parent")] if before is not None else []
    columns += [Column("training deviation"), Column("training range")]
    rows = []
    for place, (one, (rmse, mae, share)) in enumerate(zip(numbers, each(records), strict=True)):
        unit = unit_for(one["std"])
        old = [unit.value(before[place][0])] if before is not None else []
        spread = f"{unit.value(one['low'])} to {unit.value(one['high'])}"
        rows.append([one["name"], unit.value(rmse), unit.value(mae), share, *old, unit.value(one["std"]), spread])
    blocks: list[Block] = [Table(columns, rows, noun="target")]
    off = records["said"].astype(np.float64) - records["truth"]
    for one, values in list(zip(numbers, off.T, strict=True))[:DRAWN]:
        bins = histogram(values[np.isfinite(values)])
        blocks.append(
            Histogram(bins["edges"], [int(count) for count in bins["counts"]], f"{one['name']}: said minus true")
        )
    lead = f"The {role} model on the test split; each target in its own unit."
    return Section("Errors", blocks, lead)


def each(records: Records) -> list[list[float]]:
    """RMSE, MAE and R² of each target, in its own unit; R² is not a number where there is one sample."""
    truth, said = records["truth"], records["said"]
    found = []
    for place in range(truth.shape[1]):
        one = moments_of(truth[:, [place]], said[:, [place]], np.ones(1))
        rmse, mae, share = measures(np.ones((1, len(truth))), one)[0].tolist()
        found.append([rmse, mae, share if len(truth) > 1 else np.nan])
    return found


def fit(role: str, numbers: Numbers, records: Records) -> Section:
    """What is said of samples with about the same true number: the middle, and where eight of ten answers lie."""
    blocks: list[Block] = [
        Curves(lines, f"true {one['name']}", f"said {one['name']}", str(one["name"]))
        for place, one in list(enumerate(numbers))[:DRAWN]
        if (lines := said_of_true(records["truth"][:, place], records["said"][:, place]))
    ]
    lead = (
        f"What the {role} model says of test samples, ordered by their true number and taken together in up to "
        f"{PARTS} parts. A good model keeps to the line of the truth."
    )
    return Section("Said and true", blocks, lead)


def said_of_true(truth: NDArray[Any], said: NDArray[Any]) -> dict[str, list[tuple[float, float]]]:
    """Lines over the mean true number of parts of the samples: median, 10% and 90% of what is said; the truth."""
    order = np.argsort(truth, kind="stable")
    parts = np.array_split(order, max(1, min(PARTS, len(order) // LEAST)))
    lines: dict[str, list[tuple[float, float]]] = {"median": [], "10%": [], "90%": [], "truth": []}
    for part in parts:
        middle = float(truth[part].mean(dtype=np.float64))
        low, median, high = np.percentile(said[part].astype(np.float64), [10, 50, 90])
        for name, value in (("median", median), ("10%", low), ("90%", high), ("truth", middle)):
            lines[name].append((middle, float(value)))
    return lines


def worst(shown: Shown) -> Section:
    """The samples with the largest errors, with their inputs."""
    dataset, records, places = shown.dataset, shown.records, shown.dataset.positions("test")
    numbers = dataset.about["numbers"]
    off = np.abs(records["said"].astype(np.float64) - records["truth"]) / [one["std"] for one in numbers]
    chosen = np.argsort(-off.max(1), kind="stable")[:SHOWN_WORST]
    units = [unit_for(one["std"]) for one in numbers]
    names = [one["name"] for one in numbers] if len(numbers) > 1 else [""]
    samples = []
    for i, path in zip(chosen, dataset.names(places[chosen]), strict=True):
        show = dataset.show(int(places[i]))
        told = {
            key: told_numbers(names, units, records[row][i]) for key, row in (("said", "said"), ("truth", "truth"))
        }
        samples.append(Sample(show.get("image"), show.get("text"), path, told, "said"))
    lead = "Test samples on which the shipped model is furthest off, in deviations of the target, the worst first."
    return Section("Largest errors", [Gallery(samples)], lead)


def told_numbers(names: Sequence[str], units: Sequence[Unit], row: NDArray[Any]) -> str:
    """The numbers of a sample in words; of one its value alone."""
    named = zip(names, units, row.tolist(), strict=True)
    return ", ".join(f"{name} {unit.value(number)}".strip() for name, unit, number in named)


def card(about: Mapping[str, Any]) -> dict[str, Any]:
    """What the model card says of a regression."""
    numbers, kind = about["numbers"], find_kind(about["modality"])
    names = [str(one["name"]) for one in numbers]
    listed = ", ".join(names[:LISTED]) + (f" and {len(names) - LISTED} more" if len(names) > LISTED else "")
    many = len(names) > 1
    ranges = [
        f"{one['name']} {unit_for(one['std']).value(one['low'])} to {unit_for(one['std']).value(one['high'])}"
        for one in numbers[:LISTED]
    ]
    outside = "Outside of it the model extrapolates, and nothing is known of its errors."
    says = "the numbers of raw files, by name" if many else f"{names[0]} of raw files"
    headline = "RMSE and MAE are means over targets, each in deviations of its target in the training split."
    return {
        "pipeline_tag": f"{TABULAR}-regression" if kind.tag == TABULAR else "other",
        "does": [
            f"It says {f'{len(names)} numbers' if many else 'a number'} of {kind.noun}: {listed}.",
            *([headline] if many else []),
        ],
        "use": {
            "example": kind.example,
            "says": says,
            "python": snippet(kind, "bessemer.task.regress.alone"),
            "tensors": f"{kind.tensor(about)} `preprocess.json` says it in full; `logits` is one row a sample: "
            f"{listed}, {'each ' if many else ''}in its own unit.",
        },
        "limits": [f"Range of the training targets: {'; '.join(ranges)}. {outside}"],
    }
