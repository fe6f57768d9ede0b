"""Blocks: each type that a task may hand over is shown by the page, and words and tables by the card too."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest

from bessemer.report import blocks, sections
from bessemer.report.blocks import Block, Column, Section, Table, cells, plain
from bessemer.report.card import model_card
from bessemer.report.html import render
from bessemer.report.units import COUNT, SHARE


def test_every_type_of_block_is_rendered(graded: dict[str, Any]) -> None:
    given = graded["sections"]["grades"]["blocks"]
    types = {one.__name__.lower() for one in get_args(Block)}
    assert {one["block"] for one in given} == types == set(sections.READY)
    page = render(graded)
    part = page[page.index('<section id="grades">') : page.index('<section id="data">')]
    assert '<a href="#grades">Grades</a>' in page
    for shown in (
        "How grades are given.",
        "Grades are even.",
        "By grade",
        "25.00%",
        "+0.050",
        "The other 2 grades",
        "Few are high.",
        "length [pages]",
        "Error by grade",
        'said: <b class="bad">2</b>',
        "An essay.",
        "It was<mark> late.</mark> <b>(end)</b>",
        "dark.",
    ):
        assert shown in part, shown
    assert part.count("<svg") == 4  # matrix, bars, histogram and curves


def test_the_card_has_words_and_tables(graded: dict[str, Any]) -> None:
    card = model_card(graded)
    part = card[card.index("## Grades") : card.index("## Training data")]
    assert "Grades are even." in part
    assert "| grade 1 | 25.00% | +0.050 |" in part
    assert "| none |  |  |" in part
    assert "<svg" not in part


def test_long_tables_are_cut_in_the_card(graded: dict[str, Any]) -> None:
    table = Table([Column("grade"), Column("times", COUNT)], [[str(n), n] for n in range(30)], noun="grade")
    graded["sections"] = {"grades": Section("Grades", [table]).as_dict()}
    part = model_card(graded)
    assert "| 9 | 9 |" in part
    assert "| 10 | 10 |" not in part
    assert "20 grades more." in part


def test_blocks_survive_json(graded: dict[str, Any]) -> None:
    again = json.loads(json.dumps(graded))
    assert render(again) == render(graded)


def test_cells_are_written_by_their_column() -> None:
    columns = [Column("name"), Column("share", SHARE), Column("change", SHARE, change=True)]
    table = plain(Table(columns, [["a\x1b", 0.5, 0.0012], ["b", None, None]]))
    assert cells(table) == [["a�", "50.00%", "+0.12 points"], ["b", "", ""]]


def test_a_row_must_fit_its_columns() -> None:
    with pytest.raises(ValueError, match="longer"):
        cells(plain(Table([Column("name")], [["a", 1]])))


def test_what_ships_replaces_the_parents_section() -> None:
    from bessemer.report.build import merge

    parent, shipped = (Section(name, [blocks.Text(name)]).as_dict() for name in ("parent", "shipped"))
    merged = merge({"sections": {"a": parent, "b": parent}}, {"sections": {"a": shipped}})
    assert merged["sections"] == {"a": shipped, "b": parent}
