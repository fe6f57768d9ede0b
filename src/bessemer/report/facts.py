"""What the report says, picked out of its dict once, so that page, card and terminal tell the same story."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bessemer.report import format as say
from bessemer.report.units import PLAIN, Measure, measure_from

Report = dict[str, Any]
ROLES = ("parent", "shipped")
DROP = "max_drop"  # the term that speaks of the headline measure
LEAD = "beat_baseline"  # of a simple model, over what ships


@dataclass(frozen=True)
class Row:
    """One line of the table that sets the parent against the shipped model; people read `label`, code `name`."""

    name: str
    label: str
    parent: str
    shipped: str
    change: str = ""
    parent_note: str = ""
    shipped_note: str = ""


@dataclass(frozen=True)
class Term:
    """One term of the contract; `met` is None where it was never measured."""

    name: str
    label: str
    limit: str
    value: str
    met: bool | None

    @property
    def state(self) -> str:
        """`met`, `missed` or `not measured`."""
        return say.NOT_MEASURED if self.met is None else "met" if self.met else "missed"


def part(report: Report, key: str, role: str) -> dict[str, Any]:
    """`report[key][role]`, or an empty dict where that was not measured."""
    return (report.get(key) or {}).get(role) or {}


def measures(report: Report) -> list[Measure]:
    """What the task of the run measures, the headline first."""
    return [measure_from(one) for one in report.get("measures") or []] or [Measure("quality", "quality", PLAIN)]


def headline_measure(report: Report) -> Measure:
    """The measure that the contract, the curves and the ledger speak of."""
    return measures(report)[0]


def beside_headline(report: Report) -> list[Measure]:
    """The measures that are told wherever the headline is."""
    return [measure for measure in measures(report)[1:] if measure.beside]


def metric(report: Report, role: str, name: str = "") -> dict[str, Any]:
    """A measure of one model on the test split, by default the headline; empty where it was not measured."""
    return part(report, "metrics", role).get(name or headline_measure(report).name) or {}


def value(report: Report, role: str) -> float | None:
    """The headline measure of one model on the test split."""
    found = metric(report, role).get("value")
    return float(found) if say.known(found) else None


def sample_noun(report: Report) -> str:
    """What one row of a batch is called."""
    return str(report.get("sample_noun") or "sample")


def contract(report: Report) -> dict[str, Any]:
    """The contract's result, or an empty dict before compression."""
    return report.get("contract") or {}


def candidates(report: Report) -> list[dict[str, Any]]:
    """All candidates that compression tried."""
    return contract(report).get("candidates") or []


def chosen(report: Report) -> dict[str, Any] | None:
    """The candidate that ships, or None."""
    return next((candidate for candidate in candidates(report) if candidate.get("chosen")), None)


def verdict(report: Report) -> str:
    """`contract met`, `contract refused`, `contract not judged yet`, `not run`, or `no contract` can be."""
    if asks_nothing(report):
        return say.NO_CONTRACT
    if not contract(report):
        return say.NOT_RUN
    met = contract(report).get("met")
    return "contract not judged yet" if met is None else "contract met" if met else "contract refused"


def asks_nothing(report: Report) -> bool:
    """Whether the recipe ships the parent as it is."""
    recipe = report.get("recipe") or {}
    return "compress" in recipe and recipe["compress"] is None


def batches(report: Report) -> list[str]:
    """Batch sizes at which latency was measured, smallest first."""
    found = {batch for role in ROLES for batch in part(report, "latency", role)}
    found |= {batch for candidate in candidates(report) for batch in candidate.get("latency_ms") or {}}
    return sorted(found, key=int)


def contract_batch(report: Report) -> str | None:
    """The batch size that the contract's speed-up is about; the largest measured where no contract was run."""
    stated = contract(report).get("batch")
    return str(stated) if stated is not None else next(reversed(batches(report)), None)


def median(report: Report, role: str, batch: str | None) -> float | None:
    """Median latency in milliseconds of the parent or shipped model."""
    value = (part(report, "latency", role).get(batch or "") or {}).get("median_ms")
    return float(value) if say.known(value) else None


def size_ratio(report: Report) -> float | None:
    """How many times smaller the shipped file is."""
    parent, shipped = (part(report, "sizes", role).get("bytes") for role in ROLES)
    return say.ratio(parent, shipped)


def speedup(report: Report) -> float | None:
    """How many times faster the shipped model is, at the contract's batch size."""
    measured = (contract(report).get("measured") or {}).get("speedup")
    if say.known(measured):
        return float(measured)
    batch = contract_batch(report)
    return say.ratio(median(report, "parent", batch), median(report, "shipped", batch))


def headline(report: Report) -> str:
    """The result of the run in one or two sentences."""
    if contract(report) and contract(report).get("met") is False:
        return _refused(report)
    if contract(report) and contract(report).get("met") is None:
        return (
            f"{contract(report).get('chosen')} meets the contract on the validation split; export will judge it."
        )
    measure, parent, shipped = headline_measure(report), value(report, "parent"), value(report, "shipped")
    if shipped is not None and not asks_nothing(report):
        return _shipped(report)
    if shipped is not None:
        return f"The model reaches {measure.words(shipped)} on the test split. It ships as it was trained."
    if parent is None:
        return "No model is measured yet."
    return f"The parent reaches {measure.words(parent)} on the test split. Compression was not run."


def _shipped(report: Report) -> str:
    compared = [
        say.compared(size_ratio(report), "smaller", "larger"),
        say.compared(speedup(report), "faster", "slower"),
    ]
    clauses = [" and ".join(filter(None, compared))]
    clauses = [f"is {clauses[0]} than its parent"] if clauses[0] else []
    measure, parent, shipped = headline_measure(report), value(report, "parent"), value(report, "shipped")
    if parent is None or shipped is None:
        clauses.append(f"reaches {measure.words(shipped)}")
    else:
        clauses.append(_quality_clause(measure, measure.gain(parent, shipped)))
    return f"The shipped model {' and '.join(clauses)}."


def _quality_clause(measure: Measure, gain: float) -> str:
    if round(measure.unit.scale * gain, measure.unit.decimals) == 0:
        return f"keeps its {measure.label}"
    if measure.higher_is_better:
        return f"{'loses' if gain < 0 else 'gains'} {measure.difference(gain)}"
    amount = measure.unit.change(abs(gain), signed=False, word=measure.unit.difference != measure.label)
    return f"{'raises' if gain < 0 else 'lowers'} its {measure.label} by {amount}"


def _refused(report: Report) -> str:
    tried = candidates(report)
    if not tried:
        return "No candidate meets the contract, so nothing ships."
    selected = chosen(report)
    if selected is not None:
        limits = _limits(report, [line.name for line in terms(report) if line.met is False])
        name = selected["name"]
        return f"{name} meets the contract on the validation split, but misses {limits} on the test split."
    nearest = min(tried, key=lambda one: (len(one.get("missed") or []), one.get("drop") or 0.0))
    refusal = "No candidate meets the contract, so nothing ships."
    return f"{refusal} {nearest['name']} comes nearest: it misses {_limits(report, nearest.get('missed') or [])}."


def _limits(report: Report, names: list[str]) -> str:
    """The limits on accuracy change and speed-up, in words."""
    words = " and ".join(quantity(report, name) for name in names)
    return f"the limit on {words}" if words else "a term of the contract"


def quantity(report: Report, name: str) -> str:
    """What a contract term limits, in words: `accuracy change` for `max_drop`."""
    return f"{headline_measure(report).label} change" if name == DROP else say.quantity(name)


def terms(report: Report) -> list[Term]:
    """Every term that was asked for or judged unasked, with what was measured on the test split."""
    verdicts = {line["term"]: line for line in contract(report).get("verdict") or []}
    asked = contract(report).get("terms") or {}
    unasked = [name for name in verdicts if name not in asked]  # an int8 file must not be slower
    limits = {name: verdicts.get(name, {}).get("limit", asked.get(name)) for name in (*unasked, *asked)}
    return [
        _term(report, name, limit, verdicts.get(name, {})) for name, limit in limits.items() if limit is not None
    ]


def _term(report: Report, name: str, limit: Any, line: dict[str, Any]) -> Term:
    if name == LEAD:
        unit, lead = headline_measure(report).unit, line.get("value")
        told = (
            say.NOT_MEASURED
            if not say.known(lead)
            else "none"
            if lead <= 0
            else unit.change(abs(lead), signed=False)
        )
        return Term(name, "certain lead of a simple model", "none", told, line.get("met"))
    if name != DROP:
        label, form = say.term(name)
        return Term(name, label, form(limit), form(line.get("value")), line.get("met"))
    measure = headline_measure(report)
    bound = "at least" if measure.higher_is_better else "at most"
    shown = f"{limit} of the parent's" if isinstance(limit, str) else change_of(measure, limit)
    return Term(
        name, f"{measure.label} change {bound}", shown, change_of(measure, line.get("value")), line.get("met")
    )


def change_of(measure: Measure, loss: Any) -> str:
    """A loss as the change that it is: 0.01 of accuracy reads `-1.00 points`, of bits per byte `+0.010`."""
    if not say.known(loss):
        return say.NOT_MEASURED
    return measure.unit.change(-loss if measure.higher_is_better else loss)


def missed(report: Report) -> str:
    """The terms that the test split refused, as the tables write them: for the refusal's message."""
    lines = [line for line in terms(report) if line.met is False]
    return "; ".join(f"{line.label} {line.limit} ({line.name}), measured {line.value}" for line in lines)


def comparison(report: Report) -> list[Row]:
    """The parent against the shipped model: quality, size and latency, in words and figures."""
    sizes = [
        _size(report, "bytes", "size", ("smaller", "larger")),
        _size(report, "parameters", "parameters", ("fewer", "more")),
        _size(report, "flops", f"FLOPs a {sample_noun(report)}", ("fewer", "more")),
    ]
    quality = [_metric(report, measure) for measure in measures(report)]
    return quality + sizes + [_latency(report, batch) for batch in batches(report) or ["1", "64"]]


def _metric(report: Report, measure: Measure) -> Row:
    parent, shipped = (metric(report, role, measure.name) for role in ROLES)
    before, after, unit = parent.get("value"), shipped.get("value"), measure.unit
    return Row(
        measure.name,
        measure.label,
        unit.value(before),
        unit.value(after),
        unit.change(after - before) if say.known(before) and say.known(after) else "",
        unit.interval(parent),
        unit.interval(shipped),
    )


def _size(report: Report, key: str, label: str, words: tuple[str, str]) -> Row:
    parent, shipped = (part(report, "sizes", role).get(key) for role in ROLES)
    form = say.size if key == "bytes" else say.count
    return Row(key, label, form(parent), form(shipped), say.compared(say.ratio(parent, shipped), *words))


def latency_row(batch: str | None) -> str:
    """The name of the row of one batch size."""
    return f"latency {batch}"


def _latency(report: Report, batch: str) -> Row:
    parent, shipped = median(report, "parent", batch), median(report, "shipped", batch)
    tails = [(part(report, "latency", role).get(batch) or {}).get("p90_ms") for role in ROLES]
    notes = [f"p90 {say.milliseconds(tail)}" if say.known(tail) else "" for tail in tails]
    same = asks_nothing(report)  # one file, timed twice
    change = "" if same else say.compared(say.ratio(parent, shipped), "faster", "slower")
    values = (say.milliseconds(parent), say.milliseconds(shipped))
    return Row(latency_row(batch), f"latency, batch {batch}", *values, change, *notes)
