"""The tables of the terminal, and the numbers that all outputs share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bessemer.report import facts
from bessemer.report import format as say
from bessemer.report.decide import answers
from bessemer.report.table import columns, pareto_table, sections_table, summary_table


def test_summary(report: dict[str, Any]) -> None:
    assert summary_table(report).splitlines() == [
        "digits                      parent          shipped        change",
        "accuracy                    98.61%           98.33%  -0.28 points",
        "  95% interval     97.40 to 99.38%  97.12 to 99.10%",
        "size                        1.2 MB           134 kB  9.1x smaller",
        "latency, batch 1          0.142 ms        0.0412 ms   3.4x faster",
        "latency, batch 64          4.31 ms         0.829 ms   5.2x faster",
        "",
        "contract met                       limit      measured  verdict",
        "  accuracy change at least  -1.00 points  -0.28 points      met",
        "  speed-up at least                 2.0x          5.2x      met",
        "",
        *(f"{question}:".ljust(12) + answer for question, answer in answers(report)),
    ]


def test_summary_of_a_stopped_run(stopped: dict[str, Any]) -> None:
    table = summary_table(stopped)
    assert table.count(say.NOT_MEASURED) == 4
    assert "\n\ncontract not run\n\n" in table
    assert "what next" not in table
    assert pareto_table(stopped) == "candidates not run"


def test_summary_of_nothing() -> None:
    assert say.NOT_MEASURED in summary_table({})


def test_refused(report: dict[str, Any]) -> None:
    report["contract"]["met"] = False
    report["contract"]["verdict"][0] |= {"value": 0.02, "met": False}
    lines = summary_table(report).splitlines()
    assert lines[7].startswith("contract refused")
    assert " ".join(lines[8].split()) == "accuracy change at least -1.00 points -2.00 points missed"


def test_pareto(report: dict[str, Any]) -> None:
    lines = pareto_table(report).splitlines()
    assert len(lines) == 1 + 9
    assert " ".join(lines[0].split()) == "candidate accuracy change size batch 1 batch 64 speed-up misses"
    assert [line for line in lines if line.startswith("*")] == [lines[6]]
    assert lines[6].split()[1:5] == ["keep", "0.50", "int8", "98.33%"]
    assert lines[1].endswith("min_speedup")
    assert lines[2].endswith(" -")


def test_escape_codes_do_not_reach_the_terminal() -> None:
    assert "\x1b" not in columns([["a\x1b[31mb", "c\nd"]])
    assert columns([["a", "c\nd"]]) == "a  c d"


@pytest.mark.parametrize(
    ("form", "value", "text"),
    [
        (say.percent, 0.98333, "98.33%"),
        (say.percent, float("nan"), "not measured"),
        (say.percent, None, "not measured"),
        (say.points, -0.0028, "-0.28 points"),
        (say.points, -0.00001, "0.00 points"),
        (say.size, 0, "0 B"),
        (say.size, 812, "812 B"),
        (say.size, 93_214, "93.2 kB"),
        (say.size, 131_400, "131 kB"),
        (say.size, 999_960, "1.0 MB"),
        (say.size, 1_221_000, "1.2 MB"),
        (say.size, -906_000, "-906 kB"),
        (say.size, 4_200_000_000, "4.2 GB"),
        (say.milliseconds, 0.0412, "0.0412 ms"),
        (say.milliseconds, 4.312, "4.31 ms"),
        (say.milliseconds, 45.67, "45.7 ms"),
        (say.milliseconds, 1234.5, "1,234 ms"),
        (say.seconds, 1.24, "1.2 s"),
        (say.seconds, 59.97, "1 min 00 s"),
        (say.seconds, 200, "3 min 20 s"),
        (say.seconds, 7500, "2 h 05 min"),
        (say.times, 9.1, "9.1x"),
        (say.times, 1.04, "1.04x"),
        (say.times, 123.4, "123x"),
        (say.count, 302_122, "302,122"),
        (say.count, 18_412_000, "18.4 million"),
    ],
)
def test_numbers(form: Callable[[Any], str], value: Any, text: str) -> None:
    assert form(value) == text


@pytest.mark.parametrize(
    ("factor", "text"),
    [(9.1, "9.1x smaller"), (0.5, "2.0x larger"), (1.001, "no smaller"), (None, "")],
)
def test_factors_in_words(factor: float | None, text: str) -> None:
    assert say.compared(factor, "smaller", "larger") == text


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("min_shrink", 4.0, "shrink at least 4.0x"),
        ("max_bytes", 500_000, "size at most 500 kB"),
        ("max_latency_ms", 2.5, "latency at most 2.50 ms"),
        ("max_energy", 3.0, "energy at most 3.00"),
        ("deterministic", True, "deterministic True"),
    ],
)
def test_terms_in_words(name: str, value: Any, words: str) -> None:
    label, form = say.term(name)
    assert f"{label} {form(value)}" == words


@pytest.mark.parametrize(("drop", "words"), [(0.01, "-1.00 points"), (0, "0.00 points"), (-0.002, "+0.20 points")])
def test_a_loss_is_told_as_the_change_that_it_is(report: dict[str, Any], drop: float, words: str) -> None:
    assert facts.change_of(facts.headline_measure(report), drop) == words


def test_words_and_tables_of_a_task_that_nobody_here_knows(graded: dict[str, Any]) -> None:
    assert sections_table(graded).splitlines() == [
        "Grades",
        "",
        "How grades are given.",
        "",
        "Grades are even.",
        "",
        "By grade",
        "grade       hit    gain",
        "grade 0   0.00%  +0.100",
        "grade 1  25.00%  +0.050",
        "grade 2  50.00%   0.000",
        "2 grades more",
    ]
    assert sections_table({}) == ""
