"""Cells of labels: nothing in any spelling, lists of several, names that are alike; columns of 0 and 1."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bessemer.data.config import DataConfig
from bessemer.data.record import Raw, Rejected
from bessemer.errors import DataError
from bessemer.prepare.prepare import prepare
from bessemer.prepare.source import open_source
from bessemer.prepare.source.label import alike, is_alphabet, joined, listed, one_spelling, says_no_label, trimmed

WORDS = ["".join(letters) for letters in np.random.default_rng(5).choice(list("aeioubdgklmnprst"), (300, 6))]


def rows_of(path: Path, **columns) -> list[Raw]:
    source = open_source(DataConfig(source="table", path=str(path), columns={"text": "text", **columns}))
    return [row for task in source.tasks() for row in source.read(task)]


def table(path: Path, labels: list) -> Path:
    """A row of different words for each label, as JSON where the name says so."""
    texts = [" ".join(np.random.default_rng(seed).choice(WORDS, 12)) for seed in range(len(labels))]
    if path.suffix == ".jsonl":
        lines = [json.dumps({"text": text, "label": label}) for text, label in zip(texts, labels, strict=True)]
    else:
        lines = ["text;label", *(f"{text};{label}" for text, label in zip(texts, labels, strict=True))]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "cell", ["", "\u00a0", "\u3000 ", "\u200b", "\u2800", "\u3164", "nan", "NaN", "N/A", "NA"]
)
def test_blanks_of_any_script_and_words_for_nothing_are_no_label(cell):
    assert says_no_label(trimmed(cell))


@pytest.mark.parametrize("cell", ["none", "NONE", "unknown", "na", "0", "-", "?", "no"])
def test_words_that_may_be_classes_are_labels(cell):
    assert not says_no_label(trimmed(cell))


def test_a_text_in_a_typed_file_is_a_name_and_null_is_none(tmp_path):
    labels = ["nan", "None", None, " ", float("nan"), "x "]
    assert [row.label for row in rows_of(table(tmp_path / "t.jsonl", labels))] == [
        "nan",
        "None",
        None,
        None,
        None,
        "x",
    ]
    written = rows_of(table(tmp_path / "t.csv", ["nan", "None", "", "\u3000", "x\u00a0"]))
    assert [row.label for row in written] == [None, None, None, None, "x"]
    assert written[4].repairs == ("blanks around the label removed",)


@pytest.mark.parametrize(
    ("cell", "elements"),
    [
        (["a", "b"], ["a", "b"]),
        ("['a', 'b']", ["a", "b"]),
        ("['a' 'b']", ["a", "b"]),
        ('["a", "it\'s"]', ["a", "it's"]),
        ("[1, 2]", [1, 2]),
        ("{a,b}", ["a", "b"]),
        ("[0 1]", ["0", "1"]),
        ("['a']", ["a"]),
        ("[]", []),
        ("[deleted]", None),
        ("a, b", None),
        ('{"a": 1}', None),
    ],
)
def test_lists_and_texts_of_lists(cell, elements):
    assert listed(cell) == elements


def test_a_list_of_one_is_a_label_and_of_several_a_row_with_a_reason(tmp_path):
    rows = rows_of(table(tmp_path / "t.csv", ["['a']", "['a', 'b']", "[]", "b"]))
    assert [row.label for row in rows] == ["a", None, None, "b"]
    assert rows[0].repairs == ("label taken out of a list of one",)
    assert isinstance(rows[1].value, Rejected)
    assert (rows[1].value.reason, rows[1].value.detail) == ("several labels", "a, b")


def test_labels_that_join_others_are_told_from_names_with_a_comma():
    assert joined({"a|b": 3, "a": 2, "b": 5}) == {"a|b": 3}
    assert joined({"a; b": 3, "a": 2, "b; a": 5}) == {"a; b": 3, "b; a": 5}
    assert not joined({"Arts, crafts": 9, "Politics": 4, "Food, drink": 5})
    assert not joined({"1,5": 9, "1,2": 4, "5,2": 5})


@pytest.mark.parametrize("labels", [[["a", "b"], ["a"], ["b"]], ["a|b", "a", "b"]])
def test_a_table_of_several_labels_a_row_is_refused(tmp_path, labels):
    path = table(tmp_path / "t.jsonl", labels * 10)
    config = DataConfig(source="table", path=str(path), columns={"text": "text"})
    with pytest.raises(
        DataError, match=r"column 'label', the label, lists several classes in 10 of 30 rows"
    ) as error:
        prepare(config, 0, tmp_path / "out", workers=1)
    assert "one class a row" in error.value.remedy


def test_names_that_differ_in_case_blanks_or_width():
    names = ["Ham", "ham", "new  york", "New York", "spam", "ｈam"]
    assert alike(names) == [["Ham", "ham", "ｈam"], ["new  york", "New York"]]
    assert one_spelling({"Ham": 1, "ham": 3, "x": 1}) == {"Ham": "ham", "ham": "ham", "x": "x"}
    letters = [["a", "A"], ["b", "B"], ["c", "C"], ["d", "D"]]
    assert is_alphabet(letters)
    assert not is_alphabet(letters[:2])
    assert not is_alphabet([*letters, ["Ham", "ham"]])


@pytest.mark.parametrize("merge", [True, False])
def test_labels_that_differ_in_case_are_one_class_where_it_is_said(tmp_path, merge):
    path = table(tmp_path / "t.csv", ["Spam", "ham", "spam", "Ham", "spam", "ham"] * 8)
    columns = {"text": "text"}
    config = DataConfig(source="table", path=str(path), columns=columns, merge_alike=merge, dedup={"near": False})
    (tmp_path / "out").mkdir()
    about = prepare(config, 0, tmp_path / "out", workers=1)
    assert about["kept"] == 48
    assert about["classes"] == (["ham", "spam"] if merge else ["Ham", "Spam", "ham", "spam"])
    told = [note for note in about["notes"] if "differ in case" in note]
    assert len(told) == (0 if merge else 1)


def test_the_class_is_the_name_of_the_column_that_says_yes(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("text,anger,joy\na,1,0\nb,0,1.0\nc,0,0\nd,1,1\ne,False,True\n", encoding="utf-8")
    rows = rows_of(path, one_of=["anger", "joy"])
    assert [row.label for row in rows] == ["anger", "joy", None, None, "joy"]
    assert isinstance(rows[3].value, Rejected)
    assert rows[3].value.reason == "several labels"


def test_classes_of_one_sample_each_are_refused_for_that_reason(tmp_path):
    path = table(tmp_path / "t.csv", [f"{number / 7:.3f}" for number in range(30)])
    config = DataConfig(source="table", path=str(path), columns={"text": "text"}, dedup={"near": False})
    with pytest.raises(DataError, match="30 usable samples in 30 classes") as error:
        prepare(config, 0, tmp_path / "out", workers=1)
    assert "task: regress" in error.value.remedy
