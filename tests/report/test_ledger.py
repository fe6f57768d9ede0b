"""What each technique bought, in words, in the terminal and on the page."""

from __future__ import annotations

from typing import Any

import pytest

from bessemer.report import ledger
from bessemer.report.charts import waterfall
from bessemer.report.html import render
from bessemer.report.ledger_chart import chart

ABOUT = {"minutes": 30.0, "trials": 9, "seconds": 100.0, "seeds": 3, "split": "validation", "measure": "accuracy"}


def row(name: str, quality: float, half: float | None, **more: Any) -> dict[str, Any]:
    low, high = (None, None) if half is None else (quality - half, quality + half)
    pairs = 1 if half is None else 3
    found = {"technique": name, "stage": "train", "quality": quality, "low": low, "high": high, "pairs": pairs}
    return {**found, "seconds": 2.0, "seconds_low": None, "seconds_high": None, "bytes": 0, **more}


SMOOTHING = row("label smoothing", 0.004, 0.005)
MIXUP = row("mixup", -0.02, 0.01)
EMA = row("ema", 0.05, None)
PRUNING = row("channel pruning", -0.01, 0.02, stage="compress", bytes=-12_000)
ROWS = [PRUNING, SMOOTHING, MIXUP, EMA]


@pytest.fixture
def told(report: dict[str, Any]) -> dict[str, Any]:
    """A whole run with rows of trials behind the steps of the shipped file."""
    return ledger.with_trials(report, ROWS, ABOUT)


def test_a_row_in_words(told: dict[str, Any]) -> None:
    assert ledger.words(told, SMOOTHING) == "label smoothing: +0.40 points (-0.10 to +0.90), 3 pairs; +2.0 s"
    assert ledger.words(told, EMA) == "ema: +5.00 points, one pair; +2.0 s"
    assert ledger.words(told, PRUNING).endswith("; +2.0 s; -12.0 kB")


def test_gains_are_told_in_the_unit_of_the_headline(graded: dict[str, Any]) -> None:
    row = {**SMOOTHING, "quality": 0.04, "low": -0.01, "high": 0.09}
    told = ledger.with_trials(graded, [row], ABOUT)
    assert ledger.words(told, row).startswith("label smoothing: +0.04 steps (-0.01 to +0.09)")
    assert "quality gained [steps]" in chart(told)


@pytest.mark.parametrize(
    ("quality", "half", "verdict"),
    [
        (0.02, 0.01, "helps"),
        (-0.02, 0.01, "hurts"),
        (0.02, 0.03, "may be chance"),
        (0.02, None, "may be chance"),
        (0.0, 0.0, "no difference"),
    ],
)
def test_a_verdict_needs_an_interval_that_is_clear_of_zero(
    quality: float, half: float | None, verdict: str
) -> None:
    assert ledger.verdict(row("ema", quality, half)) == verdict


def test_training_comes_first_and_then_what_gained_most(told: dict[str, Any]) -> None:
    names = [one["technique"] for one in ledger.trials(told)]
    assert names == ["ema", "label smoothing", "mixup", "channel pruning"]


def test_trials_stand_beside_the_steps_and_replace_earlier_ones(
    report: dict[str, Any], told: dict[str, Any]
) -> None:
    assert ledger.steps(told) == ledger.steps(report) == report["ledger"]
    assert len(ledger.with_trials(told, [EMA], ABOUT)["ledger"]) == len(report["ledger"]) + 1
    assert waterfall(told) == waterfall(report)


def test_the_table_of_the_terminal(told: dict[str, Any]) -> None:
    lines = ledger.ledger_table(told).splitlines()
    assert " ".join(lines[2].split()) == "ema train +5.00 points one pair 1 may be chance +2.0 s 0 B"
    assert " ".join(lines[4].split()) == "mixup train -2.00 points -3.00 to -1.00 3 hurts +2.0 s 0 B"
    assert "single measurements" in lines[-1]


def test_the_page_shows_chart_table_and_words(told: dict[str, Any]) -> None:
    page = render(told)
    assert "9 trainings in 1 min 40 s" in page
    assert "<li>label smoothing: +0.40 points (-0.10 to +0.90), 3 pairs; +2.0 s</li>" in page
    assert chart(told) in page
    assert "size added [kB]" in chart(told)


def test_a_run_without_compression_has_a_ledger_once_it_was_taken(report: dict[str, Any]) -> None:
    report["recipe"]["compress"] = None
    assert 'id="ledger"' not in render(report)
    assert 'id="ledger"' in render(ledger.with_trials({**report, "ledger": []}, [EMA], ABOUT))


def test_without_trials_the_page_says_how_to_get_them(report: dict[str, Any]) -> None:
    assert chart(report) == ""
    assert ledger.HOW in render(report)
