"""The charts of lengths and accuracies, and axes that state values."""

from __future__ import annotations

import re
from typing import Any

import pytest

from bessemer.report.drawing import tick
from bessemer.report.histograms import lengths, reached
from bessemer.report.pareto import pareto


def words(svg: str) -> list[str]:
    """The texts of a chart."""
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)


def test_one_panel_and_for_text_two(told: tuple[str, dict[str, Any]]) -> None:
    kind, report = told
    found = words(lengths(report))
    unit = {"image": "Sizes [pixels]", "audio": "Lengths [seconds]", "text": "Lengths [characters]"}[kind]
    assert unit in found
    assert ("Lengths [tokens]" in found) == (kind == "text")


def test_uneven_bins_are_named_by_their_edges(report: dict[str, Any]) -> None:
    edges = [1, 10, 100, 1000, 10_000]
    report["data"]["lengths"] = {"unit": "characters", "edges": edges, "counts": [1, 2, 3, 4]}
    assert words(lengths(report))[:5] == ["1", "10", "100", "1,000", "10k"]


@pytest.mark.parametrize(
    "broken",
    [
        {"unit": "pixels", "edges": [0, 1], "counts": [1, 2]},
        {"unit": "pixels", "edges": [1, 1], "counts": [1]},
        {"unit": "pixels", "edges": [1], "counts": []},
        {},
    ],
)
def test_no_chart_of_what_is_no_histogram(report: dict[str, Any], broken: dict[str, Any]) -> None:
    report["data"]["lengths"] = broken
    assert lengths(report) == ""


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.25, "0.25"), (16, "16"), (1024, "1,024"), (65_536, "65.5k"), (1.5e6, "1.5M"), (0.0, "0")],
)
def test_ticks_are_short(value: float, text: str) -> None:
    assert tick(value) == text


def test_accuracies_stand_side_by_side(text_report: dict[str, Any]) -> None:
    found = words(reached(text_report))
    assert {"16.67%", "91.21%", "98.61%", "98.33%"} <= set(found)
    assert "logistic regression on TF-IDF" in found
    text_report["metrics"] = {}
    assert reached(text_report) == ""


def test_equal_accuracies_are_drawn_without_an_offset(report: dict[str, Any]) -> None:
    for one in report["contract"]["candidates"]:
        one |= {"quality": 0.986111, "drop": 0.0}
    ticks = [float(text) for text in words(pareto(report)) if re.fullmatch(r"\d+\.\d+", text)]
    assert [value for value in ticks if 98.4 < value < 98.8]
    assert "+9.8" not in pareto(report)


def test_a_measure_of_which_fewer_are_better_is_drawn_from_nothing(graded: dict[str, Any]) -> None:
    found = words(reached(graded))
    assert "distance on the test split, fewer is better" in found
    assert {"0.40", "0.43", "0.70", "1.30"} <= set(found)
    assert "distance on the validation split" in words(pareto(graded))
