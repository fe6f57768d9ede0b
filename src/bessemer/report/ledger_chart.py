"""What each technique gained and took, as bars with whiskers."""

from __future__ import annotations

from typing import Any

from bessemer.report import facts
from bessemer.report import format as say
from bessemer.report.drawing import BAD, GOOD, INK, MUTED, draw, short
from bessemer.report.ledger import Report, trials, verdict


def chart(report: Report) -> str:
    """Bars of what each technique gained and took, with whiskers where there are several pairs."""
    rows = trials(report)
    if not rows:
        return ""
    unit = facts.headline_measure(report).unit
    panels = [
        (f"quality gained [{unit.difference}]", "quality", ("low", "high"), unit.scale, 1),
        ("time taken [s]", "seconds", ("seconds_low", "seconds_high"), 1.0, -1),
    ]
    if any(row.get("bytes") for row in rows):
        panels.append(("size added [kB]", "bytes", ("", ""), 1e-3, -1))

    def paint(figure: Any) -> None:
        grid = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for axes, panel in zip(grid, panels, strict=True):
            _bars(axes, rows, *panel)

    return draw("ledger", "What each technique gained and took", 0.9 + 0.34 * len(rows), paint)


def _bars(
    axes: Any, rows: list[Report], title: str, key: str, ends: tuple[str, str], scale: float, good: int
) -> None:
    for place, row in enumerate(rows):
        value = scale * (row.get(key) or 0.0)
        axes.barh(place, value, color=_color(row, key, ends, good), height=0.62)
        low, high = (row.get(end) for end in ends)
        if say.known(low) and say.known(high):
            axes.errorbar(
                value, place, xerr=[[value - scale * low], [scale * high - value]], color=INK, lw=1.1, capsize=3
            )
    axes.axvline(0, color=INK, lw=0.8)
    axes.set_title(title)
    axes.set_yticks(range(len(rows)), [short(row.get("technique", ""), 30) for row in rows])
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    axes.margins(x=0.12)


def _color(row: Report, key: str, ends: tuple[str, str], good: int) -> str:
    """Green or red where the interval is clear of zero; sizes repeat exactly, so they always are."""
    if key == "bytes":
        return GOOD if good * row[key] > 0 else BAD
    clear = {"helps": 1, "hurts": -1}.get(verdict(row, *ends), 0)
    return MUTED if clear == 0 else GOOD if good * clear > 0 else BAD
