"""Which columns `init` takes for texts, files and labels, what it says of the others, and what it refuses."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bessemer.errors import DataError
from bessemer.prepare.source.detect import detect
from bessemer.prepare.source.guess import guess_table

PNG = b"\x89PNG\r\n\x1a\n" + bytes(8)
ROWS = 60


def words(row: int, count: int = 12) -> str:
    letters = np.random.default_rng(row).choice(list("aeioubdgklmnprst"), (count, 6))
    return " ".join("".join(word) for word in letters)


def table(path: Path, **columns: Any) -> Path:
    """A CSV or JSON Lines file; a column is a function of the number of a row, or values that come again."""
    names = list(columns)
    rows = [
        [one(row) if callable(one) else one[row % len(one)] for one in columns.values()] for row in range(ROWS)
    ]
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(dict(zip(names, row, strict=True))) + "\n" for row in rows))
        return path
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([names, *rows])
    return path


def guessed(path: Path, **more: Any) -> tuple[dict[str, Any], str]:
    """The columns, and all that is said of them."""
    notes: list[str] = []
    return guess_table(path, notes, **more)["columns"], "\n".join(notes)


def refused(path: Path, **more: Any) -> DataError:
    with pytest.raises(DataError) as error:
        guess_table(path, **more)
    assert error.value.remedy
    return error.value


# --- the label ------------------------------------------------------------------------------------------


def test_a_column_whose_name_says_label_goes_before_one_of_fewer_values(tmp_path):
    path = table(tmp_path / "t.csv", id=str, airline_sentiment=["a", "b", "c"], airline=["x", "y"], text=words)
    columns, said = guessed(path)
    assert columns == {"text": "text", "label": "airline_sentiment"}
    assert "'airline_sentiment' (3 values), by its name; it could be 'airline' (2 values)" in said
    assert "Not read: 'id'." in said
    assert guessed(path, label="airline")[0] == {"text": "text", "label": "airline"}
    assert "no column 'none'" in refused(path, label="none").problem


def test_columns_of_0_and_1_say_the_class_together(tmp_path):
    hot = {
        name: lambda row, place=place: int(row % 3 == place) for place, name in enumerate(("joy", "rage", "woe"))
    }
    path = table(tmp_path / "t.csv", text=words, has_url=[0, 1, 1, 1], **hot)
    columns, said = guessed(path)
    assert columns == {"text": "text", "one_of": ["joy", "rage", "woe"]}
    assert "Each row has one 1 in the columns 'joy', 'rage' and 'woe'" in said
    several = table(tmp_path / "u.csv", text=words, toxic=[0, 1], rude=[1, 1, 0], threat=[0, 0, 1, 0])
    columns, said = guessed(several)
    assert columns == {"text": "text", "label": "toxic"}
    assert "'toxic', 'rude' and 'threat' hold 0 and 1, several in a row: only 'toxic' is told" in said


@pytest.mark.parametrize(
    ("labels", "suffix", "problem"),
    [
        (["['a', 'b']", "['a']", "['b']"], ".csv", "lists several labels in one cell, such as \"['a', 'b']\""),
        ([["a", "b"], ["a"], ["b"]], ".jsonl", "lists several labels in one cell, such as \"['a', 'b']\""),
        (["a|b", "a", "b"], ".csv", "lists several labels in one cell, such as 'a|b'"),
        ([{}, {"path": "a.png"}], ".jsonl", "holds objects"),
        (["a"], ".csv", "only one class in it (a)"),
        (["", "nan"], ".csv", "no row in it has a label"),
        ([f"key{row}" for row in range(ROWS)], ".csv", "something else in each of 60 rows, such as 'key0'"),
        (list(range(ROWS)), ".csv", "numbers the rows and says no class"),
    ],
)
def test_a_label_that_is_none_is_refused_for_its_own_reason(tmp_path, labels, suffix, problem):
    path = table(tmp_path / f"t{suffix}", text=words, label=labels, other=["x", "y"])
    error = refused(path)
    assert problem in error.problem
    assert "init --label other" in error.remedy


@pytest.mark.parametrize(
    ("labels", "name"),
    [
        ([{"n": "a"}, {"n": "b"}], "label.n"),
        ([{"id": 0, "of": {"n": "a"}}, {"id": 1, "of": {"n": "b"}}], "label.of.n"),
    ],
)
def test_a_label_inside_of_objects_is_found(tmp_path, labels, name):
    path = table(tmp_path / "t.jsonl", text=words, label=labels)
    assert guessed(path, label=name)[0] == {"text": "text", "label": name}
    path = table(tmp_path / "u.jsonl", text=words, label=[{"n": "a"}, {"n": "b"}], other=["x", "y"])
    columns, said = guessed(path)
    assert columns == {"text": "text", "label": "label.n"}
    assert "'label.n' (2 values), by its name; it could be 'other'" in said


def test_words_for_nothing_are_told(tmp_path):
    path = table(tmp_path / "t.csv", text=words, label=["a", "b", "N/A"])
    assert "'N/A' in 'label' say that there is no label (20 rows" in guessed(path)[1]
    path = table(tmp_path / "t.jsonl", text=words, label=["a", "b", "N/A"])
    assert guessed(path)[1] == ""


def test_numbers_with_fractions_can_be_told_where_no_column_has_classes(tmp_path):
    path = table(tmp_path / "t.csv", id=lambda row: f"k{row}", excerpt=words, ease=lambda row: row / 7)
    assert guessed(path)[0] == {"text": "excerpt", "label": "ease"}


# --- texts ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "names",
    [("premise", "hypothesis"), ("question1", "question2"), ("text_a", "text_b"), ("title", "body")],
)
def test_parts_of_one_sample_are_joined(tmp_path, names):
    first, second = names
    path = table(tmp_path / "t.csv", **{first: words, second: lambda row: words(row + 999, 20)}, label=["x", "y"])
    columns, said = guessed(path)
    assert columns == {"text": [first, second], "label": "label"}
    assert f"Texts are joined from the columns '{first}' and '{second}'." in said


def test_another_column_of_texts_is_told_with_how_to_join_it(tmp_path):
    path = table(tmp_path / "t.csv", abstract=words, remark=lambda row: words(row + 999, 20), label=["x", "y"])
    columns, said = guessed(path)
    assert columns["text"] == "remark"
    assert (
        "Texts in 'abstract' are not read; to join them to the others: data.columns.text: [remark, abstract]"
        in said
    )


def test_a_column_that_is_nearly_empty_or_of_long_links_is_not_the_text(tmp_path):
    path = table(
        tmp_path / "t.csv",
        note=lambda row: words(row, 80) if row < 3 else "",
        link=lambda row: f"https://example.org/{'a' * 300}{row}",
        body=words,
        label=["x", "y"],
    )
    assert guessed(path)[0] == {"text": "body", "label": "label"}
    path = table(tmp_path / "u.csv", body=lambda row: words(row) if row < 20 else "", label=["x", "y", "z"])
    assert "'body', which is read, says nothing in 40 of 60 rows" in guessed(path)[1]


def test_texts_without_blanks_between_words_are_texts(tmp_path):
    letters = list("的一是了我不人在他有这个上们来到时大地为")
    review = lambda row: "".join(np.random.default_rng(row).choice(letters, 30))  # noqa: E731
    path = table(tmp_path / "t.csv", 评论=review, 类别=["好", "坏"])
    assert guessed(path)[0] == {"text": "评论", "label": "类别"}


def test_a_table_of_texts_alone_has_text_for_a_language_model(tmp_path):
    path = table(tmp_path / "t.csv", text=words)
    assert guessed(path, label=False)[0] == {"text": "text"}


# --- files that cells name ------------------------------------------------------------------------------


def add(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(PNG)


@pytest.mark.parametrize(
    ("files", "cell", "forms"),
    [
        ("images/{}.png", "{}", "images/{}.png"),
        ("{}.png", "{}", "{}.png"),
        ("images/img_{}.png", "IMG_{}.PNG", "images/{}"),
        ("Images/img_{}.png", "images/IMG_{}", "{}.png"),
        ("data/a/{}.png", "a/{}.png", "data/{}"),
    ],
)
def test_files_are_found_by_a_part_of_their_path(tmp_path, files, cell, forms):
    add(tmp_path, *(files.format(f"1{row}7") for row in range(ROWS)))
    table(tmp_path / "train.csv", id=lambda row: cell.format(f"1{row}7"), label=["x", "y"])
    table(tmp_path / "sample_submission.csv", id=lambda row: cell.format(f"1{row}7"), label=["x"])
    notes: list[str] = []
    values = detect(tmp_path, notes)
    assert values["path"] == str(tmp_path / "train.csv")
    assert values["columns"] == {"image": "id", "files": forms, "label": "label"}
    assert notes[0] == "The samples are those of 'train.csv'; not read beside it: 'sample_submission.csv'."


def test_files_of_two_suffixes_take_two_forms(tmp_path):
    add(tmp_path, *(f"images/{row}.{'jpg' if row % 3 else 'png'}" for row in range(ROWS)))
    table(tmp_path / "t.csv", id=str, label=["x", "y"])
    assert detect(tmp_path)["columns"]["files"] == ["images/{}.jpg", "images/{}.png"]


def test_a_table_that_does_not_name_the_files_beside_it_is_named(tmp_path):
    add(tmp_path, *(f"images/{row}.png" for row in range(ROWS)))
    table(tmp_path / "train.csv", id=lambda row: f"q{row}z", label=["x", "y"])
    with pytest.raises(DataError, match=r"no column of train\.csv names the files beside it") as error:
        detect(tmp_path)
    assert "such as id" in error.value.remedy
    table(tmp_path / "train.csv", file=lambda row: f"gone/{row}.png", label=["x", "y"])
    assert "names images that are not there, such as 'gone/0.png'" in refused(tmp_path / "train.csv").problem


def test_several_labels_of_images_are_refused_for_that_reason(tmp_path):
    add(tmp_path, *(f"images/{row}.png" for row in range(ROWS)))
    table(tmp_path / "train.csv", id=str, label=["x;y", "x", "y"])
    with pytest.raises(DataError, match="lists several labels in one cell, such as 'x;y'"):
        detect(tmp_path)
