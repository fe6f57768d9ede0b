"""The charts of the report: functions from the report to inline SVG, empty where nothing was measured."""

from __future__ import annotations

from typing import Any

from matplotlib.ticker import MaxNLocator

from bessemer.report import facts, training
from bessemer.report import format as say
from bessemer.report.drawing import BAD, CARD, GOOD, INK, LINE, MUTED, PARENT, SHIPPED, THIRD, draw, short, thin
from bessemer.report.ledger import steps

NUMBERED = 20  # classes up to which the cells of a confusion matrix hold numbers
WHITE = "#ffffff"
RIGHT, WRONG = (0.16, 0.6, 0.4), (0.85, 0.25, 0.2)  # shades of the confusion matrix, fit for light and dark


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


def confusion(report: dict[str, Any], role: str = "shipped") -> str:
    """The confusion matrix, shaded by the share of each true class; numbers up to 20 classes."""
    matrix = (report.get("confusion") or {}).get(role) or []
    names = [short(name, 14) for name in (report.get("data") or {}).get("classes") or []]
    if not matrix or len(names) != len(matrix):
        return ""
    height = min(max(0.42 * len(names) + 1.4, 3.4), 8.0)
    label = f"Confusion matrix of the {role} model"
    return draw("confusion", label, height, lambda figure: _confusion(figure.subplots(), matrix, names))


def _confusion(axes: Any, matrix: list[list[int]], names: list[str]) -> None:
    shares = [[times / max(sum(row), 1) for times in row] for row in matrix]
    # The square root keeps a handful of mistakes visible beside a diagonal of hundreds.
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
    for truth, row in enumerate(matrix):
        for guess, times in enumerate(row):
            color = WHITE if shares[truth][guess] > 0.3 else INK if times else MUTED
            text = str(times) if times else "·"
            axes.text(guess, truth, text, ha="center", va="center", fontsize=8.5, color=color)


def class_balance(report: dict[str, Any]) -> str:
    """Samples of each class in each split; from 30 classes on, in order of size and without names."""
    data = report.get("data") or {}
    counts = {split: row for split, row in (data.get("class_counts") or {}).items() if row}
    names = [short(name, 14) for name in data.get("classes") or []]
    if not counts or any(len(row) != len(names) for row in counts.values()):
        return ""
    label = "Samples of each class"
    return draw("balance", label, 2.8, lambda figure: _balance(figure.subplots(), counts, names))


def _balance(axes: Any, counts: dict[str, list[int]], names: list[str]) -> None:
    totals = [sum(column) for column in zip(*counts.values(), strict=True)]
    many = len(names) > 30
    order = sorted(range(len(names)), key=lambda place: -totals[place]) if many else list(range(len(names)))
    floor = [0] * len(names)
    for (split, row), color in zip(counts.items(), (PARENT, THIRD, SHIPPED), strict=False):
        heights = [row[place] for place in order]
        axes.bar(range(len(names)), heights, bottom=floor, color=color, width=0.72, label=split)
        floor = [low + height for low, height in zip(floor, heights, strict=True)]
    axes.set(ylabel="samples", xlim=(-0.7, len(names) - 0.3))
    axes.grid(visible=False, axis="x")
    axes.tick_params(length=0)
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    if many:
        axes.set(xticks=[], xlabel=f"{len(names)} classes, the largest first")
    else:
        turn = {"rotation": 90} if sum(map(len, names)) > 110 else {}
        axes.set_xticks(range(len(names)), names, **turn)
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncol=3, labelcolor=INK)
