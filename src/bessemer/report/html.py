"""`report.html`: one file that opens anywhere, without scripts and without anything fetched from elsewhere.

The page needs matplotlib for its charts, which takes a moment to import, so import this module late.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from ruamel.yaml import YAML

from bessemer.report import charts, facts, histograms, ledger, ledger_chart, training, yardstick
from bessemer.report import format as say
from bessemer.report.pareto import pareto
from bessemer.report.prepared import data_section
from bessemer.report.samples import image
from bessemer.report.sections import sections
from bessemer.report.units import Measure

BADGES = {
    "contract met": ("met", "✓"),
    "contract refused": ("missed", "✗"),
    "contract not judged yet": ("none", "…"),
    say.NOT_RUN: ("none", "–"),
    say.NO_CONTRACT: ("none", "–"),
}
SECTIONS = {
    "contract": "Contract",
    "result": "Result",
    "candidates": "Candidates",
    "ledger": "Ledger",
    "curves": "Curves",
    "data": "Data",
    "parity": "Parity",
    "stages": "Stages",
    "recipe": "Recipe",
}
OF_CONTRACT = {"contract", "candidates", "ledger"}
BEHIND = ("data", "parity", "stages", "recipe")  # the sections of the task


def render(report: dict[str, Any]) -> str:
    """The whole report as one HTML page; the same report gives the same bytes."""
    templates = FileSystemLoader(Path(__file__).parent)
    # Everything that comes from data is escaped, so that a class named <script> is text.
    page = Environment(loader=templates, autoescape=True, undefined=StrictUndefined)
    page.trim_blocks = page.lstrip_blocks = True
    page.filters |= {"image": image, "percent": say.percent, "count": say.count, "plural": say.plural}
    text = page.get_template("template.html.j2").render(**_context(report))
    # A file name that is no UTF-8 comes as halves of surrogate pairs, which no file of UTF-8 can hold.
    return text.encode("utf-8", "replace").decode("utf-8")


def _context(report: dict[str, Any]) -> dict[str, Any]:
    kind, mark = BADGES[facts.verdict(report)]
    return {
        "name": report.get("name", "model"),
        "version": report.get("version", ""),
        "seed": report.get("seed", "unknown"),
        "badge": {"text": facts.verdict(report), "kind": kind, "mark": mark},
        "headline": facts.headline(report),
        "warnings": yardstick.warnings(report),
        "against": "" if yardstick.beaten(report) else yardstick.compared(report),
        "sections": _sections(report),
        "told": sections(report),
        "measure": facts.headline_measure(report),
        "tiles": _tiles(report),
        "terms": facts.terms(report),
        "comparison": facts.comparison(report),
        "batches": facts.batches(report),
        "candidates": [_candidate(report, one) for one in facts.candidates(report)],
        "ledger": [_ledger(line, facts.headline_measure(report)) for line in ledger.steps(report)],
        "trials": ledger.section(report),
        "charts": {name: Markup(drawn) for name, drawn in _charts(report).items()},
        "data": data_section(report),
        "parity": [_parity(name, one) for name, one in (report.get("parity") or {}).items()],
        "trainings": training.sentences(report),
        "stages": _stages(report),
        "machine": _machine(report),
        "versions": (report.get("machine") or {}).get("versions") or {},
        "recipe": _yaml(report.get("recipe")),
    }


def _sections(report: dict[str, Any]) -> dict[str, str]:
    """Id and name of each section of this run; those of its task come before the data."""
    left_out = set(OF_CONTRACT) if facts.asks_nothing(report) else set()
    left_out -= {"ledger"} if ledger.trials(report) else set()
    ours = {name: title for name, title in SECTIONS.items() if name not in left_out}
    told = {name: one["title"] for name, one in (report.get("sections") or {}).items()}
    before = {name: title for name, title in ours.items() if name not in BEHIND}
    return before | told | {name: ours[name] for name in BEHIND}


def _charts(report: dict[str, Any]) -> dict[str, str]:
    return {
        "pareto": pareto(report),
        "waterfall": charts.waterfall(report),
        "ledger": ledger_chart.chart(report),
        "curves": charts.learning_curves(report),
        "lengths": histograms.lengths(report),
        "reached": histograms.reached(report),
    }


def _tiles(report: dict[str, Any]) -> list[dict[str, str]]:
    """The three figures on top: headline, size and latency of the shipped model, or of the parent alone."""
    measure = facts.headline_measure(report)
    names = (measure.name, "bytes", facts.latency_row(facts.contract_batch(report)))
    tiles = [_tile(report, row) for row in facts.comparison(report) if row.name in names]
    simple = yardstick.baseline(report)
    if simple is not None:
        tiles[0]["below"] += f" · {simple.name} {measure.unit.value(simple.value)}"
    return [tile for tile in tiles if tile["value"] != say.NOT_MEASURED]


def _tile(report: dict[str, Any], row: facts.Row) -> dict[str, str]:
    alone = row.shipped == say.NOT_MEASURED
    value, note = (row.parent, row.parent_note) if alone else (row.shipped, row.shipped_note)
    if row.name == "bytes":
        sizes = facts.part(report, "sizes", "parent" if alone else "shipped")
        note = say.plural(sizes.get("parameters"), "parameter")
    below = "parent model" if alone else " · ".join(filter(None, (f"parent {row.parent}", row.change)))
    return {"label": row.label, "value": value, "note": note, "below": below}


def _candidate(report: dict[str, Any], one: dict[str, Any]) -> dict[str, Any]:
    latency, measure = one.get("latency_ms") or {}, facts.headline_measure(report)
    return {
        "name": one.get("name", ""),
        "chosen": bool(one.get("chosen")),
        "met": bool(one.get("met")),
        "missed": ", ".join(facts.quantity(report, name) for name in one.get("missed") or []),
        "cells": [
            measure.unit.value(one.get("quality")),
            facts.change_of(measure, one.get("drop")),
            say.size(one.get("bytes")),
            say.count(one.get("parameters")),
            *(say.milliseconds(latency.get(batch)) for batch in facts.batches(report)),
            say.times(one.get("speedup")),
        ],
    }


def _ledger(line: dict[str, Any], measure: Measure) -> dict[str, str]:
    between = ""
    if say.known(line.get("low")) and say.known(line.get("high")):
        ends = (measure.unit.change(line[end], word=False) for end in ("low", "high"))
        between = " to ".join(ends)
    return {
        "technique": str(line.get("technique", "")),
        "stage": str(line.get("stage", "")),
        "quality": measure.unit.change(line.get("quality")),
        "interval": between,
        "bytes": say.size(line.get("bytes"), sign=True),
        "latency": say.milliseconds(line.get("latency_ms"), sign=True),
        "seconds": say.seconds(line.get("seconds")),
    }


def _parity(name: str, one: dict[str, Any]) -> dict[str, str]:
    error = one.get("max_abs_error")
    return {
        "name": name,
        "agreement": say.percent(one.get("agreement")),
        "error": f"{error:.1e}" if say.known(error) else say.NOT_MEASURED,
        "samples": say.count(one.get("samples")),
    }


def _stages(report: dict[str, Any]) -> list[dict[str, Any]]:
    stages = report.get("stages") or []
    longest = max((stage.get("seconds") or 0 for stage in stages), default=0) or 1
    return [
        {
            "stage": stage["stage"],
            "seconds": say.seconds(stage.get("seconds")),
            "bar": round(100 * (stage.get("seconds") or 0) / longest, 1),
            "cached": "from cache" if stage.get("cached") else "ran",
            "hash": str(stage.get("hash", ""))[:12],
        }
        for stage in stages
    ]


def _machine(report: dict[str, Any]) -> dict[str, str]:
    machine = report.get("machine") or {}
    memory = machine.get("memory_gib")
    described = {
        "processor": machine.get("processor"),
        "instructions": ", ".join(machine.get("instructions") or []),
        "cores": machine.get("cores"),
        "memory": f"{memory:.1f} GiB" if say.known(memory) else None,
        "system": machine.get("system"),
        "Python": machine.get("python"),
    }
    return {label: str(value) for label, value in described.items() if value}


def _yaml(recipe: Any) -> str:
    if not recipe:
        return ""
    writer, text = YAML(typ="safe", pure=True), io.StringIO()
    writer.default_flow_style = False
    # As the recipe's author ordered it.
    writer.representer.sort_base_mapping_type_on_output = False
    writer.width = 100
    writer.dump(recipe, text)
    return text.getvalue()
