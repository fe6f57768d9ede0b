"""From a matplotlib figure to SVG that lives inside a page.

Colors are stand-ins while matplotlib draws, and variables of the page's style sheet afterwards, so that a
chart follows the reader's light or dark mode. Text stays text. The same figure gives the same bytes:
identifiers come from a fixed salt, and no date is written.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Sequence
from html import escape
from typing import Any

import matplotlib.style
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from bessemer.report import format as say

INK, MUTED, LINE, CARD = "#100001", "#100002", "#100003", "#100004"
PARENT, SHIPPED, GOOD, BAD, THIRD = "#100005", "#100006", "#100007", "#100008", "#100009"
VARIABLES = {
    INK: "ink",
    MUTED: "muted",
    LINE: "line",
    CARD: "card",
    PARENT: "parent",
    SHIPPED: "shipped",
    GOOD: "good",
    BAD: "bad",
    THIRD: "third",
}
# Offsets of a label from its point, in points, best first: beside the corner, where lines seldom run.
TRIES = (
    (8, 10, "left"),
    (8, -10, "left"),
    (-8, 10, "right"),
    (-8, -10, "right"),
    (12, 0, "left"),
    (-12, 0, "right"),
    (8, 21, "left"),
    (8, -21, "left"),
)
WIDTH = 10.0  # inches; at the page's full width this makes 9 pt text as large as the text around it
STYLE = {
    "svg.fonttype": "none",
    "text.parse_math": False,  # a class name may hold dollar signs
    "text.color": INK,
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.titlecolor": INK,
    "axes.edgecolor": LINE,
    "axes.labelcolor": MUTED,
    "axes.axisbelow": True,
    "axes.formatter.useoffset": False,  # ticks are values, never differences from a number in a corner
    "axes.grid": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "legend.frameon": False,
    "legend.fontsize": 8.5,
}


def draw(name: str, label: str, height: float, paint: Callable[[Any], None]) -> str:
    """The inline SVG of what `paint` draws, `height` inches high; `label` is for screen readers."""
    with matplotlib.style.context(["default", STYLE | {"svg.hashsalt": name}]), warnings.catch_warnings():
        # The reader's browser has the letters that matplotlib's own font lacks.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        FigureCanvasSVG(figure)
        paint(figure)
        file = io.StringIO()
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(file, format="svg", metadata=nothing)
    return _inline(file.getvalue(), name, label)


def _inline(svg: str, name: str, label: str) -> str:
    """The `<svg>` element alone, with colors as variables and identifiers that are this chart's own."""
    svg = svg[svg.index("<svg") :].rstrip()
    head, body = svg.split(">", 1)
    head = re.sub(r'\s(xmlns(:xlink)?|width|height|version)="[^"]*"', "", head)
    svg = f'{head} role="img" aria-label="{escape(label)}">{body}'
    svg = re.sub(r'(<[^>]*\sid="|href="#|url\(#)', rf"\g<1>{name}-", svg)
    return re.sub("|".join(VARIABLES), lambda found: f"var(--{VARIABLES[found[0]]})", svg)


def short(text: object, most: int = 18) -> str:
    """A name cut to `most` letters."""
    name = say.visible(" ".join(str(text).split()))
    return name if len(name) <= most else f"{name[: most - 1]}…"


def thin(values: Sequence[float], most: int = 300) -> list[float]:
    """At most `most` values: the means of equal stretches, so that a long curve stays a small file."""
    stride = -(-len(values) // most) if values else 1
    groups = [values[start : start + stride] for start in range(0, len(values), stride)]
    return [sum(group) / len(group) for group in groups]


def tick(value: float) -> str:
    """A number short enough for an axis: 0.25, 16, 1,024, 65k, 1.5M."""
    if abs(value) >= 10_000:
        return f"{value / 1e6:.3g}M" if abs(value) >= 1e6 else f"{value / 1e3:.3g}k"
    return f"{value:,.0f}" if value == round(value) or abs(value) >= 100 else f"{value:.3g}"


class Labels:
    """Places the names of points so that they do not cover each other, as far as a few tries can."""

    def __init__(self, axes: Any, points: Sequence[tuple[float, float]]) -> None:
        self.axes = axes
        self.taken = [self._box(x, y, 10, 10, "center") for x, y in axes.transData.transform(points)]

    def place(self, point: tuple[float, float], text: str, **style: Any) -> bool:
        """Write `text` beside `point` where there is room; False where there is none."""
        x, y = self.axes.transData.transform(point)
        for dx, dy, side in TRIES:
            box = self._box(x + dx, y + dy, 5.2 * len(text), 11, side)
            if self._inside(box) and not any(self._overlap(box, other) for other in self.taken):
                self.taken.append(box)
                offset = {"xytext": (dx, dy), "textcoords": "offset points", "ha": side, "va": "center"}
                self.axes.annotate(text, point, fontsize=8, **offset, **style)
                return True
        return False

    @staticmethod
    def _box(x: float, y: float, width: float, height: float, side: str) -> tuple[float, float, float, float]:
        left = x - {"left": 0.0, "center": width / 2, "right": width}[side]
        return left, y - height / 2, left + width, y + height / 2

    def _inside(self, box: tuple[float, float, float, float]) -> bool:
        frame = self.axes.bbox
        return bool(frame.x0 <= box[0] and box[2] <= frame.x1 and frame.y0 <= box[1] and box[3] <= frame.y1)

    @staticmethod
    def _overlap(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
        return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
