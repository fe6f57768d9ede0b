"""Blocks on the page: from the plain values of `report.json` to what the template writes, one function a block."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from markupsafe import Markup

from bessemer.report import block_charts
from bessemer.report import format as say
from bessemer.report.blocks import cells
from bessemer.report.samples import form, samples

Plain = Mapping[str, Any]


def sections(report: Plain) -> dict[str, dict[str, Any]]:
    """The sections that a task handed over, by id, fit for the template."""
    return {
        name: {**one, "blocks": blocks(one.get("blocks"), f"section-{number}")}
        for number, (name, one) in enumerate((report.get("sections") or {}).items())
    }


def blocks(found: list[dict[str, Any]] | None, name: str) -> list[dict[str, Any]]:
    """Blocks fit for the template; charts take their ids from `name`."""
    return [
        {"block": one["block"], **READY[one["block"]](one, f"{name}-{number}")}
        for number, one in enumerate(found or [])
    ]


def _text(block: Plain, name: str) -> dict[str, Any]:
    return {"text": say.visible(block["text"])}


def _table(block: Plain, name: str) -> dict[str, Any]:
    columns, rows = block["columns"], []
    for texts, values in zip(cells(block), block["rows"], strict=True):
        bars = [_share(value) if column["bar"] else None for column, value in zip(columns, values, strict=True)]
        rows.append([{"text": text, "bar": bar} for text, bar in zip(texts, bars, strict=True)])
    cut = len(rows) if block["folded_after"] is None else block["folded_after"]
    return {
        "title": block["title"],
        "head": [column["title"] for column in columns],
        "left": [column["unit"] is None for column in columns],
        "rows": rows[:cut],
        "rest": rows[cut:],
        "noun": block["noun"],
    }


def _share(value: Any) -> float:
    return round(100 * value, 1) if say.known(value) else 0.0


def _chart(draw: Callable[[Plain, str], str]) -> Callable[[Plain, str], dict[str, Any]]:
    return lambda block, name: {"chart": Markup(draw(block, name)), "caption": block.get("caption", "")}


def _gallery(block: Plain, name: str) -> dict[str, Any]:
    found = samples(block["samples"])
    return {"samples": found, "form": form(found)}


def _passages(block: Plain, name: str) -> dict[str, Any]:
    return {
        "passages": [
            {key: say.visible(value) if isinstance(value, str) else value for key, value in one.items()}
            for one in block["passages"]
        ]
    }


READY: dict[str, Callable[[Plain, str], dict[str, Any]]] = {
    "text": _text,
    "table": _table,
    "matrix": _chart(block_charts.matrix),
    "bars": _chart(block_charts.bars),
    "histogram": _chart(block_charts.histogram),
    "curves": _chart(block_charts.curves),
    "gallery": _gallery,
    "passages": _passages,
}
