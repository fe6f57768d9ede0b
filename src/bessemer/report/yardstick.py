"""What an accuracy is worth: beside a simple baseline, and beside always giving the same answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bessemer.report import facts, language
from bessemer.report import format as say
from bessemer.report.facts import Report


@dataclass(frozen=True)
class Measure:
    """An accuracy on the test split; `metric` holds its `value` and, where known, `low` and `high` (95%)."""

    name: str
    metric: dict[str, Any]

    @property
    def value(self) -> float:
        """The accuracy, as a share."""
        return float(self.metric["value"])


def baseline(report: Report) -> Measure | None:
    """The simple model that preparation trained on the same training samples, or None where it was not run."""
    found = report.get("baseline") or {}
    metric = found.get("accuracy") or {}
    return Measure(str(found.get("name", "baseline")), metric) if say.known(metric.get("value")) else None


def constant(report: Report) -> Measure | None:
    """Always answering the commonest class of the test split: what a model that learned nothing can reach."""
    data = report.get("data") or {}
    names, counts = data.get("classes") or [], (data.get("class_counts") or {}).get("test") or []
    if len(names) < 2 or len(names) != len(counts) or not sum(counts):
        return None
    place = max(range(len(counts)), key=counts.__getitem__)
    return Measure(f"always answering “{names[place]}”", {"value": counts[place] / sum(counts)})


def measures(report: Report) -> list[Measure]:
    """All that is known of quality, from the least to the most that was done for it."""
    if facts.is_language(report):
        return [Measure(name, metric) for name, metric in language.measures(report)]
    models = [
        Measure(role, facts.part(report, "metrics", role)["accuracy"])
        for role in facts.ROLES
        if facts.accuracy(report, role) is not None
    ]
    return [one for one in (constant(report), baseline(report), *models) if one is not None]


def compared(report: Report) -> str:
    """The model against the baseline, in a sentence; empty where one of them is not measured."""
    if facts.is_language(report):
        return language.compared(report)
    simple, (role, value) = baseline(report), _model(report)
    if simple is None or value is None:
        return ""
    gap = value - simple.value
    reach = f"{simple.name} reaches {say.percent(simple.value)} on the same test samples"
    if simple.value == 1:
        perfect = (
            f"{simple.name} makes no mistake on the same test samples, the model is right on {say.percent(value)}"
        )
        return f"The {role} model does not beat the baseline, and nothing could: {perfect}."
    if round(100 * gap, 2) <= 0:
        return f"The {role} model does not beat the baseline: {reach}, the model {say.percent(value)}."
    better = f"The {role} model is {say.points(gap)} better than the baseline"
    high = simple.metric.get("high")
    if say.known(high) and value <= high:
        return f"{better}, which may be chance: {reach}, and its 95% interval ends at {say.percent(high)}."
    return f"{better}: {reach}."


def beaten(report: Report) -> bool:
    """Whether the baseline is known and the model not better."""
    return "does not beat" in compared(report)


def warnings(report: Report) -> list[str]:
    """What a reader must know before trusting the verdict."""
    chance = [_chance(report, role) for role in facts.ROLES]
    return [text for text in (*chance, compared(report) if beaten(report) else "") if text]


def _chance(report: Report, role: str) -> str:
    """Said where a model's interval reaches down to what one constant answer gets: then it may know nothing."""
    metric, simplest = facts.part(report, "metrics", role).get("accuracy") or {}, constant(report)
    low = metric.get("low", metric.get("value"))
    if simplest is None or not say.known(low) or low > simplest.value:
        return ""
    between = f" ({say.interval(metric)})" if say.interval(metric) else ""
    meant = " Keeping that means little." if role == "parent" else ""
    verb = "is" if metric["value"] <= simplest.value else "may be"
    reach = f"{simplest.name}, which is right on {say.percent(simplest.value)} of the test samples"
    accuracy = f"its accuracy is {say.percent(metric['value'])}{between}"
    return f"The {role} model {verb} no better than {reach}: {accuracy}.{meant}"


def _model(report: Report) -> tuple[str, float | None]:
    """The shipped model's accuracy, or the parent's where nothing shipped."""
    value = facts.accuracy(report, "shipped")
    return ("shipped", value) if value is not None else ("parent", facts.accuracy(report, "parent"))
