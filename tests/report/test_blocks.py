"""Blocks: each type that a task may hand over is shown by the page, and words and tables by the card too."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, get_args

import numpy as np
import pytest

from bessemer.report import blocks, html, sections
from bessemer.report.blocks import (
    OURS,
    Bars,
    Block,
    Column,
    Curves,
    Histogram,
    Matrix,
    Section,
    Table,
    cells,
    plain,
    plain_sections,
)
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
    with pytest.raises(ValueError, match="a table of the report needs a value for each column"):
        Table([Column("name")], [["a", 1]])


@pytest.mark.parametrize(
    "make",
    [
        lambda: Matrix(["a", "b"], [[1, 2]]),
        lambda: Matrix(["a"], [[1, 2]]),
        lambda: Bars(["a", "b"], {"train": [1]}),
        lambda: Bars(["a"], {str(n): [n] for n in range(7)}),
        lambda: Histogram([0, 1], [1, 2]),
        lambda: Curves({str(n): [] for n in range(7)}, "x", "y"),
    ],
)
def test_a_block_that_does_not_fit_is_refused_where_it_is_made(make: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match="of the report needs"):
        make()


def test_every_series_is_drawn(graded: dict[str, Any]) -> None:
    bars = Bars(["a", "b"], {f"series {n}": [n + 1, 2] for n in range(6)})
    curves = Curves({f"line {n}": [(0, n), (1, 2.0)] for n in range(6)}, "x", "y")
    graded["sections"] = {"grades": Section("Grades", [bars, curves]).as_dict()}
    page = render(graded)
    assert all(f"series {n}</text>" in page and f"line {n}</text>" in page for n in range(6))


def test_numbers_that_are_not_finite_are_not_known() -> None:
    table = plain(Table([Column("name"), Column("share", SHARE)], [["a", float("nan")], ["b", float("inf")]]))
    assert table["rows"] == [["a", None], ["b", None]]
    assert cells(table) == [["a", ""], ["b", ""]]


@pytest.mark.parametrize("name", ["<script>", "data", "a b", "", "Grades", "a\\b"])
def test_an_id_that_a_page_cannot_have_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be the id of a section"):
        plain_sections({name: Section("Title", [])})


def test_our_own_sections_are_those_of_the_page() -> None:
    assert tuple(html.SECTIONS) == OURS


def test_what_ships_replaces_the_parents_section() -> None:
    from bessemer.report.build import merge

    parent, shipped = (Section(name, [blocks.Text(name)]).as_dict() for name in ("parent", "shipped"))
    merged = merge({"sections": {"a": parent, "b": parent}}, {"sections": {"a": shipped}})
    assert merged["sections"] == {"a": shipped, "b": parent}


def test_numbers_of_numpy_are_plain() -> None:
    table = plain(Table([Column("n", COUNT), Column("x", SHARE)], [[np.int64(3), np.float32(0.5)], [3, np.nan]]))
    assert json.loads(json.dumps(table))["rows"] == [[3, 0.5], [3, None]]
    assert plain(Matrix(["a"], np.array([[2]])))["counts"] == [[2]]
