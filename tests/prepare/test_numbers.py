"""Labels that are numbers are kept as they are; nothing takes them for classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bessemer.data.config import DataConfig
from bessemer.data.dataset import Batches, Dataset
from bessemer.data.split import take_count
from bessemer.prepare.accounts import read_quarantine
from bessemer.prepare.ingest import as_number
from bessemer.prepare.prepare import prepare


@pytest.fixture
def table(tmp_path: Path, make_images) -> Path:
    """Sixty pictures, each with a number of its own; three of the labels are none that can be used."""
    make_images(tmp_path / "pictures", 60, 0, side=8)
    names = sorted(path.name for path in (tmp_path / "pictures").iterdir())
    said = [f"{number / 7 - 2:.4f}" for number in range(57)] + ["high", "1e39", ""]
    lines = [f"pictures/{name},{label}" for name, label in zip(names, said, strict=True)]
    (tmp_path / "table.csv").write_text("\n".join(["file,y", *lines]))
    return tmp_path / "table.csv"


def settings(table: Path, **other) -> DataConfig:
    return DataConfig(
        source="table", path=str(table), columns={"image": "file", "label": "y"}, dedup={"near": False}, **other
    )


def test_numbers_are_kept_and_what_is_none_is_set_aside(table: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    about = prepare(settings(table), 0, tmp_path / "out", workers=1, numbers=True)
    assert about["quarantined"] == {"label is no number": 2, "no label": 1}
    labels = np.load(tmp_path / "out" / "labels.npy")
    assert labels.dtype == np.float32
    assert np.sort(labels) == pytest.approx([round(number / 7 - 2, 4) for number in range(57)], abs=1e-6)
    assert len(about["classes"]) == 1  # so a network has one output
    assert sum(about["numbers"]["counts"]) == 57
    assert "label_issues" not in about
    details = {row["detail"] for row in read_quarantine(tmp_path / "out").to_pylist() if row["detail"]}
    assert details == {"high", "1e39"}


@pytest.mark.parametrize("label", ["inf", "-inf", "nan", "1e39", "-4e38", "much", ""])
def test_what_float32_does_not_hold_is_no_number(label: str) -> None:
    assert np.isnan(as_number(label))


@pytest.mark.parametrize("label", ["3.4e38", "-2", " 7 ", "1e-50"])
def test_what_float32_holds_is_a_number(label: str) -> None:
    assert as_number(label) == float(label)


def test_copies_with_other_numbers_are_told_as_conflicts(table: Path, tmp_path: Path) -> None:
    lines = table.read_text().splitlines()
    copies = [lines[1].replace("-2.0000", "-2"), lines[2].replace("-1.8571", "0.5"), f"{lines[3].split(',')[0]},"]
    table.write_text("\n".join([*lines, *copies]))
    (tmp_path / "out").mkdir()
    about = prepare(settings(table), 0, tmp_path / "out", workers=1, numbers=True)
    assert (about["kept"], about["duplicates"]) == (57, 2)
    assert about["quarantined"]["no label"] == 2
    assert about["conflicts"]["count"] == 1  # the same number written in another way is none
    assert about["conflicts"]["samples"][0]["labels"] == ["-1.8571", "0.5"]


def test_splits_batches_and_limits_take_numbers(table: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    about = prepare(settings(table, limit=50), 0, tmp_path / "out", workers=1, numbers=True)
    assert about["rows"] == 50
    dataset = Dataset(tmp_path / "out")
    sizes = [len(dataset.split(name)) for name in ("train", "validation", "test")]
    assert sum(sizes) == about["kept"]
    assert sizes == pytest.approx([0.72 * sum(sizes), 0.08 * sum(sizes), 0.2 * sum(sizes)], abs=1.5)
    train = dataset.split("train")
    assert Batches(train, 8, 0).batch(0).targets.dtype.is_floating_point
    assert len(take_count(train.labels, train.ids, 10, 0)) == 10
