"""The model card: front matter that is YAML, tables that are Markdown, names that stay text."""

from __future__ import annotations

from typing import Any

from ruamel.yaml import YAML

from bessemer.report.card import model_card


def split(card: str) -> tuple[dict[str, Any], str]:
    """The front matter and the Markdown below it."""
    start, front, body = card.split("---\n", 2)
    assert start == ""
    return YAML(typ="safe").load(front), body


def test_front_matter(report: dict[str, Any]) -> None:
    front, _ = split(model_card(report))
    assert front["pipeline_tag"] == "image-classification"
    assert front["tags"] == ["bessemer", "onnx", "int8"]
    result = front["model-index"][0]["results"][0]
    assert result["dataset"] == {"name": "digits", "type": "digits", "split": "test"}
    assert result["metrics"][0] == {"type": "accuracy", "value": 0.9833}


def test_body(report: dict[str, Any]) -> None:
    _, body = split(model_card(report))
    assert "# digits\n" in body
    assert "loses 0.28 points of accuracy." in body
    assert "Contract: **met**." in body
    assert "| accuracy | 98.61% (97.40 to 99.38%) | 98.33% (97.12 to 99.10%) | -0.28 points |" in body
    assert "| accuracy change at least | -1.00 points | -0.28 points | met |" in body
    assert "It sorts images into 10 classes: zero, one" in body
    assert "images of 8 × 8 × 1 (height × width × channels)" in body
    assert "- samples: 1,795 kept of 1,799" in body
    assert "Lowest F1 by class: eight (95.65%)" in body


def test_tables_have_one_width(report: dict[str, Any]) -> None:
    tables = [block for block in model_card(report).split("\n\n") if block.startswith("|")]
    assert len(tables) == 6  # two of them are blocks of the task
    for table in tables:
        assert len({line.count("|") for line in table.splitlines()}) == 1


def test_hostile_names(report: dict[str, Any]) -> None:
    report["name"] = 'a"b: c\n---\n# <script>'
    report["card"]["does"] = ["It tells apart x | <img src=x> [link](javascript:1)"]
    front, body = split(model_card(report))
    assert front["model-index"][0]["name"] == report["name"]
    assert "<" not in body
    assert "x \\| &lt;img src=x&gt; \\[link\\]" in body


def test_many_classes_are_counted(many: dict[str, Any]) -> None:
    assert "into 120 classes" in model_card(many)
    assert "and 90 more." in model_card(many)


def test_stopped_after_training(stopped: dict[str, Any]) -> None:
    front, body = split(model_card(stopped))
    assert front["tags"] == ["bessemer", "onnx"]
    assert front["model-index"][0]["results"][0]["metrics"][0]["value"] == 0.9861
    assert "Contract: **not run**." in body
    assert "| size | 1.2 MB | not measured |  |" in body
    assert "Parity was not run." in body


def test_empty_report() -> None:
    front, body = split(model_card({}))
    assert "model-index" not in front
    assert "No model is measured yet." in body


def test_each_kind_of_data_has_its_input(told: tuple[str, dict[str, Any]]) -> None:
    kind, report = told
    front, body = split(model_card(report))
    assert front["pipeline_tag"] == f"{kind}-classification"
    assert front["model-index"][0]["results"][0]["task"]["type"] == f"{kind}-classification"
    assert report["card"]["use"]["tensors"] in body
    assert "- probable label errors, left as they are: 19 of 1,293 looked at" in body
    assert "- duplicates: 412, 150 of them near copies" in body
    assert "- repaired:\n  - " in body


def test_names_that_are_no_utf8(report: dict[str, Any]) -> None:
    report["card"]["does"] = ["It knows caf\udce9"]
    model_card(report).encode("utf-8")


def test_small_numbers_of_the_front_matter_keep_their_digits(report: dict[str, Any]) -> None:
    report["metrics"]["shipped"]["accuracy"]["value"] = 2.94e-8
    front, _ = split(model_card(report))
    assert front["model-index"][0]["results"][0]["metrics"][0]["value"] == 2.94e-8
