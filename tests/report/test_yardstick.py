"""What an accuracy is worth: said on the page, on the terminal and in the card."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bessemer.report.card import model_card
from bessemer.report.facts import headline, missed, terms
from bessemer.report.table import summary_table
from bessemer.report.yardstick import baseline, compared, extent, others, warnings


@pytest.fixture
def outputs(bare: Callable[[dict[str, Any]], str]) -> Callable[[dict[str, Any]], list[str]]:
    """All that a person reads."""
    return lambda report: [bare(report), summary_table(report), model_card(report)]


def set_accuracy(report: dict[str, Any], role: str, value: float, width: float = 0.02) -> None:
    """Give a model another accuracy, with an interval."""
    report["metrics"][role]["accuracy"] = {"value": value, "low": value - width, "high": value + width}


def test_the_baseline_stands_in_every_output(outputs: Any, text_report: dict[str, Any]) -> None:
    for text in outputs(text_report):
        assert "logistic regression on TF-IDF" in text
        assert "91.21%" in text
    lines = summary_table(text_report).splitlines()
    assert lines[7:9] == [
        "baseline                         accuracy     95% interval",
        "  logistic regression on TF-IDF    91.21%  89.12 to 93.02%",
    ]
    assert warnings(text_report) == []


def test_a_baseline_without_mistakes_cannot_be_beaten(outputs: Any, text_report: dict[str, Any]) -> None:
    text_report["baseline"]["metrics"]["accuracy"] = {"value": 1.0, "low": 0.77, "high": 1.0}
    set_accuracy(text_report, "shipped", 0.9231)
    for text in outputs(text_report):
        assert "does not beat the baseline, and nothing could" in text
        assert "reaches 100.00% on the same test samples, the model 92.31%" in text


def test_a_tie_with_the_baseline_is_said_and_is_no_alarm(outputs: Any, text_report: dict[str, Any]) -> None:
    set_accuracy(text_report, "shipped", 0.9121)
    assert compared(text_report).startswith("The shipped model does not beat the baseline, and is no worse")
    assert warnings(text_report) == []
    page, *others = outputs(text_report)
    for text in others:
        assert "does not beat the baseline, and is no worse" in text
        assert "Mind" not in text
    assert "does not beat the baseline" not in page  # it stands under the chart, which is left out here


def test_a_tie_of_two_without_mistakes_is_no_alarm(text_report: dict[str, Any]) -> None:
    text_report["baseline"]["metrics"]["accuracy"] = {"value": 1.0, "low": 0.77, "high": 1.0}
    set_accuracy(text_report, "shipped", 1.0)
    assert warnings(text_report) == []


def test_a_simple_model_that_is_better_is_named_first_of_all(outputs: Any, text_report: dict[str, Any]) -> None:
    set_accuracy(text_report, "shipped", 0.9)
    said = "Logistic regression on TF-IDF is better: accuracy 91.21% against 90.00% of the shipped model"
    assert warnings(text_report) == [f"{said}, on the same test samples."]
    for text in outputs(text_report):
        assert said in text
    page = outputs(text_report)[0]
    assert page.index(said) < page.index("Contract")


def test_every_simple_model_is_to_be_beaten_not_only_the_one_that_was_chosen(text_report: dict[str, Any]) -> None:
    set_accuracy(text_report, "shipped", 0.93)
    assert warnings(text_report) == []
    trees = {"name": "gradient boosting", "metrics": {"accuracy": {"value": 0.95, "low": 0.94, "high": 0.96}}}
    text_report["baseline"]["also"] = [*text_report["baseline"].get("also", []), trees]
    (warning,) = warnings(text_report)
    assert warning.startswith("Gradient boosting is better: accuracy 95.00% against 93.00% of the shipped model")


def test_a_small_lead_may_be_chance(text_report: dict[str, Any]) -> None:
    set_accuracy(text_report, "shipped", 0.92)
    assert "0.79 points better than the baseline, which may be chance" in compared(text_report)
    assert warnings(text_report) == []


def test_without_a_shipped_model_the_parent_is_compared(text_report: dict[str, Any]) -> None:
    del text_report["metrics"]["shipped"]
    assert compared(text_report).startswith("The parent model is 7.40 points better")


@pytest.mark.parametrize("missing", [None, {}, {"name": "x", "metrics": None}])
def test_a_baseline_that_was_not_run(text_report: dict[str, Any], missing: Any) -> None:
    text_report["baseline"] = missing
    assert baseline(text_report) is None
    assert compared(text_report) == ""
    assert "baseline" not in summary_table(text_report)


@pytest.mark.parametrize(
    ("share", "value", "warned"),
    [
        (0.10, 0.10, "is"),  # one of ten classes
        (0.10, 0.115, "may be"),  # above it, but the interval reaches down to it
        (0.10, 0.13, ""),
        (0.90, 0.90, "is"),  # the largest class alone
        (0.90, 0.95, ""),
    ],
)
def test_a_parent_at_chance_is_warned_of(
    outputs: Any, report: dict[str, Any], share: float, value: float, warned: str
) -> None:
    report["baseline"] = answers(share)
    set_accuracy(report, "parent", value)
    assert bool(warnings(report)) == bool(warned)
    for text in outputs(report):
        assert (f"parent model {warned} no better than always answering “zero”" in text) == bool(warned)


def answers(share: float) -> dict[str, Any]:
    """A baseline that learned nothing but the commonest class."""
    also = [{"name": "always answering “zero”", "metrics": {"accuracy": {"value": share}}}]
    return {"name": "a line", "metrics": {}, "also": also}


def test_a_shipped_model_at_chance_is_warned_of(report: dict[str, Any]) -> None:
    report["baseline"] = answers(0.10)
    set_accuracy(report, "shipped", 0.11)
    (warning,) = warnings(report)
    assert warning.startswith("The shipped model may be no better than always answering “zero”")


def test_without_a_baseline_there_are_no_others() -> None:
    assert others({}) == []
    assert others({"baseline": {"also": [{"name": "x"}]}}) == []


def test_a_refusal_is_told_in_points(report: dict[str, Any]) -> None:
    report["contract"]["verdict"][0] |= {"value": 0.0212, "met": False}
    assert missed(report) == "accuracy change at least -1.00 points (max_drop), measured -2.12 points"
    report["contract"]["verdict"][1] |= {"value": 1.5, "met": False}
    assert missed(report).endswith("; speed-up at least 2.0x (min_speedup), measured 1.50x")


def test_a_refusal_names_the_term_that_nobody_asked_for(report: dict[str, Any]) -> None:
    line = {"term": "not_slower", "limit": 1.0, "value": 0.29, "met": False}
    report["contract"]["verdict"].append(line)
    assert missed(report) == "speed-up of an int8 file at least 1.00x (not_slower), measured 0.29x"


def test_where_fewer_are_better_all_is_told_the_other_way_round(outputs: Any, graded: dict[str, Any]) -> None:
    assert compared(graded).startswith("The shipped model is 0.27 steps better than the baseline: ordered")
    assert warnings(graded) == []
    assert "raises its distance by 0.03 steps" in headline(graded)
    for text in outputs(graded):
        assert "distance" in text
        assert "loses" not in text  # of what should be small one does not lose
        assert "accuracy" not in text
    set_off(graded, 0.72)
    assert "is better: distance 0.70 against 0.72 steps of the shipped model" in compared(graded)
    set_off(graded, 0.67)
    assert "which may be chance" in compared(graded)
    set_off(graded, 1.28)
    better, chance = warnings(graded)
    assert better.startswith("Ordered")
    assert "may be no better than always the middle grade, which reaches 1.30 steps" in chance


def set_off(report: dict[str, Any], value: float) -> None:
    report["metrics"]["shipped"]["off"] = {"value": value, "low": value - 0.05, "high": value + 0.05}


def test_a_term_of_a_measure_of_which_fewer_are_better(graded: dict[str, Any]) -> None:
    assert terms(graded)[0].label == "distance change at most"
    assert (terms(graded)[0].limit, terms(graded)[0].value) == ("+0.04 steps", "+0.03 steps")
    graded["contract"]["verdict"] = []
    assert terms(graded)[0].limit == "10% of the parent's"


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"trained_on": 20, "train_rows": 20}, ""),
        ({"trained_on": 1200, "train_rows": 2000}, "1,200 of 2,000 training samples"),
        (
            {"trained_on": 5, "train_rows": 9, "amount": {"unit": "characters", "trained_on": 70, "of": 3000}},
            "5 of 9 training samples, 70 of 3,000 characters",
        ),
        ({"trained_on": 80, "amount": {"unit": "bytes", "trained_on": 80, "of": 99}}, "80 of 99 bytes"),
    ],
)
def test_a_simple_model_that_saw_a_part_of_the_training_split_says_so(told: dict[str, Any], said: str) -> None:
    report = {"baseline": told}
    assert extent(report) == (f"The simple model was trained on {said}." if said else "")
