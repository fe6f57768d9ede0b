"""Blocks that are drawn: from a block's plain values to inline SVG, empty where there is nothing to draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from matplotlib.ticker import FuncFormatter, MaxNLocator

from bessemer.report import format as say
from bessemer.report.drawing import (
    BAD,
    GOOD,
    INK,
    LINE,
    MUTED,
    PARENT,
    SHIPPED,
    THIRD,
    draw,
    short,
    thin,
    tick,
)

NUMBERED = 20  # names up to which the cells of a matrix hold numbers
NAMED = 30  # names up to which bars are named
EVEN = 1.05  # bins whose widths differ by no more than this factor stand on a plain scale
TICKS = 9
WHITE = "#ffffff"
RIGHT, WRONG = (0.16, 0.6, 0.4), (0.85, 0.25, 0.2)  # shades of a matrix, fit for light and dark
BAR_COLORS = (PARENT, THIRD, SHIPPED, GOOD, BAD, MUTED)
LINE_COLORS = (PARENT, SHIPPED, THIRD, GOOD, BAD, MUTED)
Plain = Mapping[str, Any]


def matrix(block: Plain, name: str) -> str:
    """A matrix, shaded by the share of each row; numbers up to 20 names."""
    names = [short(one, 14) for one in block["names"]]
    if not names or len(names) != len(block["counts"]):
        return ""
    height = min(max(0.42 * len(names) + 1.4, 3.4), 8.0)
    return draw(name, block["label"], height, lambda figure: _matrix(figure.subplots(), block["counts"], names))


def _matrix(axes: Any, counts: Sequence[Sequence[int]], names: list[str]) -> None:
    shares = [[times / max(sum(row), 1) for times in row] for row in counts]
    # The square root keeps a handful of misses visible beside a diagonal of hundreds.
    hues = [
        [(*(RIGHT if truth == guess else WRONG), share**0.5) for guess, share in enumerate(row)]
        for truth, row in enumerate(shares)
    ]
    axes.imshow(hues, interpolation="none", aspect="equal")
    axes.set(xlabel="predicted", ylabel="truth")
    axes.grid(visible=False)
    axes.tick_params(length=0)
    axes.spines[:].set(visible=True, color=LINE)
    stride = 1 if len(names) <= 40 else -(-len(names) // 40)
    ticks, size = range(0, len(names), stride), 8.5 if len(names) <= NUMBERED else 6
    axes.set_yticks(ticks, names[::stride], fontsize=size)
    turn = {"rotation": 90} if len(names) > NUMBERED or max(map(len, names)) > 4 else {}
    axes.set_xticks(ticks, names[::stride], fontsize=size, **turn)
    if len(names) > NUMBERED:
        return
    for truth, row in enumerate(counts):
        for guess, times in enumerate(row):
            color = WHITE if shares[truth][guess] > 0.3 else INK if times else MUTED
            text = str(times) if times else "·"
            axes.text(guess, truth, text, ha="center", va="center", fontsize=8.5, color=color)


def bars(block: Plain, name: str) -> str:
    """Stacked bars; from 30 names on, in order of size and without names."""
    names = [short(one, 14) for one in block["names"]]
    series = {label: row for label, row in block["series"].items() if row}
    if not series or any(len(row) != len(names) for row in series.values()):
        return ""
    return draw(name, block["label"], 2.8, lambda figure: _bars(figure.subplots(), series, names, block["noun"]))


def _bars(axes: Any, series: Mapping[str, Sequence[float]], names: list[str], noun: str) -> None:
    totals = [sum(column) for column in zip(*series.values(), strict=True)]
    many = len(names) > NAMED
    order = sorted(range(len(names)), key=lambda place: -totals[place]) if many else list(range(len(names)))
    floor = [0.0] * len(names)
    for (label, row), color in zip(series.items(), BAR_COLORS, strict=False):
        heights = [row[place] for place in order]
        axes.bar(range(len(names)), heights, bottom=floor, color=color, width=0.72, label=label)
        floor = [low + height for low, height in zip(floor, heights, strict=True)]
    axes.set(ylabel=noun, xlim=(-0.7, len(names) - 0.3))
    axes.grid(visible=False, axis="x")
    axes.tick_params(length=0)
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    if many:
        axes.set(xticks=[], xlabel=f"{len(names)} names, the largest first")
    else:
        turn = {"rotation": 90} if sum(map(len, names)) > 110 else {}
        axes.set_xticks(range(len(names)), names, **turn)
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncol=3, labelcolor=INK)


def histogram(block: Plain, name: str) -> str:
    """How values spread."""
    return histograms([block], name, block["title"] or "Histogram")


def histograms(found: Sequence[Plain], name: str, label: str) -> str:
    """Histograms side by side, as far as their edges rise; empty where there is none."""
    panels = [one for one in found if _drawable(one)]
    if not panels:
        return ""

    def paint(figure: Any) -> None:
        for axes, one in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
            _histogram(axes, one)

    return draw(name, label, 2.5, paint)


def _drawable(block: Plain) -> bool:
    edges, counts = block.get("edges") or [], block.get("counts") or []
    rising = all(low < high for low, high in pairwise(edges))
    return bool(counts) and len(edges) == len(counts) + 1 and rising


def _histogram(axes: Any, block: Plain) -> None:
    """Bars over their bins; bins of uneven width get even places, with their edges written below."""
    edges, counts = block["edges"], block["counts"]
    widths = [high - low for low, high in pairwise(edges)]
    even = max(widths) <= EVEN * min(widths)
    places = list(edges) if even else list(range(len(edges)))
    wide = [high - low for low, high in pairwise(places)]
    axes.bar(places[:-1], counts, width=wide, align="edge", color=PARENT, edgecolor="none", linewidth=0)
    axes.set_title(block["title"])
    axes.set(ylabel=block["noun"], xlim=(places[0], places[-1]))
    axes.grid(visible=False, axis="x")
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: say.count(value)))
    if even:
        axes.xaxis.set_major_locator(MaxNLocator(TICKS - 1))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: tick(value)))
    else:
        stride = -(-len(edges) // TICKS)
        axes.set_xticks(places[::stride], [tick(edge) for edge in edges[::stride]])


def curves(block: Plain, name: str) -> str:
    """Lines over a common axis."""
    lines = {label: points for label, points in block["lines"].items() if points}
    if not lines:
        return ""
    return draw(name, block["title"] or block["y"], 2.8, lambda figure: _curves(figure.subplots(), block, lines))


def _curves(axes: Any, block: Plain, lines: Mapping[str, Sequence[Sequence[float]]]) -> None:
    for (label, points), color in zip(lines.items(), LINE_COLORS, strict=False):
        across, up = (thin([point[place] for point in points]) for place in (0, 1))
        axes.plot(across, up, color=color, label=short(label), lw=1.6)
    axes.set(xlabel=block["x"], ylabel=block["y"])
    axes.set_title(block["title"])
    axes.legend(labelcolor=INK)
