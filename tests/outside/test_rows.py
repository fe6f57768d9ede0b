"""A stranger's kind of data: from raw files and from a table to the report and `predict`, like our own."""

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
RECIPE = HERE / "rows.yaml"
LENGTH, EACH = 6, 150


def drawn(seed: int = 0) -> dict[str, np.ndarray]:
    """Rows (EACH, LENGTH) of two classes whose sums differ."""
    generator = np.random.default_rng(seed)
    return {name: generator.normal(mean, 1, (EACH, LENGTH)).round(4) for name, mean in (("low", 0), ("high", 1))}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder per class, one row a file; one file is broken and one of another kind."""
    root = tmp_path_factory.mktemp("rows")
    for name, rows in drawn().items():
        (root / name).mkdir()
        for number, row in enumerate(rows):
            (root / name / f"{number:03}.row").write_text(" ".join(map(str, row)))
    (root / "low" / "broken.row").write_text("1 2 three")
    (root / "low" / "short.row").write_text("1 2")
    (root / "high" / "readme.md").write_text("what this is")
    return root


@pytest.fixture(scope="module")
def finished(files: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return bs.run(RECIPE, tmp_path_factory.mktemp("run") / "run", set={"data.path": str(files)})


def prepared(run: Run) -> Dataset:
    (folder,) = (run.path / "stages").glob("prepare-*")
    return Dataset(folder)


def test_a_recipe_may_name_a_kind_of_data_of_its_own(files: Path) -> None:
    done = CliRunner().invoke(app, ["check", str(RECIPE), "--set", f"data.path={files}"])
    assert done.exit_code == 0, done.output
    assert "rows.Rows" in done.output


def test_every_row_is_accounted_for_and_stored(finished: Run) -> None:
    data = finished.report["data"]
    assert (data["rows"], data["kept"]) == (2 * EACH + 2, 2 * EACH)
    assert data["quarantined"] == {"not a number": 1, "wrong length": 1}
    assert data["ignored"] == {".md": 1}
    stored = prepared(finished).samples.inputs[:]
    assert stored.dtype == np.float32
    assert np.array_equal(
        np.unique(stored, axis=0), np.unique(np.vstack([*drawn().values()]), axis=0).astype("f4")
    )


def test_the_report_speaks_in_its_words(finished: Run) -> None:
    data = finished.report["data"]
    assert (data["told"], data["noun"], data["drawn"]) == ("rows of 6 numbers", "rows of numbers", False)
    assert (data["lengths"]["name"], data["lengths"]["unit"]) == ("Lengths", "numbers")
    assert all(one["text"] and one["image"] is None for one in data["samples"])
    assert finished.report["baseline"]["name"] == "logistic regression on the numbers"
    card = (finished.path / "model" / "card.md").read_text()
    assert "It sorts rows of numbers into 2 classes" in card
    assert "one.row" in card
    assert (finished.path / "report.html").exists()


def test_the_network_learns(finished: Run) -> None:
    assert finished.report["metrics"]["shipped"]["accuracy"]["value"] > 0.8
    assert finished.report["baseline"]["metrics"]["accuracy"]["value"] > 0.8


def test_a_second_run_does_nothing(finished: Run, files: Path) -> None:
    assert bs.run(RECIPE, finished.path, set={"data.path": str(files)}).did_nothing


def test_predict_reads_its_files_and_says_why_one_cannot_be_used(finished: Run, tmp_path: Path) -> None:
    for name, rows in drawn(seed=1).items():
        for number, row in enumerate(rows[:20]):
            (tmp_path / f"{name}{number}.row").write_text(" ".join(map(str, row)))
    (tmp_path / "odd.row").write_text("1 2 3")
    command = ["predict", str(finished.path), str(tmp_path), "--modules", str(HERE), "--json"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    said = {Path(one["path"]).name: one for one in json.loads(done.stdout)}
    assert len(said) == 41
    assert said.pop("odd.row")["error"] == "wrong length"
    assert np.mean([name.startswith(one["class"]) for name, one in said.items()]) > 0.75


def test_bench_makes_noise_of_its_shape(finished: Run) -> None:
    command = ["bench", str(finished.path), "--batch", "4", "--seconds", "0.1", "--modules", str(HERE), "--json"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    assert {row["batch"] for row in json.loads(done.stdout)["rows"]} == {4}


def test_preview_shows_words(finished: Run, files: Path) -> None:
    command = ["prepare", str(RECIPE), "-o", str(finished.path), "--set", f"data.path={files}", "--preview"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    assert "<td>[" in (finished.path / "preview.html").read_text()


@pytest.mark.parametrize(
    "columns", [["all"], [f"x{i}" for i in range(LENGTH)]], ids=["one column", "a column a number"]
)
def test_rows_come_from_cells_of_a_table_too(tmp_path: Path, columns: list[str]) -> None:
    with (tmp_path / "rows.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow([*columns, "y"])
        for name, rows in drawn().items():
            for row in rows:
                table.writerow([*([" ".join(map(str, row))] if len(columns) == 1 else row), name])
    source = {
        "data.source": "table",
        "data.path": str(tmp_path / "rows.csv"),
        "data.columns": {"value": columns, "label": "y"},
    }
    found = bs.run(RECIPE, tmp_path / "run", set=source, until="prepare")
    assert prepared(found).about["kept"] == 2 * EACH
    assert prepared(found).samples.inputs[0] == pytest.approx(drawn()["low"][0], abs=1e-6)


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"data.kind": "rows.Nothing"}, "rows has no 'Nothing'"),
        ({"data.kind": "rows.RowCleaner"}, "is no kind of data"),
        ({"data.kind": "image", "data.settings": {}}, "nets.Perceptron does not take image data"),
        ({"data.settings": {"length": 0}}, "data.settings.length"),
        ({"data.settings": {"width": 3}}, "data.settings.width: unknown key"),
        ({"data.kind": None}, "data.kind is needed here"),
        ({"data.source": "image_folder"}, "remove data.kind"),
        ({"model": {"name": "resnet"}}, "model.name resnet does not take rows.Rows data"),
        ({"augment.preset": "light"}, "says nothing of rows of numbers"),
    ],
)
def test_what_does_not_fit_is_refused(values: dict[str, object], problem: str) -> None:
    with modules_beside(HERE), pytest.raises(RecipeError, match=problem):
        load_recipe(RECIPE, values)
