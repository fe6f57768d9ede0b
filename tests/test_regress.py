"""Whole runs that say numbers: one of a picture, in integers under a contract, and two of a table's row."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import bessemer as bs
from bessemer.cli import app
from bessemer.data.dataset import Dataset
from bessemer.dotted import modules_beside
from bessemer.errors import RecipeError
from bessemer.measure.numbers import rmse
from bessemer.model.quantized import IntegerLayer
from bessemer.pipeline import Run
from bessemer.recipe import load_recipe
from bessemer.report.table import summary_table

RECIPE = Path(__file__).parent / "recipes" / "numbers.yaml"
OUTSIDE = Path(__file__).parent / "outside"
UNITS = np.array([1e4, 1e-3])


def prepared(run: Run) -> Dataset:
    (folder,) = (run.path / "stages").glob("prepare-*")
    return Dataset(folder)


# --- one number of a picture -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return bs.run(RECIPE, tmp_path_factory.mktemp("digits") / "run")


def test_it_ships_integers_under_a_contract_in_the_unit_of_the_target(digits: Run) -> None:
    report = digits.report
    assert report["contract"]["met"]
    assert report["contract"]["chosen"] == "keep 0.5 int8"
    assert any(isinstance(layer, IntegerLayer) for layer in bs.load(digits.path).modules())
    drop = next(one for one in report["contract"]["verdict"] if one["term"] == "max_drop")
    assert drop["limit"] == pytest.approx(0.6 * report["metrics"]["parent"]["rmse"]["value"])
    assert all(one["agreement"] >= 0.9 for one in report["parity"].values())
    assert report["ledger"][0]["low"] < report["ledger"][0]["quality"] < report["ledger"][0]["high"]


def test_its_measures_are_those_of_the_shipped_network_on_the_test_split(digits: Run) -> None:
    test = prepared(digits).split("test")
    with torch.no_grad():
        said = bs.load(digits.path)(torch.from_numpy(test.inputs[:])).numpy()
    found = digits.report["metrics"]["shipped"]
    assert found["rmse"]["value"] == pytest.approx(rmse(test.labels[:, None], said, np.ones(1)), rel=0.01)
    assert set(found) == {"rmse", "mae", "r2"}
    assert found["rmse"]["low"] < found["rmse"]["value"] < found["rmse"]["high"]
    constant = digits.report["baseline"]["also"][0]
    assert constant["name"] == "always the mean"
    assert found["rmse"]["value"] < constant["metrics"]["rmse"]["value"]


def test_mean_and_deviation_of_the_training_split_stand_in_the_file(digits: Run) -> None:
    train = prepared(digits).split("train").labels.astype(np.float64)
    arguments = json.loads((digits.path / "model" / "architecture.json").read_text())["arguments"]
    assert arguments["target_mean"] == pytest.approx([train.mean()], rel=1e-12)
    assert arguments["target_std"] == pytest.approx([train.std()], rel=1e-12)
    units = bs.load(digits.path).in_units
    assert float(units.mean) == pytest.approx(train.mean(), rel=1e-6)


def test_page_card_and_terminal_tell_of_numbers(digits: Run) -> None:
    page = (digits.path / "report.html").read_text()
    for title in ("Errors", "Said and true", "Largest errors", "Targets: label", "ridge regression"):
        assert title in page
    card = (digits.path / "model" / "card.md").read_text()
    assert "It says a number of images: label." in card
    assert "Range of the training targets: label 0.000 to 9.000." in card
    assert summary_table(digits.report).splitlines()[1].startswith("RMSE")


def test_predict_says_a_number(digits: Run, tmp_path: Path, make_images) -> None:
    make_images(tmp_path, 2, 0, side=8)
    done = CliRunner().invoke(app, ["predict", str(digits.path), str(tmp_path), "--json"])
    assert done.exit_code == 0, done.output
    assert all(np.isfinite(one["number"]) for one in json.loads(done.stdout))
    assert CliRunner().invoke(app, ["predict", str(digits.path), str(tmp_path)]).output.count(".png: ") == 2


# --- two numbers of a row of a table ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """A table whose rows have a large and a small number."""
    path = tmp_path_factory.mktemp("rows") / "rows.csv"
    rows = np.random.default_rng(0).normal(size=(400, 3)).round(4)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["a", "b", "c", "large", "small"])
        writer.writerows([*row, *pair] for row, pair in zip(rows, numbers(rows), strict=True))
    return {
        "task": "regress",
        "data.path": str(path),
        "data.columns.label": ["large", "small"],
        "train.epochs": 20,
    }


def numbers(rows: np.ndarray) -> np.ndarray:
    """Two numbers (N, 2) of rows (N, 3), in units that differ by a factor of ten million."""
    return UNITS * np.stack([2 * rows[:, 0] - rows[:, 1] + 5, rows[:, 2] - 3], 1)


@pytest.fixture(scope="module")
def pairs(settings: dict[str, object], tmp_path_factory: pytest.TempPathFactory) -> Run:
    return bs.run(OUTSIDE / "amounts.yaml", tmp_path_factory.mktemp("pairs") / "run", set=settings)


def test_check_takes_it(settings: dict[str, object]) -> None:
    flags = [part for key, value in settings.items() for part in ("--set", f"{key}={json.dumps(value)}")]
    done = CliRunner().invoke(app, ["check", str(OUTSIDE / "amounts.yaml"), *flags])
    assert done.exit_code == 0, done.output
    assert "[large, small]" in done.output


def test_both_numbers_are_learned_whatever_their_unit(pairs: Run) -> None:
    test = prepared(pairs).split("test")
    assert test.labels.shape == (len(test), 2)
    with torch.no_grad():
        said = bs.load(pairs.path)(torch.from_numpy(np.asarray(test.inputs[:]))).numpy()
    errors = np.sqrt(np.square(said - test.labels).mean(0))
    deviations = prepared(pairs).split("train").labels.std(0)
    assert (errors < 0.3 * deviations).all()
    found = pairs.report["metrics"]["shipped"]["rmse"]["value"]
    assert found == pytest.approx((errors / deviations).mean(), rel=1e-3)
    assert pairs.report["measures"][0]["label"] == "RMSE in deviations"


def test_the_file_has_two_outputs_and_predict_names_them(pairs: Run, tmp_path: Path) -> None:
    about = json.loads((pairs.path / "model" / "preprocess.json").read_text())
    assert about["output"]["shape"] == ["batch", 2]
    assert [one["name"] for one in about["targets"]] == ["large", "small"]
    row = np.array([0.5, -0.2, 0.1])
    (tmp_path / "one.row").write_text(" ".join(map(str, row)))
    command = ["predict", str(pairs.path), str(tmp_path / "one.row"), "--modules", str(OUTSIDE)]
    (found,) = json.loads(CliRunner().invoke(app, [*command, "--json"]).stdout)
    expected = numbers(row[None])[0]
    assert found["numbers"]["large"] == pytest.approx(expected[0], abs=UNITS[0])
    assert found["numbers"]["small"] == pytest.approx(expected[1], abs=UNITS[1])
    assert "large " in CliRunner().invoke(app, command).output


def test_trees_stand_beside_the_line_where_the_kind_has_columns(pairs: Run) -> None:
    found = pairs.report["baseline"]
    assert found["name"] == "ridge regression"  # the numbers are those of a line
    assert [one["name"] for one in found["also"]] == ["always the mean", "gradient boosting"]
    line, trees = (one["metrics"]["rmse"]["value"] for one in (found, found["also"][1]))
    assert line < 0.01 < trees < 0.5
    assert "Ridge regression is better: RMSE in deviations 0.0" in summary_table(pairs.report)
    assert "Ridge regression is better: RMSE in deviations 0.0" in (pairs.path / "report.html").read_text()


def test_samples_show_both_numbers(pairs: Run) -> None:
    first = pairs.report["data"]["samples"][0]["label"].split(", ")
    assert len(first) == 2
    assert "Targets: large" in (pairs.path / "report.html").read_text()


# --- what is refused -------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["mixup", "label_smoothing"])
def test_methods_that_need_classes_are_refused(method: str) -> None:
    with pytest.raises(RecipeError, match=f"{method} changes labels of classes"):
        load_recipe(RECIPE, {f"train.{method}": 0.1})


def test_a_table_without_a_column_of_numbers_is_refused(settings: dict[str, object]) -> None:
    with modules_beside(OUTSIDE), pytest.raises(RecipeError, match=r"data\.columns\.label is needed"):
        load_recipe(OUTSIDE / "amounts.yaml", {**settings, "data.columns.label": None})


def test_a_contract_speaks_of_a_share_where_the_recipe_says_nothing() -> None:
    recipe = load_recipe(RECIPE, {"compress": {"ladder": [0.5]}})
    assert recipe.compress is not None
    assert recipe.compress.contract.max_drop == "1%"
    assert load_recipe(RECIPE, {"compress": None}).compress is None
