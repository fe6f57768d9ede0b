"""A stranger's task with numbers as targets: from a table to the report and `predict`."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import bessemer as bs
from bessemer.cli import app
from bessemer.data.dataset import Dataset
from bessemer.dotted import modules_beside
from bessemer.errors import RecipeError
from bessemer.pipeline import Run
from bessemer.recipe import load_recipe

HERE = Path(__file__).parent
RECIPE = HERE / "amounts.yaml"


def amount(rows: np.ndarray) -> np.ndarray:
    """What the toy table says of rows (N, 3)."""
    return 2 * rows[:, 0] - rows[:, 1] + 5


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("amounts") / "amounts.csv"
    rows = np.random.default_rng(0).normal(size=(400, 3)).round(4)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["a", "b", "c", "amount"])
        writer.writerows([*row, target] for row, target in zip(rows, amount(rows), strict=True))
        writer.writerow([1, 2, 3, "much"])
    return path


@pytest.fixture(scope="module")
def finished(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return bs.run(RECIPE, tmp_path_factory.mktemp("run") / "run", set={"data.path": str(table)})


def test_check_takes_it(table: Path) -> None:
    done = CliRunner().invoke(app, ["check", str(RECIPE), "--set", f"data.path={table}"])
    assert done.exit_code == 0, done.output
    assert "amounts.Amount" in done.output


def test_labels_are_kept_as_numbers(finished: Run) -> None:
    (folder,) = (finished.path / "stages").glob("prepare-*")
    samples = Dataset(folder).samples
    assert samples.labels.dtype == np.float32
    assert samples.labels == pytest.approx(amount(np.asarray(samples.inputs[:])), abs=1e-3)
    assert finished.report["data"]["quarantined"] == {"amount is no number": 1}


def test_it_learns_and_the_file_says_the_same_numbers(finished: Run) -> None:
    report = finished.report
    assert report["metrics"]["shipped"]["off"]["value"] < 0.5 * report["baseline"]["metrics"]["off"]["value"]
    assert report["parity"]["parent fp32"]["agreement"] == 1
    assert all(one["agreement"] >= 0.99 for one in report["parity"].values())


def test_page_and_card_show_how_targets_spread(finished: Run) -> None:
    assert "Targets" in (finished.path / "report.html").read_text()
    card = (finished.path / "model" / "card.md").read_text()
    assert "mean error" in card
    assert "always the mean" in card


def test_the_file_has_one_output(finished: Run) -> None:
    about = json.loads((finished.path / "model" / "preprocess.json").read_text())
    assert about["output"]["shape"] == ["batch", 1]


def test_predict_says_numbers(finished: Run, tmp_path: Path) -> None:
    rows = np.random.default_rng(1).normal(size=(20, 3))
    for number, row in enumerate(rows):
        (tmp_path / f"{number:02}.row").write_text(" ".join(map(str, row)))
    command = ["predict", str(finished.path), str(tmp_path), "--modules", str(HERE), "--json"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    said = [one["amount"] for one in sorted(json.loads(done.stdout), key=lambda one: one["path"])]
    assert np.abs(said - amount(rows)).mean() < 0.5 * np.abs(amount(rows) - amount(rows).mean()).mean()


@pytest.mark.parametrize("method", ["mixup", "label_smoothing"])
def test_methods_that_need_classes_are_refused(table: Path, method: str) -> None:
    with modules_beside(HERE), pytest.raises(RecipeError, match=f"{method} changes labels of classes"):
        load_recipe(RECIPE, {"data.path": str(table), f"train.{method}": 0.1})
