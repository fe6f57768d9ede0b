"""The Pareto chart: what each candidate keeps of the headline measure, against the time that it takes."""

from __future__ import annotations

import statistics
from typing import Any

from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from bessemer.report import facts
from bessemer.report import format as say
from bessemer.report.drawing import CARD, GOOD, INK, MUTED, PARENT, SHIPPED, THIRD, Labels, draw, short
from bessemer.report.units import Measure

# Candidates further below the best than so many times the permitted loss are drawn on the chart's lower edge.
DEPTH = 4
MARKERS = {"fp32": ("o", PARENT), "int8": ("D", SHIPPED)}


def pareto(report: dict[str, Any]) -> str:
    """Quality against latency of all candidates; the area of a marker follows the size of the file."""
    batch = facts.contract_batch(report)
    shown = [one for one in facts.candidates(report) if _measured(one, batch)]
    if not shown or batch is None:
        return ""
    name = facts.headline_measure(report).label
    label = f"{name[0].upper()}{name[1:]} against latency at batch {batch} of {len(shown)} candidates"
    return draw("pareto", label, 4.6, lambda figure: _pareto(figure.subplots(), report, shown, batch))


def _measured(candidate: dict[str, Any], batch: str | None) -> bool:
    latency = (candidate.get("latency_ms") or {}).get(batch)
    return say.known(candidate.get("quality")) and say.known(latency) and latency > 0


def _pareto(axes: Any, report: dict[str, Any], shown: list[dict[str, Any]], batch: str) -> None:
    latency = [one["latency_ms"][batch] for one in shown]
    measure = facts.headline_measure(report)
    heights, true = _heights(report, shown)
    margin = max(0.15 * (max(heights) - min(heights)), 0.002 * abs(max(heights)) or 0.1)
    axes.set_ylim(min(heights) - margin, max(heights) + margin)
    if max(latency) / min(latency) > 8:
        axes.set_xscale("log")
        axes.xaxis.set(major_locator=LogLocator(subs=(1, 2, 5)), minor_locator=NullLocator())
        axes.set_xlim(min(latency) / 1.3, max(latency) * 1.6)
    else:
        axes.set_xlim(max(0, min(latency) - 0.12 * max(latency)), max(latency) * 1.15)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{abs(value):g}"))
    unit = f" [{measure.unit.sign}]" if measure.unit.sign else ""
    axes.set(xlabel=f"latency at batch {batch} [ms]", ylabel=f"{measure.label} on the validation split{unit}")
    _region(axes, report, shown, batch)
    _front(axes, list(zip(latency, heights, strict=True)))
    _markers(axes, shown, latency, heights, true, measure)


def _up(measure: Measure) -> int:
    """Better is drawn higher: where lower is better, the axis runs down."""
    return 1 if measure.higher_is_better else -1


def _heights(report: dict[str, Any], shown: list[dict[str, Any]]) -> tuple[list[float], list[float]]:
    """Where candidates are drawn, none far below the best, and where they would stand."""
    measure = facts.headline_measure(report)
    true = [_up(measure) * measure.unit.scale * one["quality"] for one in shown]
    parent = statistics.median(one.get("parent_quality") or one["quality"] for one in shown)
    lost = most_lost((facts.contract(report).get("terms") or {}).get("max_drop"), parent)
    depth = DEPTH * measure.unit.scale * max(lost or 0.05 * abs(parent), 0.005 * abs(parent))
    return [max(height, max(true) - depth) for height in true], true


def most_lost(term: Any, parent: float) -> float | None:
    """What `max_drop` allows, in the measure's own numbers: it may be a share of the parent's value."""
    if isinstance(term, str):
        return float(term.removesuffix("%")) / 100 * abs(parent)
    return float(term) if say.known(term) else None


def _region(axes: Any, report: dict[str, Any], shown: list[dict[str, Any]], batch: str) -> None:
    """Shades where the contract's accuracy and latency terms are met."""
    asked = facts.contract(report).get("terms") or {}
    if not any(asked.get(name) for name in ("max_drop", "min_speedup", "max_latency_ms")):
        return
    left, right = axes.get_xlim()
    floor, top = axes.get_ylim()
    measure = facts.headline_measure(report)
    parents = [one["parent_quality"] for one in shown if say.known(one.get("parent_quality"))]
    if parents and (lost := most_lost(asked.get("max_drop"), statistics.median(parents))) is not None:
        floor = max(
            floor, _up(measure) * measure.unit.scale * statistics.median(parents) - measure.unit.scale * lost
        )
    slowest = [right, asked.get("max_latency_ms") or right]
    speeds = [one["latency_ms"][batch] * one["speedup"] for one in shown if say.known(one.get("speedup"))]
    if asked.get("min_speedup") and speeds:
        slowest.append(statistics.median(speeds) / asked["min_speedup"])
    edge = {"alpha": 0.1, "color": GOOD, "linewidth": 0, "label": "within the limits", "zorder": 0}
    axes.fill_between([left, min(slowest)], floor, top, **edge)
    corner = [left, min(slowest), min(slowest)], [floor, floor, top]
    axes.plot(*corner, color=GOOD, lw=1, ls=(0, (4, 3)), zorder=1)
    axes.set_xlim(left, right)


def _front(axes: Any, spots: list[tuple[float, float]]) -> None:
    front: list[tuple[float, float]] = []
    for spot in sorted(spots, key=lambda spot: (spot[0], -spot[1])):
        if not front or spot[1] > front[-1][1]:
            front.append(spot)
    axes.step(*zip(*front, strict=True), where="post", color=MUTED, lw=1, label="Pareto front", zorder=1)


def _markers(
    axes: Any,
    shown: list[dict[str, Any]],
    latency: list[float],
    heights: list[float],
    true: list[float],
    measure: Measure,
) -> None:
    largest = max((one.get("bytes") or 0 for one in shown), default=0) or 1
    seen: set[str] = set()
    for one, x, y, place in zip(shown, latency, heights, true, strict=True):
        kind = str(one.get("format", ""))
        marker, color = MARKERS.get(kind, ("s", THIRD))
        area = 30 + 330 * (one.get("bytes") or 0) / largest
        if one.get("chosen"):
            ring = {"marker": "o", "facecolor": "none", "edgecolor": INK, "lw": 1.6, "label": "chosen"}
            axes.scatter(x, y, s=2.2 * area + 60, **ring)
        below = place < y - 1e-9
        style = {"alpha": 0.85} if one.get("met") else {"facecolor": CARD}
        axes.scatter(x, y, s=area, marker="v" if below else marker, color=color, lw=1.4, zorder=3, **style)
        if kind not in seen:
            axes.scatter([], [], s=36, marker=marker, color=color, label=kind)
            seen.add(kind)
    axes.scatter([], [], s=36, marker="o", facecolor=CARD, edgecolor=MUTED, label="misses a term")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncol=8, labelcolor=INK)
    axes.figure.canvas.draw()  # settles the layout, which the labels' places depend on
    labels = Labels(axes, list(zip(latency, heights, strict=True)))
    order = sorted(zip(shown, latency, heights, true, strict=True), key=lambda item: not item[0].get("chosen"))
    for one, x, y, place in order:
        note = f" ({measure.unit.value(one['quality'])})" if place < y - 1e-9 else ""
        bold = {"color": INK, "weight": "bold"} if one.get("chosen") else {"color": MUTED}
        labels.place((x, y), short(one["name"], 28) + note, **bold)
