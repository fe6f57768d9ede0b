"""Blocks as Markdown, for the model card and for TensorBoard: words and tables; pictures are left to the page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from bessemer.report import format as say
from bessemer.report.blocks import cells

LISTED = 10  # rows of a table
SIGNS = "\\`*_[]|#"  # what Markdown would act on


def text(value: object) -> str:
    """`value` as Markdown text: on one line, and with nothing in it that Markdown or HTML would act on."""
    line = " ".join(str(value).split())
    return escape("".join(f"\\{sign}" if sign in SIGNS else sign for sign in line), quote=False)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; all columns but the first stand to the right."""
    rule = ["---", *("---:" for _ in head[1:])]
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, rule, *rows])


def block_text(block: dict[str, Any]) -> str:
    """A text or a table; empty for what is drawn."""
    if block["block"] == "text":
        return text(block["text"])
    if block["block"] != "table":
        return ""
    shown, more = cells(block)[:LISTED], len(block["rows"]) - LISTED
    title = [f"{text(block['title'])}:"] if block["title"] else []
    rest = [f"{say.plural(more, block['noun'])} more."] if more > 0 else []
    rows = table([text(column["title"]) for column in block["columns"]], [[*map(text, row)] for row in shown])
    return "\n\n".join([*title, rows, *rest])


def told_sections(report: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    """Title and paragraphs of each section that a task handed over, where it has words or tables."""
    found = []
    for one in (report.get("sections") or {}).values():
        blocks = [block_text(block) for block in one["blocks"]]
        if any(blocks):
            found.append((text(one["title"]), list(filter(None, [text(one["lead"]), *blocks]))))
    return found
