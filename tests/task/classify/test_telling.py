"""What the report says of a classifier, from records of samples."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bessemer.task.classify.task import Classification
from bessemer.task.classify.telling import card, never_given

CLASSES = [{"name": name, "f1": f1} for name, f1 in (("a", 0.9), ("b", 0.5), ("c", 1.0), ("d", 0.75))]
ABOUT: dict[str, dict[str, Any]] = {
    "image": {"image": [8, 8, 1], "arguments": {}},
    "text": {"arguments": {"max_tokens": 256}},
    "audio": {"rate": 16_000, "seconds": 1.0, "arguments": {}},
}
INPUTS = {
    "image": "uint8 (batch, height, width, channels): images of 8 × 8 × 1",
    "text": "at most 256, padded with 0",
    "audio": "one channel at 16,000 samples a second, clips of 1 s",
}


@pytest.mark.parametrize("kind", ABOUT)
def test_the_card_says_what_goes_in(kind: str) -> None:
    found = card({"modality": kind, "classes": list("abcd"), **ABOUT[kind]}, CLASSES)
    assert found["pipeline_tag"] == f"{kind}-classification"
    assert INPUTS[kind] in found["use"]["tensors"]
    assert found["limits"] == ["Lowest F1 by class: b (50.00%), d (75.00%), a (90.00%)."]


def test_many_classes_are_counted() -> None:
    names = [f"species {place}" for place in range(120)]
    (told,) = card({"modality": "image", "classes": names, **ABOUT["image"]}, CLASSES)["does"]
    assert told.startswith("It sorts images into 120 classes: species 0, ")
    assert told.endswith("species 29 and 90 more.")


def test_classes_that_are_never_given_are_named() -> None:
    counts = np.array([[5, 0, 0], [3, 0, 1], [0, 0, 4]])
    assert never_given("shipped", counts, ["a", "b", "c"]) == [
        "The shipped model never gives b: 4 test samples of 1 class."
    ]
    assert never_given("shipped", np.array([[5, 0], [0, 0]]), ["a", "b"]) == []  # b is not in the test split


@pytest.mark.parametrize(("counts", "beside"), [([30, 25], []), ([30, 10], ["macro-F1"]), ([30, 0], ["macro-F1"])])
def test_uneven_classes_have_macro_f1_beside_accuracy(counts: list[int], beside: list[str]) -> None:
    about = {"class_counts": {"train": counts, "test": [10, 10]}}
    measures = Classification().measures_of(about)
    assert [one.name for one in measures] == ["accuracy", "precision", "recall", "f1"]
    assert [one.label for one in measures if one.beside] == beside
    assert not any(one.beside for one in Classification().measures_of({}))
