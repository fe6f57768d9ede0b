"""How trainings went, in words and as marks on the learning curves."""

from __future__ import annotations

from typing import Any

import pytest

from bessemer.report import charts, training
from bessemer.report.units import SHARE, Measure


def report(told: dict[str, Any], steps: int = 900) -> dict[str, Any]:
    points = [
        {"step": step, "loss": 2 / step, "rate": 0.1, "validation": 0.9 if step % 90 == 0 else None}
        for step in range(9, steps + 1, 9)
    ]
    whole = {"steps": 900, "seconds": 41.7, "attempts": 1, "resumed": [], "stall": 0.004, "memory": 512_000_000}
    return {
        "measures": [Measure("accuracy", "accuracy", SHARE).as_dict()],
        "curves": {"parent": points, "candidates": {}},
        "training": {"parent": {**whole, **told}},
    }


@pytest.mark.parametrize(
    ("told", "steps", "said"),
    [
        ({}, 900, "900 steps in 41.7 s; peak memory 512 MB"),
        ({"steps": 1200}, 900, "stopped early, of 1,200 planned"),
        ({"attempts": 3, "resumed": [90, 400]}, 900, "3 attempts, resumed after steps 90 and 400"),
        ({"skipped": [4], "rewinds": []}, 900, "1 step skipped (step 5)"),
        (
            {"rewinds": [{"at": 6, "to": 4}]},
            900,
            "3 steps skipped (steps 5 to 7); went back to the weights of",
        ),
        ({"skipped": list(range(0, 40, 2))}, 900, "(steps 1, 3, 5, 7, 9, 11, 13, 15 and others)"),
        ({"stall": 0.123}, 900, "waited 12.3% of the time for data"),
    ],
)
def test_a_training_is_told_in_a_sentence(told: dict[str, Any], steps: int, said: str) -> None:
    ((name, text),) = training.sentences(report(told, steps))
    assert name == "parent"
    assert said in text


def test_a_stall_of_less_than_a_percent_is_not_told() -> None:
    assert "waited" not in training.sentences(report({}))[0][1]


def test_curves_show_loss_validation_and_rate_and_mark_what_happened() -> None:
    told = {"skipped": [4], "resumed": [90], "attempts": 2, "steps": 1200}
    drawn = charts.learning_curves(report(told))
    for text in ("training loss", "validation accuracy", "learning rate", "resumed", "skipped", "stopped early"):
        assert text in drawn
    plain = charts.learning_curves(report({}))
    assert not any(text in plain for text in ("resumed", "skipped", "stopped early"))


def test_a_report_without_trainings_says_nothing() -> None:
    assert training.sentences({}) == []
