"""What the report says of a language model: bits per byte in place of accuracy, and what the model writes.

Fewer bits are better, so changes and gaps have their own words here.
"""

from __future__ import annotations

from typing import Any

from bessemer.report import format as say

Report = dict[str, Any]
LABEL = "bits per byte"


def metric(report: Report, role: str) -> dict[str, Any]:
    """Bits per byte of the parent or shipped model, with its interval; empty where it was not measured."""
    found: dict[str, Any] = ((report.get("metrics") or {}).get(role) or {}).get("bits_per_byte") or {}
    return found


def baselines(report: Report) -> list[tuple[str, dict[str, Any]]]:
    """Name and bits per byte of each simple means, the worst first."""
    every = (report.get("baseline") or {}).get("every") or []
    found = [(str(one.get("name")), one.get("bits_per_byte") or {}) for one in every]
    known = [one for one in found if say.known(one[1].get("value"))]
    return sorted(known, key=lambda one: -one[1]["value"])


def measures(report: Report) -> list[tuple[str, dict[str, Any]]]:
    """All that is known in bits per byte: simple means first, then the models."""
    models = [(role, metric(report, role)) for role in ("parent", "shipped")]
    return baselines(report) + [one for one in models if say.known(one[1].get("value"))]


def headline(report: Report) -> str:
    """The result of the run in a sentence or two."""
    role = "shipped" if metric(report, "shipped") else "parent"
    found = metric(report, role)
    if not say.known(found.get("value")):
        return "No model is measured yet."
    scored = report.get("scored") or {}
    size = f" of {say.plural(scored['documents'], 'document')}" if say.known(scored.get("documents")) else ""
    return (
        f"The {role} model says the test split{size} in {say.bits(found['value'])} bits per byte. "
        "Language models are not compressed yet: what ships is the parent."
    )


def compared(report: Report) -> str:
    """The model against the best of the simple means, in a sentence; empty where one is not measured."""
    value, known = metric(report, "parent").get("value"), baselines(report)
    if not known or not say.known(value):
        return ""
    name, best = known[-1]
    gap = best["value"] - value
    reach = f"{name} takes {say.bits(best['value'])} bits per byte on the same test documents"
    if round(gap, 3) <= 0:
        return f"The model does not beat the baseline: {reach}, the model {say.bits(value)}."
    better = f"The model takes {say.bits(gap)} bits per byte less than the baseline"
    high = metric(report, "parent").get("high")
    if say.known(high) and high >= best["value"]:
        return f"{better}, which may be chance: {reach}, and the model's 95% interval ends at {say.bits(high)}."
    return f"{better}: {reach}."


def cells(report: Report) -> tuple[str, str, str, str, str]:
    """Parent, shipped, change, and the intervals of both, as the table of results writes them."""
    parent, shipped = metric(report, "parent"), metric(report, "shipped")
    before, after = parent.get("value"), shipped.get("value")
    change = ""
    if say.known(before) and say.known(after):
        change = f"{after - before:+.3f}" if round(after - before, 3) else "the same"
    return say.bits(before), say.bits(after), change, say.bits_interval(parent), say.bits_interval(shipped)


def perplexity(report: Report, role: str) -> str:
    """Perplexity of a token, which depends on the vocabulary."""
    found = (((report.get("metrics") or {}).get(role) or {}).get("perplexity") or {}).get("value")
    return say.significant(found) if say.known(found) else say.NOT_MEASURED


def continuations(report: Report) -> list[dict[str, Any]]:
    """Prompts and what came after them, fit for the page."""
    return [
        {
            "path": str(one.get("path", "")),
            "ended": bool(one.get("ended")),
            **{name: say.visible(str(one.get(name, ""))) for name in ("prompt", "model", "document")},
        }
        for one in report.get("continuations") or []
    ]


def task(report: Report) -> list[str]:
    """What the model does, for its card."""
    tokens = (report.get("data") or {}).get("tokens") or {}
    read = ((report.get("recipe") or {}).get("model") or {}).get("context")
    return [
        f"It says the next token of a text: one of {say.count(tokens.get('vocabulary'))}, from up to "
        f"{say.count(read)} tokens before. It knows every byte, so it takes any text."
    ]
