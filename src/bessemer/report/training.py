"""How each training went, in words: its time and memory, and what was skipped, resumed or stopped early."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bessemer.report import format as say
from bessemer.report.tracking import curves

Report = Mapping[str, Any]
MUCH = 0.01  # share of the time
MANY = 8  # places that are named one by one


def waited_much(told: Mapping[str, Any]) -> bool:
    """Whether training waited for its data longer than is worth no mention."""
    stall = told.get("stall")
    return say.known(stall) and stall > MUCH


def skipped(told: Mapping[str, Any]) -> list[int]:
    """Steps that moved nothing, counted from 1: skipped by the guard, or left out when weights went back."""
    spans = [range(gap["to"] + 1, gap["at"] + 2) for gap in told.get("rewinds") or []]
    return sorted({step + 1 for step in told.get("skipped") or []}.union(*spans))


def ended_early(told: Mapping[str, Any], points: Sequence[Mapping[str, Any]]) -> int | None:
    """The step at which early stopping ended a training, or None."""
    planned = told.get("steps")
    last = points[-1]["step"] if points else None
    return last if last is not None and say.known(planned) and last < planned else None


def sentences(report: Report) -> list[tuple[str, str]]:
    """For each learning curve its name, and how that training went."""
    every = curves(report)
    found = report.get("training") or {}
    return [(name, _told(found[name], points)) for name, points in every.items() if name in found]


def _told(told: Mapping[str, Any], points: Sequence[Mapping[str, Any]]) -> str:
    early = ended_early(told, points)
    steps = say.plural(points[-1]["step"], "step")
    clauses = [f"{steps} in {say.seconds(told.get('seconds'))}"]
    if early is not None:
        clauses.append(f"stopped early, of {say.count(told['steps'])} planned")
    if (told.get("attempts") or 0) > 1:
        places = _steps("after step", told.get("resumed") or [])
        clauses.append(f"{told['attempts']} attempts" + (f", resumed {places}" if places else ""))
    left_out = skipped(told)
    if left_out:
        clauses.append(f"{say.plural(len(left_out), 'step')} skipped ({_steps('step', left_out)})")
    for gap in told.get("rewinds") or []:
        clauses.append(f"went back to the weights of step {gap['to']} after step {gap['at'] + 1}")
    if waited_much(told):
        clauses.append(f"waited {100 * told['stall']:.1f}% of the time for data")
    if told.get("memory"):
        clauses.append(f"peak memory {say.size(told['memory'])}")
    return "; ".join(clauses)


def _steps(word: str, steps: Sequence[int]) -> str:
    """`step 4`, or `steps 4, 9 and 12 to 15`; of many, the first."""
    named = _ranges(steps)
    if not named:
        return ""
    named = [*named[:MANY], *(["others"] if len(named) > MANY else [])]
    few = ", ".join(named[:-1])
    return f"{word}{'s' if len(steps) > 1 else ''} {f'{few} and ' if few else ''}{named[-1]}"


def _ranges(steps: Sequence[int]) -> list[str]:
    """Sorted steps, those in a row as `291 to 303`."""
    rows: list[list[int]] = []
    for step in steps:
        if rows and step == rows[-1][-1] + 1:
            rows[-1].append(step)
        else:
            rows.append([step])
    return [f"{say.count(row[0])} to {say.count(row[-1])}" if len(row) > 1 else say.count(row[0]) for row in rows]
