"""Tables on disk: what the training split says, and nothing of the others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bessemer.data.config import DataConfig
from bessemer.data.dataset import Dataset
from bessemer.data.table.read import table_reader
from bessemer.errors import DataError
from bessemer.prepare.prepare import prepare

ROWS = 120


def write(path: Path, change: dict[int, dict[str, str]] | None = None) -> Path:
    """A table with numbers, gaps, a date, a category and its split, some rows changed."""
    generator = np.random.default_rng(0)
    lines = ["x,when,city,z,y,split"]
    for place in range(ROWS):
        split = ("train", "train", "train", "validation", "test")[place % 5]
        row = {"x": f"{generator.normal():.3f}" if place % 7 else "", "when": f"2020-01-{1 + place % 28:02}"}
        row |= {
            "city": ("Rom", "Oslo", "Prag")[place % 3],
            "z": str(place * 1.5),
            "y": "ab"[place % 2],
            "split": split,
        }
        lines.append(",".join((row | (change or {}).get(place, {})).values()))
    path.write_text("\n".join(lines) + "\n")
    return path


def settings(path: Path, **more: Any) -> DataConfig:
    values: dict[str, Any] = {"columns": {"value": "*", "label": "y", "split": "split"}, "kind": "table"}
    return DataConfig(source="table", path=str(path), label_check={"folds": 0}, **(values | more))


def prepared(path: Path, out: Path, **more: Any) -> Dataset:
    out.mkdir()
    prepare(settings(path, **more), 0, out)
    return Dataset(out)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Dataset]:
    """The table, and what preparation makes of it."""
    root = tmp_path_factory.mktemp("plain")
    path = write(root / "set.csv")
    return path, prepared(path, root / "out")


def test_scales_and_names_are_those_of_the_training_split(plain: tuple[Path, Dataset]) -> None:
    path, dataset = plain
    rows = [line.split(",") for line in path.read_text().splitlines()[1:]]
    known = np.array([float(row[0]) for row in rows if row[5] == "train" and row[0]])
    found = dataset.about["arguments"]
    assert found["centers"][0] == pytest.approx(np.median(known), abs=1e-12)
    assert 1 / found["factors"][0] == pytest.approx(np.subtract(*np.quantile(known, [0.75, 0.25])), abs=1e-12)
    assert (found["numbers"], found["dates"], found["categories"]) == (2, 1, [5])
    assert found["gaps"] == [True, False, False]
    assert sorted(dataset.about["preprocess"]["listed"]["city"]) == ["Oslo", "Prag", "Rom"]


def test_a_leak_of_test_rows_into_statistics_would_be_seen(plain: tuple[Path, Dataset], tmp_path: Path) -> None:
    held_out = [place for place in range(ROWS) if place % 5 > 2]
    planted = {place: {"x": "1000", "when": "1990-01-01", "city": "Atlantis"} for place in held_out}
    other = prepared(write(tmp_path / "set.csv", planted), tmp_path / "out").about
    assert other["arguments"] == plain[1].about["arguments"]
    assert other["preprocess"] == plain[1].about["preprocess"]


def test_rows_are_stored_as_they_are_read_for_prediction(plain: tuple[Path, Dataset], tmp_path: Path) -> None:
    path, dataset = plain
    read = table_reader(dataset.about["preprocess"])
    whole = read(path)
    stored = np.concatenate([dataset.split(name).inputs[:] for name in ("train", "validation", "test")])
    order = np.concatenate([dataset.positions(name) for name in ("train", "validation", "test")])
    assert np.array_equal(whole[order], stored, equal_nan=True)
    header, *lines = path.read_text().splitlines()
    other = tmp_path / "other.csv"  # columns in another order, no target, one more
    turned = [
        "city;more;when;x;z",
        *(";".join([row[2], "1", row[1], row[0], row[3]]) for row in (one.split(",") for one in lines)),
    ]
    other.write_text("\n".join(turned) + "\n")
    assert np.array_equal(read(other), whole, equal_nan=True)
    records = tmp_path / "rows.jsonl"
    names = header.split(",")
    records.write_text("\n".join(json.dumps(dict(zip(names, row.split(","), strict=True))) for row in lines))
    assert np.array_equal(read(records), whole, equal_nan=True)


def test_what_training_did_not_see(plain: tuple[Path, Dataset], tmp_path: Path) -> None:
    path = tmp_path / "new.csv"
    path.write_text("x,when,city,z\n,,,\n2.5,2031-05-05,Atlantis,1\ninf,never, Rom ,?\n")
    empty, unseen, odd = table_reader(plain[1].about["preprocess"])(path)
    assert np.isnan(empty[:3]).all()
    assert empty[3] == 0
    assert unseen[[0, 1, 3]].tolist() == [2.5, 1, 1]
    assert np.isnan(odd[:3]).all()
    assert odd[3] == 2 + plain[1].about["preprocess"]["listed"]["city"].index("Rom")


def test_a_missing_column_is_named(plain: tuple[Path, Dataset], tmp_path: Path) -> None:
    path = tmp_path / "new.csv"
    path.write_text("x,when,z\n1,2020-01-01,1\n")
    with pytest.raises(Exception, match="no column 'city'; its columns are x, when, z"):
        table_reader(plain[1].about["preprocess"])(path)


def test_two_columns_of_one_name_are_refused(plain: tuple[Path, Dataset], tmp_path: Path) -> None:
    path = tmp_path / "new.csv"
    path.write_text("x,x,when,city,z\n1,2,2020-01-01,Rom,1\n")
    with pytest.raises(Exception, match="2 columns are called 'x'"):
        table_reader(plain[1].about["preprocess"])(path)


def test_rare_names_count_as_one(tmp_path: Path) -> None:
    once = {0: {"city": "Bonn"}, 1: {"city": "Ulm"}}
    dataset = prepared(write(tmp_path / "set.csv", once), tmp_path / "out")
    assert "Bonn" not in dataset.about["preprocess"]["listed"]["city"]
    assert dataset.samples.inputs[np.array([0, 1])][:, 3].tolist() == [1, 1]


def test_equal_rows_of_few_columns_are_no_copies(tmp_path: Path) -> None:
    path = tmp_path / "set.csv"
    rows = [f"{place % 2},{'ab'[place // 2 % 2]},{'no' if place % 4 else 'yes'}" for place in range(400)]
    path.write_text("\n".join(["sex,class,survived", *rows]) + "\n")
    columns = {"value": "*", "label": "survived"}
    dataset = prepared(path, tmp_path / "out", columns=columns)
    assert (dataset.about["kept"], dataset.about["duplicates"]) == (400, 0)
    assert len(np.unique(dataset.samples.ids)) == 400
    assert dataset.about["splits"] == {"train": 288, "validation": 32, "test": 80}


def test_a_copied_row_of_measurements_is_one(tmp_path: Path) -> None:
    path = write(tmp_path / "set.csv")
    path.write_text(path.read_text() + "".join(f"{line}\n" for line in path.read_text().splitlines()[1:3]))
    assert prepared(path, tmp_path / "out").about["kept"] == ROWS


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("x,x,y\n1,2,a\n3,4,b\n", "2 columns are called 'x'"),
        ("x,y\n,a\n,b\n", "no column of numbers, categories or dates"),
        ("x,z\n1,a\n2,b\n", "no column 'y'"),
    ],
)
def test_bad_tables_are_refused(text: str, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "set.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=problem):
        prepared(path, tmp_path / "out", columns={"value": "*", "label": "y"})


def test_a_column_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "set.csv")
    with pytest.raises(DataError, match="column 'height' has no number or date in any row"):
        prepared(path, tmp_path / "out", settings={"numbers": ["x", "height"]})
