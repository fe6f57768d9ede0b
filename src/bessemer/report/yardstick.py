"""What the headline measure is worth: beside a simple baseline, and beside other simple means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bessemer.report import facts
from bessemer.report import format as say
from bessemer.report.facts import Report
from bessemer.report.units import Unit

SIMPLE = "simple"  # the step that puts the simple model in place of the network


@dataclass(frozen=True)
class Reached:
    """The headline on the test split; `metric` holds its `value` and, where known, `low` and `high` (95%)."""

    name: str
    metric: dict[str, Any]

    @property
    def value(self) -> float:
        """In the measure's own numbers."""
        return float(self.metric["value"])


def baseline(report: Report) -> Reached | None:
    """The best of the simple means on the same splits, or None where none was run."""
    return _reached(report, report.get("baseline") or {})


def strongest(report: Report) -> Reached | None:
    """The simple means that reach most on the test split: the baseline, or one beside it; None where none was run.

    What was chosen on held-out training samples need not be the best, and a model has to beat them all.
    """
    first, measure = baseline(report), facts.headline_measure(report)
    for one in others(report):
        if first is not None and measure.gain(first.value, one.value) > 0:
            first = one
    return first


def extent(report: Report) -> str:
    """On how much of the training split the baseline was trained, in a sentence; empty where on all of it."""
    found = report.get("baseline") or {}
    amount, parts = found.get("amount") or {}, []
    if known_less(found.get("trained_on"), found.get("train_rows")):
        samples = say.plural(found["train_rows"], f"training {facts.sample_noun(report)}")
        parts.append(f"{found['trained_on']:,} of {samples}")
    if known_less(amount.get("trained_on"), amount.get("of")):
        parts.append(f"{amount['trained_on']:,} of {amount['of']:,} {amount['unit']}")
    return f"The simple model was trained on {', '.join(parts)}." if parts else ""


def known_less(part: Any, whole: Any) -> bool:
    """Whether both are known, and one is less than the other."""
    return say.known(part) and say.known(whole) and part < whole


def others(report: Report) -> list[Reached]:
    """The other simple means, such as always giving the same answer."""
    every = (report.get("baseline") or {}).get("also") or []
    return [found for one in every if (found := _reached(report, one)) is not None]


def _reached(report: Report, found: dict[str, Any]) -> Reached | None:
    metric = (found.get("metrics") or {}).get(facts.headline_measure(report).name) or {}
    return Reached(str(found.get("name", "baseline")), metric) if say.known(metric.get("value")) else None


def every(report: Report) -> list[Reached]:
    """All that is known of quality, from the least to the most that was done for it."""
    models = [
        Reached(role, facts.metric(report, role)) for role in facts.ROLES if facts.value(report, role) is not None
    ]
    simple = baseline(report)
    return [*others(report), *([simple] if simple else []), *models]


def compared(report: Report) -> str:
    """The model against the best of the simple means, in a sentence; empty where one of them is not measured."""
    simple, (role, value), measure = strongest(report), _model(report), facts.headline_measure(report)
    if simple is None or value is None:
        return ""
    if ships_simple(report):
        return _simple_ships(report, value)
    unit, gap = measure.unit, measure.gain(simple.value, value)
    noun = facts.sample_noun(report)
    reach = f"{simple.name} reaches {unit.told(simple.value)} on the same test {noun}s"
    if _rounded(unit, gap) == 0:
        return (
            f"The {role} model does not beat the baseline, and is no worse: {reach}, the model {unit.told(value)}."
        )
    if measure.best is not None and simple.value == measure.best:
        nothing = f"The {role} model does not beat the baseline, and nothing could"
        return f"{nothing}: {reach}, the model {unit.told(value)}."
    if _rounded(unit, gap) < 0:
        name, given = f"{simple.name[0].upper()}{simple.name[1:]}", unit.told(value)
        amount = f"{measure.label} {unit.value(simple.value)} against {given} of the {role} model"
        return f"{name} is better: {amount}, on the same test {noun}s."
    better = f"The {role} model is {unit.change(gap, signed=False)} better than the baseline"
    end = simple.metric.get("high" if measure.higher_is_better else "low")
    if say.known(end) and measure.gain(end, value) <= 0:
        return f"{better}, which may be chance: {reach}, and its 95% interval ends at {unit.told(end)}."
    own = facts.metric(report, role).get("low" if measure.higher_is_better else "high")
    if not say.known(end) and say.known(own) and measure.gain(simple.value, own) <= 0:
        return f"{better}, which may be chance: {reach}, and the model's 95% interval ends at {unit.told(own)}."
    return f"{better}: {reach}."


def ships_simple(report: Report) -> bool:
    """Whether what ships is the simple model itself."""
    chosen = facts.chosen(report) or {}
    return any(step.get("step") == SIMPLE for step in chosen.get("steps") or [])


def _simple_ships(report: Report, value: float) -> str:
    measure, parent = facts.headline_measure(report), facts.value(report, "parent")
    unit, noun = measure.unit, facts.sample_noun(report)
    reach = f"The simple model ships: it reaches {unit.told(value)} on the test {noun}s"
    if parent is None:
        return f"{reach}."
    network = f"the network that was trained {unit.told(parent)}"
    return f"{reach}, {network}. It is fitted in seconds, and small."


def beaten(report: Report) -> bool:
    """Whether a simple model is known and better than the network; a tie is none."""
    if ships_simple(report):
        return False
    simple, (_, value), measure = strongest(report), _model(report), facts.headline_measure(report)
    if simple is None or value is None:
        return False
    return _rounded(measure.unit, measure.gain(simple.value, value)) < 0


def _rounded(unit: Unit, gain: float) -> float:
    """A gain as far as it is written: what rounds to nothing is none."""
    return round(unit.scale * gain, unit.decimals)


def warnings(report: Report) -> list[str]:
    """What a reader must know before trusting the verdict; first, where a simple model is better."""
    chance = [_chance(report, role) for role in facts.ROLES]
    told = (report.get("card") or {}).get("mind") or []  # by the task
    worse = compared(report) if beaten(report) else ""
    return [text for text in (worse, *chance, extent(report), *told) if text]


def _chance(report: Report, role: str) -> str:
    """Said where a model's interval reaches down to the least of the simple means: then it may know nothing."""
    measure, metric = facts.headline_measure(report), facts.metric(report, role)
    worst = metric.get("low" if measure.higher_is_better else "high", metric.get("value"))
    simple = others(report)
    if not simple or not say.known(worst) or measure.gain(simple[0].value, worst) > 0:
        return ""
    unit = measure.unit
    between = f" ({unit.interval(metric)})" if unit.interval(metric) else ""
    meant = " Keeping that means little." if role == "parent" else ""
    verb = "is" if measure.gain(simple[0].value, metric["value"]) <= 0 else "may be"
    reach = f"{simple[0].name}, which reaches {unit.told(simple[0].value)}"
    own = f"its {measure.label} is {unit.value(metric['value'])}{between}"
    return f"The {role} model {verb} no better than {reach}: {own}.{meant}"


def _model(report: Report) -> tuple[str, float | None]:
    """The shipped model's headline, or the parent's where nothing shipped."""
    value = facts.value(report, "shipped")
    return ("shipped", value) if value is not None else ("parent", facts.value(report, "parent"))
