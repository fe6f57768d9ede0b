"""Charts of what the data is like: how long samples are, and the headline measure beside what it is worth."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from matplotlib.ticker import FuncFormatter, MaxNLocator

from bessemer.report import facts, yardstick
from bessemer.report import format as say
from bessemer.report.drawing import INK, LINE, MUTED, PARENT, SHIPPED, THIRD, draw, short
from bessemer.report.units import Measure

TITLES = {"characters": "length", "pixels": "size", "seconds": "length"}
EVEN = 1.05  # bins whose widths differ by no more than this factor stand on a plain scale
TICKS = 9


def lengths(report: dict[str, Any]) -> str:
    """Histograms of the length of kept samples and, for text, of their tokens, side by side."""
    data = report.get("data") or {}
    size, tokens = data.get("lengths") or {}, data.get("tokens") or {}
    unit = str(size.get("unit", ""))
    panels = [(f"{TITLES.get(unit, 'length')} [{unit}]", size), ("length [tokens]", tokens)]
    panels = [(title, one) for title, one in panels if _drawable(one)]
    if not panels:
        return ""

    def paint(figure: Any) -> None:
        for axes, (title, one) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
            _histogram(axes, title, one["edges"], one["counts"])

    return draw("lengths", "Lengths of the samples", 2.5, paint)


def _drawable(one: dict[str, Any]) -> bool:
    edges, counts = one.get("edges") or [], one.get("counts") or []
    rising = all(low < high for low, high in pairwise(edges))
    return bool(counts) and len(edges) == len(counts) + 1 and rising


def _histogram(axes: Any, title: str, edges: Sequence[float], counts: Sequence[int]) -> None:
    """Bars over their bins; bins of uneven width get even places, with their edges written below."""
    widths = [high - low for low, high in pairwise(edges)]
    even = max(widths) <= EVEN * min(widths)
    places = list(edges) if even else list(range(len(edges)))
    bars = [high - low for low, high in pairwise(places)]
    axes.bar(places[:-1], counts, width=bars, align="edge", color=PARENT, edgecolor="none", linewidth=0)
    axes.set_title(title)
    axes.set(ylabel="samples", xlim=(places[0], places[-1]))
    axes.grid(visible=False, axis="x")
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: say.count(value)))
    if even:
        axes.xaxis.set_major_locator(MaxNLocator(TICKS - 1))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: tick(value)))
    else:
        stride = -(-len(edges) // TICKS)
        axes.set_xticks(places[::stride], [tick(edge) for edge in edges[::stride]])


def tick(value: float) -> str:
    """A number short enough for an axis: 0.25, 16, 1,024, 65k, 1.5M."""
    if abs(value) >= 10_000:
        return f"{value / 1e6:.3g}M" if abs(value) >= 1e6 else f"{value / 1e3:.3g}k"
    return f"{value:,.0f}" if value == round(value) or abs(value) >= 100 else f"{value:.3g}"


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
