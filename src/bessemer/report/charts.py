"""The charts of the report: functions from the report to inline SVG, empty where nothing was measured."""

from __future__ import annotations

from typing import Any

from matplotlib.ticker import MaxNLocator

from bessemer.report import facts, training
from bessemer.report import format as say
from bessemer.report.drawing import BAD, CARD, GOOD, INK, MUTED, PARENT, SHIPPED, draw, short, thin
from bessemer.report.ledger import steps


def waterfall(report: dict[str, Any]) -> str:
    """How each technique of the ledger moved size and latency, from the parent to the shipped model."""
    batch = facts.contract_batch(report)
    sizes = [facts.part(report, "sizes", role).get("bytes") for role in facts.ROLES]
    speeds = [facts.median(report, role, batch) for role in facts.ROLES]
    panels = [
        ("size", "bytes", sizes, say.size),
        (f"latency, batch {batch}", "latency_ms", speeds, say.milliseconds),
    ]
    ledger = steps(report)
    panels = [panel for panel in panels if all(say.known(end) for end in panel[2])]
    if not panels or not ledger:
        return ""

    names = [short(line["technique"], 30) for line in ledger]
    columns = [_changes(ledger, key, ends) for _, key, ends, _ in panels]
    if any(column[-1] for column in columns):
        names.append("not attributed")

    def paint(figure: Any) -> None:
        grid = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for axes, (title, _, ends, form), changes in zip(grid, panels, columns, strict=True):
            _waterfall(axes, title, list(zip(names, changes, strict=False)), ends, form)

    height = 0.7 + 0.34 * (len(ledger) + 3)
    return draw("waterfall", "Size and latency from the parent to the shipped model", height, paint)


def _changes(ledger: list[dict[str, Any]], key: str, ends: list[Any]) -> list[float]:
    """The change by each technique and, last, what they leave unexplained when it is over half a percent."""
    changes = [line.get(key) or 0.0 for line in ledger]
    rest = ends[1] - ends[0] - sum(changes)
    return [*changes, rest if abs(rest) > 0.005 * ends[0] else 0.0]


def _waterfall(axes: Any, title: str, steps: list[tuple[str, float]], ends: list[Any], form: Any) -> None:
    bars = [("parent", 0.0, ends[0], PARENT, form(ends[0]))]
    level = ends[0]
    for name, change in steps:
        color = GOOD if change < 0 else BAD
        text = form(change, sign=True) if change else "0"
        bars.append((name, min(level, level + change), abs(change), color, text))
        level += change
    bars.append(("shipped", 0.0, ends[1], SHIPPED, form(ends[1])))
    widest = max(start + width for _, start, width, _, _ in bars)
    for row, (_, start, width, color, text) in enumerate(bars):
        axes.barh(row, width, left=start, color=color, height=0.62)
        axes.text(start + width + 0.015 * widest, row, text, va="center", fontsize=8.5)
    axes.set_xlim(0, 1.24 * widest)
    axes.set_title(title)
    axes.set_yticks(range(len(bars)), [name for name, *_ in bars], color=INK)
    axes.set_ylim(len(bars) - 0.5, -0.5)
    axes.tick_params(length=0, labelbottom=False)
    axes.grid(visible=False)
    axes.spines["bottom"].set_visible(False)


def learning_curves(report: dict[str, Any]) -> str:
    """Training loss and validation of the parent and of every fine-tuned candidate."""
    curves = report.get("curves") or {}
    fits = (facts.chosen(report) or {}).get("curve")
    lines = [(name, line, MUTED) for name, line in (curves.get("candidates") or {}).items() if line]
    lines = [(name, line, SHIPPED if name == fits else color) for name, line, color in lines]
    lines = sorted(lines, key=lambda item: item[0] == fits)
    lines += [("parent", curves["parent"], PARENT)] if curves.get("parent") else []
    if not lines:
        return ""
    measure = facts.headline_measure(report)
    unit = f" [{measure.unit.sign}]" if measure.unit.sign else ""
    told = (f"validation {measure.label}{unit}", measure.unit.scale)
    happened = (report.get("training") or {}).get("parent") or {}

    def paint(figure: Any) -> None:
        panels = figure.subplots(1, 3, width_ratios=(3, 3, 2))
        _curves(panels, lines, *told)
        _marks(panels, happened, curves.get("parent") or [])
        for axes in panels[:2]:
            handles, names = axes.get_legend_handles_labels()
            unique = dict(zip(names, handles, strict=True))
            frame = {"frameon": True, "facecolor": CARD, "edgecolor": "none", "framealpha": 0.8, "borderpad": 0.2}
            axes.legend(unique.values(), unique.keys(), labelcolor=INK, loc="best", fontsize=8, **frame)

    return draw("curves", "Learning curves", 3.3, paint)


def _curves(panels: Any, lines: list[tuple[str, list[dict[str, Any]], str]], told: str, factor: float) -> None:
    titles = {"loss": "training loss", "validation": told, "rate": "learning rate"}
    for axes, (key, title) in zip(panels, titles.items(), strict=True):
        for name, line, color in lines:
            seen = [(point["step"], point[key]) for point in line if say.known(point.get(key))]
            scale = factor if key == "validation" else 1
            values = thin([scale * value for _, value in seen])
            style = {"lw": 0.9, "alpha": 0.7} if color == MUTED else {"lw": 1.6}
            marker = {"marker": "o", "markersize": 2.5} if len(values) < 40 else {}
            label = "other candidates" if color == MUTED else short(name)
            axes.plot(thin([step for step, _ in seen]), values, color=color, label=label, **style, **marker)
        axes.set(xlabel="step")
        axes.set_title(title)
        axes.xaxis.set_major_locator(MaxNLocator(4 if key == "rate" else 6, integer=True))


def _marks(panels: Any, happened: dict[str, Any], points: list[dict[str, Any]]) -> None:
    """What happened to the parent's training: resumes and an early end as lines, skipped steps as crosses."""
    for axes in panels:
        told = (lambda text: text) if axes is panels[0] else (lambda text: None)  # one legend names them
        for step in happened.get("resumed") or []:
            axes.axvline(step, color=MUTED, lw=0.9, ls=":", label=told("resumed"))
        if (step := training.ended_early(happened, points)) is not None:
            axes.axvline(step, color=BAD, lw=0.9, ls="--", label=told("stopped early"))
    steps = training.skipped(happened)
    if steps:
        low = panels[0].get_xaxis_transform()
        style = {"color": BAD, "marker": "x", "s": 22, "lw": 1.1, "zorder": 3}
        panels[0].scatter(steps, [0.03] * len(steps), transform=low, label="skipped", **style)
