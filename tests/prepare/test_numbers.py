"""Labels that are numbers are kept as they are; nothing takes them for classes, and none is read in two ways."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bessemer.data.config import ColumnsConfig, DataConfig
from bessemer.data.dataset import Batches, Dataset
from bessemer.data.kinds import KINDS
from bessemer.data.numbers import INFINITE, LARGE, NONE, UNCLEAR, Unreadable, number_in
from bessemer.data.split import take_count
from bessemer.errors import DataError
from bessemer.prepare.accounts import read_quarantine
from bessemer.prepare.numbers import describe_numbers
from bessemer.prepare.prepare import prepare
from bessemer.prepare.source.cells import Cells

SAID = [f"{number / 7 - 2:.4f}" for number in range(57)]


@pytest.fixture
def pictures(tmp_path: Path, make_images) -> list[str]:
    """Sixty pictures, by their paths from the table."""
    make_images(tmp_path / "pictures", 60, 0, side=8)
    return sorted(f"pictures/{path.name}" for path in (tmp_path / "pictures").iterdir())


@pytest.fixture
def table(tmp_path: Path, pictures: list[str]) -> Path:
    """Sixty pictures, each with a number of its own; three of the labels are none that can be used."""
    return write(tmp_path, pictures, "y", [*SAID, "high", "1e39", ""])


def write(folder: Path, pictures: Sequence[str], header: str, said: Sequence[str]) -> Path:
    """A table of pictures and what is said of each, with semicolons between."""
    lines = [f"{name};{label}" for name, label in zip(pictures, said, strict=True)]
    (folder / "table.csv").write_text("\n".join([f"file;{header}", *lines]))
    return folder / "table.csv"


def settings(table: Path, label: str | list[str] = "y", decimal: str | None = None, **other) -> DataConfig:
    columns = {"image": "file", "label": label, "decimal": decimal}
    return DataConfig(source="table", path=str(table), columns=columns, dedup={"near": False}, **other)


def test_numbers_are_kept_and_what_is_none_is_set_aside(table: Path, out: Path) -> None:
    about = prepare(settings(table), 0, out, workers=1, numbers=True)
    assert about["quarantined"] == {"y is no number": 1, "y is too large": 1, "no label": 1}
    labels = np.load(out / "labels.npy")
    assert labels.dtype == np.float32
    assert np.sort(labels) == pytest.approx([round(number / 7 - 2, 4) for number in range(57)], abs=1e-6)
    assert len(about["classes"]) == 1  # so they are split as one
    (told,) = about["numbers"]
    assert told["name"] == "y"
    assert sum(told["counts"]) == 57
    assert "label_issues" not in about
    details = {row["detail"] for row in read_quarantine(out).to_pylist() if row["detail"]}
    assert details == {"high", "1e39"}


def test_figures_of_a_target_are_those_of_the_training_split(table: Path, out: Path) -> None:
    (told,) = prepare(settings(table), 0, out, workers=1, numbers=True)["numbers"]
    train = Dataset(out).split("train").labels.astype(np.float64)
    figures = [told[name] for name in ("mean", "std", "low", "high")]
    assert figures == pytest.approx([train.mean(), train.std(), train.min(), train.max()], rel=1e-12)


def test_other_test_targets_change_no_figure() -> None:
    targets, train = np.arange(10, dtype=np.float32)[:, None], np.arange(8)
    changed = targets.copy()
    changed[8:] = 1e6
    one, other = (describe_numbers(["y"], values, train)[0] for values in (targets, changed))
    assert all(one[name] == other[name] for name in ("mean", "std", "low", "high"))
    assert (one["mean"], one["low"], one["high"]) == (3.5, 0.0, 7.0)


def test_several_columns_stand_side_by_side(tmp_path: Path, pictures: list[str], out: Path) -> None:
    said = [f"{number};{-2 * number}.5" for number in range(57)] + ["1;", ";", "1;inf"]
    about = prepare(settings(write(tmp_path, pictures, "a;b", said), ["a", "b"]), 0, out, workers=1, numbers=True)
    assert about["quarantined"] == {"no label": 2, "b is infinite": 1}
    details = {row["detail"] for row in read_quarantine(out).to_pylist()}
    assert details == {"b is empty", "", "inf"}
    labels = np.load(out / "labels.npy")
    assert (labels.dtype, labels.shape) == (np.float32, (57, 2))
    assert np.sort(labels[:, 0]).tolist() == list(range(57))
    expected = np.where(labels[:, 0] == 0, 0.5, -2 * labels[:, 0] - 0.5)
    assert labels[:, 1] == pytest.approx(expected)
    assert [one["name"] for one in about["numbers"]] == ["a", "b"]
    train = Dataset(out).split("train")
    assert Batches(train, 8, 0).batch(0).targets.shape == (8, 2)
    assert len(take_count(train.labels, train.ids, 10, 0)) == 10


PLAIN = [("3.4e38", 3.4e38), ("-2", -2), (" 7 ", 7), ("1e-50", 1e-50), (".5", 0.5), ("+5.", 5), ("−3", -3)]


@pytest.mark.parametrize(
    ("text", "decimal", "number"),
    [
        *((text, None, number) for text, number in PLAIN),
        *((text, ".", number) for text, number in PLAIN),
        ("1,234.5", None, 1234.5),  # a comma before a point can only stand between thousands
        ("-1,234,567", None, -1234567),
        ("1,234", ".", 1234),
        ("1 234.5", ".", 1234.5),
        ("3,14", ",", 3.14),
        ("3,141", ",", 3.141),
        ("1.234", ",", 1234),
        ("1.234,5", ",", 1234.5),
        ("1'234'567,25", ",", 1234567.25),
        ("12", ",", 12),
        ("1,5e3", ",", 1500),
    ],
)
def test_numbers_as_people_write_them(text: str, decimal: str | None, number: float) -> None:
    assert number_in(text, decimal) == number


@pytest.mark.parametrize(
    ("text", "decimal", "why"),
    [
        *((text, None, INFINITE) for text in ("inf", "-inf", "Infinity")),
        *((text, None, LARGE) for text in ("1e39", "-4e38")),
        *(
            (text, None, NONE)
            for text in ("much", "5 kg", "$5", "2021_05", "0x1F", "True", "12%", "1..2", "1,2,3")
        ),
        *((text, None, UNCLEAR) for text in ("1,234", "3,14", "1.234,5", "1.234.567", "1 234")),
        ("3,14", ".", NONE),  # no thousands stand there
        ("1.5", ",", NONE),
        ("1,234.5", ",", NONE),
    ],
)
def test_what_is_no_number_says_why(text: str, decimal: str | None, why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        number_in(text, decimal)


def test_a_comma_that_could_mean_two_things_stops_the_run(tmp_path: Path, pictures: list[str], out: Path) -> None:
    path = write(tmp_path, pictures, "y", [str(number) for number in range(59)] + ["1,234"])
    with pytest.raises(DataError, match=r"column 'y' has numbers that can be read in two ways, such as '1,234'"):
        prepare(settings(path), 0, out, workers=1, numbers=True)


def test_the_said_mark_decides(tmp_path: Path, pictures: list[str], out: Path) -> None:
    path = write(tmp_path, pictures, "y", [f"{number},5" for number in range(59)] + ["1.234"])
    prepare(settings(path, decimal=","), 0, out, workers=1, numbers=True)
    assert np.sort(np.load(out / "labels.npy")).tolist() == [*(number + 0.5 for number in range(59)), 1234]


@pytest.mark.parametrize(("cell", "number"), [(1.5, 1.5), (1.234, 1.234), (2.0, 2), (7, 7), ("1.000", 1000)])
def test_a_number_that_is_stored_as_one_needs_no_mark(cell: object, number: float) -> None:
    cells = Cells(ColumnsConfig(text="t", label="y", decimal=","), "/", True)
    label = cells.label(cell)
    assert label is not None
    assert number_in(label, ",") == number


def test_parquet_holds_numbers_as_they_are(tmp_path: Path, pictures: list[str], out: Path) -> None:
    values = np.linspace(-1, 1, 60, dtype=np.float32) ** 3
    pq.write_table(pa.table({"file": pictures, "y": values}), tmp_path / "table.parquet")
    prepare(settings(tmp_path / "table.parquet"), 0, out, workers=1, numbers=True)
    assert np.sort(np.load(out / "labels.npy")).tolist() == np.sort(values).tolist()


def test_a_column_of_words_is_refused_by_name(tmp_path: Path, pictures: list[str], out: Path) -> None:
    said = [f"{number};{number} kg" for number in range(60)]
    path = write(tmp_path, pictures, "a;weight", said)
    problem = r"column 'weight': 60 of 60 labels are no numbers, such as '0 kg'"
    with pytest.raises(DataError, match=problem) as caught:
        prepare(settings(path, ["a", "weight"]), 0, out, workers=1, numbers=True)
    assert "data.columns.label" in caught.value.remedy


def test_cells_that_say_nothing_do_not_count_as_wrong(tmp_path: Path, pictures: list[str], out: Path) -> None:
    said = [str(number) if number % 2 else "NA" for number in range(60)]
    about = prepare(settings(write(tmp_path, pictures, "y", said)), 0, out, workers=1, numbers=True)
    assert about["quarantined"] == {"no label": 30}


def test_a_target_with_one_value_is_refused(tmp_path: Path, pictures: list[str], out: Path) -> None:
    path = write(tmp_path, pictures, "y", ["3"] * 60)
    with pytest.raises(DataError, match=r"every row has the same target 3\.0 \(column 'y'\)"):
        prepare(settings(path), 0, out, workers=1, numbers=True)


def test_copies_with_other_numbers_are_told_as_conflicts(table: Path, out: Path) -> None:
    lines = table.read_text().splitlines()
    copies = [lines[1].replace("-2.0000", "-2"), lines[2].replace("-1.8571", "0.5"), f"{lines[3].split(';')[0]};"]
    table.write_text("\n".join([*lines, *copies]))
    about = prepare(settings(table), 0, out, workers=1, numbers=True)
    assert (about["kept"], about["duplicates"]) == (57, 2)
    assert about["quarantined"]["no label"] == 2
    assert about["conflicts"]["count"] == 1  # the same number written in another way is none
    assert about["conflicts"]["samples"][0]["labels"] == ["-1.8571", "0.5"]


def test_splits_batches_and_limits_take_numbers(table: Path, out: Path) -> None:
    about = prepare(settings(table, limit=50), 0, out, workers=1, numbers=True)
    assert about["rows"] == 50
    dataset = Dataset(out)
    sizes = [len(dataset.split(name)) for name in ("train", "validation", "test")]
    assert sum(sizes) == about["kept"]
    assert sizes == pytest.approx([0.72 * sum(sizes), 0.08 * sum(sizes), 0.2 * sum(sizes)], abs=1.5)
    train = dataset.split("train")
    assert Batches(train, 8, 0).batch(0).targets.dtype.is_floating_point
    assert len(take_count(train.labels, train.ids, 10, 0)) == 10


@pytest.mark.parametrize(
    ("columns", "problem"),
    [
        ({"text": "t", "label": []}, "at least one"),
        ({"text": "t", "label": ["a", "a"]}, "each column once"),
        ({"text": ["t", "a"], "label": ["a", "b"]}, "'a', which is an input too"),
    ],
)
def test_label_columns_that_make_no_sense_are_refused(columns: dict[str, object], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        ColumnsConfig(**columns)


def test_sources_have_as_many_numbers() -> None:
    source = {"source": "table", "path": "x.csv", "columns": {"text": "t", "label": ["a", "b"]}}
    other = {**source, "columns": {"text": "t", "label": "a"}}
    with pytest.raises(ValueError, match="sources have 2 and 1 label columns"):
        DataConfig(**source, also=[other])


def test_a_joint_label_is_json_of_what_stands_there() -> None:
    cells = Cells(ColumnsConfig(text="t", label=["a", "b"]), "/", KINDS["text"])
    told = [
        cells.raw("x", "row 1", {"t": "x", "a": a, "b": b}, Path(), "").label for a, b in ((1, "x"), ("", None))
    ]
    assert told == [json.dumps(["1", "x"]), None]
