"""The tables that the terminal shows: fixed width, plain text, no colors, so that they survive a log file."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

from bessemer.report import decide, facts, yardstick
from bessemer.report import format as say
from bessemer.report.blocks import cells
from bessemer.report.units import Measure

WIDE = 100  # letters of a line of words


def columns(rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """Rows of text in aligned columns: the first `left` to the left, the others to the right."""
    # A name may hold line breaks or escape codes of the terminal.
    clean = [["".join(sign if sign.isprintable() else " " for sign in cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*clean, strict=True)]
    lines = (
        "  ".join(
            cell.ljust(width) if place < left else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in clean
    )
    return "\n".join(line.rstrip() for line in lines)


def summary_table(report: dict[str, Any], run: str = "RUN") -> str:
    """The parent against the shipped model, the baseline, the contract term by term, what to mind, and in words
    what a decider needs; `run` is the run's folder."""
    quality = {facts.headline_measure(report).name, *(one.name for one in facts.beside_headline(report))}
    told = {*quality, "bytes", *map(facts.latency_row, facts.batches(report) or ["1", "64"])}
    shown = [row for row in facts.comparison(report) if row.name in told]
    rows = [[str(report.get("name", "model")), "parent", "shipped", "change"]]
    for row in shown:
        rows.append([row.label, row.parent, row.shipped, row.change])
        if row.name in quality and (row.parent_note or row.shipped_note):
            rows.append(["  95% interval", row.parent_note, row.shipped_note, ""])
    blocks = [columns(rows), _baseline(report), _contract(report)]
    blocks += [columns([[f"Mind: {text}"] for text in yardstick.warnings(report)] or [[""]])]
    blocks += [
        columns([[f"{question}:", answer] for question, answer in decide.answers(report, run)] or [[""]], 2)
    ]
    return "\n\n".join(filter(None, blocks))


def _baseline(report: dict[str, Any]) -> str:
    """The best of the simple means, and others that learned something; empty where none was run."""
    simple, measure = yardstick.baseline(report), facts.headline_measure(report)
    if simple is None:
        return ""
    head, row = ["baseline", measure.label], [f"  {simple.name}", measure.unit.value(simple.value)]
    if between := measure.unit.interval(simple.metric):
        head, row = [*head, "95% interval"], [*row, between]
    return columns([head, row])


def _contract(report: dict[str, Any]) -> str:
    if facts.asks_nothing(report):
        return ""
    if not facts.contract(report):
        return f"contract {say.NOT_RUN}"
    rows = [[f"  {term.label}", term.limit, term.value, term.state] for term in facts.terms(report)]
    return columns([[facts.verdict(report), *(("limit", "measured", "verdict") if rows else ())], *rows])


def pareto_table(report: dict[str, Any]) -> str:
    """All candidates, as measured on the validation split; a star marks the one that ships."""
    candidates = facts.candidates(report)
    if not candidates:
        return f"candidates {say.NOT_RUN}"
    sizes = facts.batches(report)
    times = [f"batch {batch}" for batch in sizes]
    measure = facts.headline_measure(report)
    head = ["", "candidate", measure.label, "change", "size", *times, "speed-up", "misses"]
    return columns([head, *(_candidate(candidate, sizes, measure) for candidate in candidates)], left=2)


def _candidate(candidate: dict[str, Any], sizes: list[str], measure: Measure) -> list[str]:
    latency = candidate.get("latency_ms") or {}
    return [
        "*" if candidate.get("chosen") else "",
        str(candidate["name"]),
        measure.unit.value(candidate.get("quality")),
        facts.change_of(measure, candidate.get("drop")),
        say.size(candidate.get("bytes")),
        *(say.milliseconds(latency.get(batch)) for batch in sizes),
        say.times(candidate.get("speedup")),
        ", ".join(candidate.get("missed") or []) or "-",
    ]


def sections_table(report: dict[str, Any]) -> str:
    """Words and tables of the sections that a task handed over; pictures are left to the page."""
    told = []
    for section in (report.get("sections") or {}).values():
        blocks = [_block(block) for block in section["blocks"]]
        if any(blocks):
            told.append("\n\n".join(filter(None, [section["title"], _words(section["lead"]), *blocks])))
    return "\n\n\n".join(told)


def _block(block: dict[str, Any]) -> str:
    """A text, or a table down to where the page folds it; empty for what is drawn."""
    if block["block"] == "text":
        return _words(block["text"])
    if block["block"] != "table":
        return ""
    left = next((place for place, column in enumerate(block["columns"]) if column["unit"]), len(block["columns"]))
    shown, more = cells(block)[: block["folded_after"]], len(block["rows"]) - (block["folded_after"] or 10**9)
    rows = columns([[column["title"] for column in block["columns"]], *shown], left)
    rest = f"{say.plural(more, block['noun'])} more" if more > 0 else ""
    return "\n".join(filter(None, [block["title"], rows, rest]))


def _words(text: str) -> str:
    return textwrap.fill(say.visible(text), WIDE)
