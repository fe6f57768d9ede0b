"""Charts of what the data is like: how long samples are, and the headline measure beside what it is worth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bessemer.report import block_charts, facts, yardstick
from bessemer.report import format as say
from bessemer.report.drawing import INK, LINE, MUTED, PARENT, SHIPPED, THIRD, draw, short
from bessemer.report.units import Measure


def lengths(report: dict[str, Any]) -> str:
    """Histograms of the length of kept samples and, for text, of their tokens, side by side."""
    data = report.get("data") or {}
    size, tokens = data.get("lengths") or {}, data.get("tokens") or {}
    panels = [(f"{size.get('name', 'Lengths')} [{size.get('unit', '')}]", size), ("Lengths [tokens]", tokens)]
    found = [{**one, "title": title, "noun": "samples"} for title, one in panels]
    return block_charts.histograms(found, "lengths", "Lengths of the samples")


def reached(report: dict[str, Any]) -> str:
    """The headline measure of simple means, the parent and the shipped model, with 95% intervals."""
    rows, measure = yardstick.every(report), facts.headline_measure(report)
    if not any(row.name in facts.ROLES for row in rows) or len(rows) < 2:
        return ""
    name = f"{measure.label[0].upper()}{measure.label[1:]}"
    paint = _shares if measure.unit.sign == "%" else _amounts
    label, height = f"{name} on the test split, with 95% intervals", 0.75 + 0.33 * len(rows)
    return draw("reached", label, height, lambda figure: paint(figure.subplots(), rows, measure))


def _shares(axes: Any, rows: Sequence[yardstick.Reached], measure: Measure) -> None:
    colors = {"parent": PARENT, "shipped": SHIPPED}
    for place, row in enumerate(rows):
        color, value = colors.get(row.name, MUTED if "low" in row.metric else THIRD), 100 * row.value
        axes.plot([0, 100], [place, place], color=LINE, lw=0.6, zorder=0)
        low, high = row.metric.get("low"), row.metric.get("high")
        if say.known(low) and say.known(high):
            axes.plot(
                [100 * low, 100 * high], [place, place], color=color, lw=5, alpha=0.35, solid_capstyle="butt"
            )
        axes.plot(value, place, marker="o", markersize=7, color=color)
        axes.text(103, place, measure.unit.value(row.value), va="center", fontsize=8.5, color=INK)
    axes.set(xlim=(-1, 112), xticks=range(0, 101, 20))
    _lines_of(axes, rows, f"{measure.label} on the test split [%]")


def _amounts(axes: Any, rows: Sequence[yardstick.Reached], measure: Measure) -> None:
    """Bars from nothing."""
    colors = {"parent": PARENT, "shipped": SHIPPED}
    most = max(row.metric.get("high", row.value) for row in rows)
    for place, row in enumerate(rows):
        axes.barh(place, row.value, color=colors.get(row.name, MUTED), height=0.5)
        low, high = row.metric.get("low"), row.metric.get("high")
        if say.known(low) and say.known(high):
            axes.plot([low, high], [place, place], color=INK, lw=1.2)
        axes.text(
            1.02 * max(row.value, high or 0),
            place,
            measure.unit.value(row.value),
            va="center",
            fontsize=8.5,
            color=INK,
        )
    axes.set(xlim=(0, 1.15 * most))
    better = "more" if measure.higher_is_better else "fewer"
    _lines_of(axes, rows, f"{measure.label} on the test split, {better} is better")


def _lines_of(axes: Any, rows: Sequence[yardstick.Reached], title: str) -> None:
    axes.set_yticks(range(len(rows)), [short(row.name, 44) for row in rows], color=INK)
    axes.set(ylim=(len(rows) - 0.5, -0.5))
    axes.set_title(title)
    axes.grid(visible=False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
