"""What a decider needs, in plain words: how good, against what, how sure, how fast, what to do next."""

from __future__ import annotations

from typing import Any

from bessemer.report import facts, yardstick
from bessemer.report import format as say

FEW = 300  # test samples below which intervals are wide


def answers(report: dict[str, Any], run: str = "RUN") -> list[tuple[str, str]]:
    """Each question with its answer; those that were not measured are left out. `run` is the run's folder."""
    told = [
        ("how good", _quality(report)),
        ("how sure", _certainty(report)),
        ("against what", yardstick.compared(report)),
        ("how fast", _speed(report)),
        ("what next", _next(report, run)),
    ]
    return [(question, answer) for question, answer in told if answer]


def _role(report: dict[str, Any]) -> str:
    return "parent" if facts.value(report, "shipped") is None else "shipped"


def _tested(report: dict[str, Any]) -> int | None:
    found = ((report.get("data") or {}).get("splits") or {}).get("test")
    return int(found) if say.known(found) else None


def _quality(report: dict[str, Any]) -> str:
    role, measure = _role(report), facts.headline_measure(report)
    value = facts.value(report, role)
    if value is None:
        return ""
    noun = str((report.get("data") or {}).get("noun") or "samples")
    count = _tested(report)
    on = f" on {say.count(count)} {noun} that it never saw" if count else ""
    beside = [
        f"{one.label} {one.unit.told(facts.metric(report, role, one.name).get('value'))}"
        for one in facts.beside_headline(report)
    ]
    return f"{', '.join([measure.words(value), *beside])}{on}"


def _certainty(report: dict[str, Any]) -> str:
    measure = facts.headline_measure(report)
    between = measure.unit.interval(facts.metric(report, _role(report)))
    if not between:
        return ""
    count = _tested(report)
    few = f"; {say.count(count)} for the test are few" if count is not None and count < FEW else ""
    return f"95% sure that it lies within {between} on data of the same kind{few}"


def _speed(report: dict[str, Any]) -> str:
    role, batches = _role(report), facts.batches(report)
    times = [
        f"{say.milliseconds(median)} for {say.plural(int(batch), facts.sample_noun(report))}"
        for batch in batches[:1] + batches[1:][-1:]
        if (median := facts.median(report, role, batch)) is not None
    ]
    size = facts.part(report, "sizes", role).get("bytes")
    threads = (report.get("recipe") or {}).get("threads")
    on = f" on {say.plural(threads, 'thread')}" if say.known(threads) else ""
    return ", ".join(filter(None, [" and ".join(times) + on, say.size(size) if say.known(size) else ""]))


def _next(report: dict[str, Any], run: str) -> str:
    if facts.value(report, "shipped") is None:
        return ""
    use = (report.get("card") or {}).get("use") or {}
    command = f"bessemer predict {run} {use.get('example', 'FILE')}"
    if yardstick.beaten(report):
        return "the simple model is better: train longer (train.epochs), add data, or use the simple one"
    if (report.get("card") or {}).get("mind"):
        return "more samples of the classes that it never gives; then look in the report where it errs"
    return f"look in the report where it errs, then use it: {command}"
