"""Raw data to a prepared data set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bessemer.config import keyed
from bessemer.prepare.source import fingerprint
from bessemer.recipe import Recipe
from bessemer.report.blocks import plain
from bessemer.stages.context import Context
from bessemer.stages.stage import Stage

if TYPE_CHECKING:
    from bessemer.data.dataset import Dataset
    from bessemer.data.kind import Kind


SHOWN_SAMPLES = 24
SHOWN_A_REASON = 8
SHOWN_ISSUES = 60
NOT_TOLD = ("files", "inputs", "texts", "streams", "arguments", "preprocess")


def settings(recipe: Recipe) -> dict[str, Any]:
    """How data is read and cleaned, and a mark of what the sources hold: their place does not matter."""
    return {
        "data": keyed(recipe.data),
        "task": recipe.task,
        "seed": recipe.seed,
        "source": fingerprint(recipe.data),
    }


def body(context: Context) -> None:
    """Prepare the data and show a few samples of it."""
    from bessemer.data.dataset import Dataset
    from bessemer.prepare.prepare import prepare as prepare_data
    from bessemer.report.prepared import account_told

    recipe, task = context.recipe, context.task
    about = prepare_data(
        recipe.data,
        recipe.seed,
        context.out,
        context.progress,
        labelled=task.labelled,
        finish=task.finish(),
        numbers=task.has_numbers,
    )
    dataset = Dataset(context.out)
    facts = {name: value for name, value in about.items() if name not in NOT_TOLD}
    facts["samples"] = some_samples(context, dataset)
    facts["quarantined_samples"] = some_quarantined(context, dataset.kind)
    issues = about.get("label_issues", [])
    facts["label_issues"] = [shown(dataset, issue) for issue in issues[:SHOWN_ISSUES]] + issues[SHOWN_ISSUES:]
    facts["blocks"] = [plain(block) for block in task.of_data(about)]
    measures = [measure.as_dict() for measure in task.measures_of(about)]
    for line in account_told(facts):
        context.progress.note(f"  {line}")
    context.write_facts({"data": facts, "measures": measures, "sample_noun": task.sample})


STAGE = Stage("prepare", (), settings, body)


def some_samples(context: Context, dataset: Dataset) -> list[dict[str, Any]]:
    """Training samples of every class."""
    import numpy as np

    from bessemer.data.split import take_count

    train, places = dataset.split("train"), dataset.positions("train")
    classes = dataset.about["classes"]
    chosen = take_count(train.labels, train.ids, SHOWN_SAMPLES, context.recipe.seed)
    first = train.labels.reshape(len(train), -1)[:, 0]
    chosen = chosen[np.argsort(first[chosen], kind="stable")]
    if context.task.has_numbers:
        told = [", ".join(f"{one:g}" for one in np.atleast_1d(row)) for row in train.labels[chosen]]
    else:
        told = [classes[int(one)] for one in train.labels[chosen].tolist()]
    return [{**dataset.show(int(places[i])), "label": label} for i, label in zip(chosen, told, strict=True)]


def some_quarantined(context: Context, kind: Kind) -> list[dict[str, Any]]:
    """The first rows of each reason, shown where that is possible."""
    from bessemer.prepare.accounts import read_quarantine

    counts: dict[str, int] = {}
    found = []
    for row in read_quarantine(context.out).to_pylist():
        counts[row["reason"]] = counts.get(row["reason"], 0) + 1
        if counts[row["reason"]] <= SHOWN_A_REASON:
            path = ", ".join(filter(None, (row["origin"], row["place"])))
            told = {name: row[name] for name in ("reason", "detail", "kind")}
            found.append({"path": path, **told, "shown": kind.show_raw(row["value"]) if row["value"] else None})
    return found


def shown(dataset: Dataset, issue: dict[str, Any]) -> dict[str, Any]:
    """A probable label error with its sample."""
    one = dataset.show(issue["sample"])
    return {**issue, "shown": one["image"] or one["text"]}
