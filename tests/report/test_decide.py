"""The last lines of the terminal say what a decider needs."""

from __future__ import annotations

import io
from typing import Any

from bessemer.report.decide import answers
from bessemer.report.prepared import account_told
from bessemer.report.table import summary_table
from bessemer.report.terminal import TerminalProgress


def test_the_five_questions(report: dict[str, Any]) -> None:
    report["baseline"] = {"name": "a line", "metrics": {"accuracy": {"value": 0.95, "low": 0.93, "high": 0.96}}}
    report["data"] |= {"splits": {"train": 1400, "test": 360}, "noun": "images"}
    told = dict(answers(report, "runs/digits"))
    assert list(told) == ["how good", "how sure", "against what", "how fast", "what next"]
    assert told["how good"] == "98.33% accuracy on 360 images that it never saw"
    assert told["how sure"] == "95% sure that it lies within 97.12 to 99.10% on data of the same kind"
    assert told["against what"].startswith("The shipped model is 3.33 points better than the baseline: a line")
    assert told["how fast"] == "0.0412 ms for 1 sample and 0.829 ms for 64 samples, 134 kB"
    assert told["what next"].endswith("use it: bessemer predict runs/digits file.png")
    last = summary_table(report, "runs/digits").splitlines()[-5:]
    assert [line.split(":")[0] for line in last] == list(told)


def test_few_samples_are_said(report: dict[str, Any]) -> None:
    report["data"] |= {"splits": {"test": 24}, "noun": "images"}
    assert dict(answers(report))["how sure"].endswith("; 24 for the test are few")


def test_a_simple_model_that_is_better_is_what_to_do_next(report: dict[str, Any]) -> None:
    report["baseline"] = {"name": "a line", "metrics": {"accuracy": {"value": 0.99}}}
    assert dict(answers(report))["what next"].startswith("the simple model is better")


def test_nothing_is_said_of_what_was_not_measured() -> None:
    assert answers({}) == []


def test_a_measure_beside_the_headline_stands_in_the_table(report: dict[str, Any]) -> None:
    (f1,) = [one for one in report["measures"] if one["name"] == "f1"]
    f1 |= {"label": "macro-F1", "beside": True}
    report["metrics"]["shipped"]["f1"] = {"value": 0.474, "low": 0.44, "high": 0.5}
    lines = summary_table(report).splitlines()
    (place,) = [number for number, line in enumerate(lines) if line.startswith("macro-F1")]
    assert "47.40%" in lines[place]
    assert "44.00 to 50.00%" in lines[place + 1]
    assert ", macro-F1 47.40%" in dict(answers(report))["how good"]


def test_what_a_task_says_to_mind_is_a_warning(report: dict[str, Any]) -> None:
    report["card"]["mind"] = ["The shipped model never gives six: 12 test samples of 1 class."]
    assert "Mind: The shipped model never gives six" in summary_table(report)
    assert "of the classes that it never gives" in dict(answers(report))["what next"]


def test_rows_in_kept_and_set_aside() -> None:
    data: dict[str, Any] = {"rows": 1200, "kept": 1100, "duplicates": 60, "leaks": 0, "near_duplicates": 9}
    data |= {"splits": {"train": 800, "validation": 100, "test": 200}}
    data["quarantined"] = {"empty text": 3, "not text": 30, "a": 2, "b": 2, "c": 2, "d": 1}
    assert account_told(data) == [
        "1,200 rows: 1,100 kept, 60 duplicates, 40 quarantined",
        "kept: 800 train, 100 validation, 200 test",
        "set aside: 30 not text",
        "set aside: 3 empty text",
        "set aside: 2 a",
        "set aside: 2 b",
        "set aside: 2 c",
        "set aside: 1 for other reasons",
    ]
    assert account_told({}) == []


def test_progress_without_a_known_end_counts_what_it_says() -> None:
    stream = io.StringIO()
    stream.isatty = lambda: True  # type: ignore[method-assign]
    TerminalProgress(stream).step("prepare", 1200, 0, "rows, 3 set aside")
    TerminalProgress(stream).step("train", 50, 200, "loss 0.1")
    assert stream.getvalue().split("\r")[1:] == [
        "prepare 1,200 rows, 3 set aside",
        "train 50 of 200 (25%) loss 0.1",
    ]
