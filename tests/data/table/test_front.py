"""From `init` to a file that plain ONNX Runtime runs on raw columns, and that answers as `predict` does."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest

from bessemer.data.table import TABLE, front
from bessemer.data.table.front import ship_front
from bessemer.errors import ParityError
from bessemer.export.predictor import Predictor
from bessemer.pipeline import Run, run
from bessemer.starter import write_recipe

ROWS = 240


def write(path: Path) -> Path:
    """Prices by size, city and age, some of them not known; the class is whether they are high."""
    generator = np.random.default_rng(0)
    size, age = generator.gamma(4, 20, ROWS), generator.integers(0, 2000, ROWS)
    city = generator.choice(["Rom", "Oslo", "Prag", "Bonn"], ROWS, p=[0.5, 0.3, 0.19, 0.01])
    dear = size + 30 * (city == "Oslo") > 90
    with path.open("w", newline="") as file:
        out = csv.writer(file, delimiter=";")
        out.writerow(["id", "size", "city", "built", "dear"])
        for place in range(ROWS):
            known = f"{size[place]:.2f}".replace(".", ",") if place % 9 else "-999" if place % 2 else ""
            day = np.datetime64("2015-01-01") + age[place]
            out.writerow([place + 1, known, city[place], day, "yes" if dear[place] else "no"])
    return path


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Run]:
    """A table, and a short run of the recipe that `init` writes for it."""
    root = tmp_path_factory.mktemp("homes")
    path = write(root / "homes.csv")
    assert "240 rows of 2 classes, 1 number, 1 category and 1 date" in write_recipe(path, root / "homes.yaml")
    quick = ["train.epochs=6", "compress.train.epochs=1", "compress.contract.max_drop=1", "model.widths=[32,32]"]
    quick += ["train.precision=fp32", "export.benchmark_seconds=0.1", "compress.ladder=[0.5]"]
    quick += ["compress.contract.min_speedup=0.01", "compress.contract.min_shrink=1"]
    return path, run(root / "homes.yaml", root / "run", set=quick)


def raw_columns(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    """What someone without bessemer reads from the file."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    size = [float(row["size"].replace(",", ".")) if row["size"] else np.nan for row in rows]
    built = [np.datetime64(row["built"], "s").astype(np.int64) for row in rows]
    columns = {"size": np.array(size), "built": np.array(built, np.float64)}
    columns["city"] = np.array([row["city"] for row in rows], object)
    return {name: column[:, None] for name, column in columns.items()}


def test_the_file_takes_raw_columns_and_answers_as_predict_does(shipped: tuple[Path, Run]) -> None:
    path, made = shipped
    session = ort.InferenceSession(str(made.path / "export" / "onnx" / "columns.onnx"))
    (logits,) = session.run(None, raw_columns(path))
    answers = list(Predictor(made.path).predict([path], top=2))
    assert [one["row"] for one in answers] == list(range(1, ROWS + 1))
    powers = np.exp(logits - logits.max(1, keepdims=True))
    shares = powers / powers.sum(1, keepdims=True)
    classes = json.loads((made.path / "export" / "onnx" / "preprocess.json").read_text())["classes"]
    for one, row in zip(answers, shares, strict=True):
        for told in one["top"]:
            assert told["probability"] == pytest.approx(row[classes.index(told["class"])], abs=1e-6)


def test_each_row_says_which_cells_could_not_be_read(shipped: tuple[Path, Run], tmp_path: Path) -> None:
    rows = [
        "80,5;Oslo;2016-01-05",
        "foo;Rom;soon",
        "1 kg;Rom;2016-01-05",
        "inf;Bonn;2016-01-05",
        "80.5;x;",
        "7;Rom",
    ]
    (tmp_path / "new.csv").write_text("\n".join(["size;city;built", *rows]) + "\n")
    predictor = Predictor(shipped[1].path)
    found = list(predictor.predict([tmp_path / "new.csv"]))
    assert [one.get("odd") for one in found[:5]] == [
        None,
        ["size 'foo': no number, taken as missing", "built 'soon': no date, taken as missing"],
        ["size '1 kg': no number, taken as missing"],
        ["size 'inf': infinite, taken as missing"],
        ["size '80.5': no number, taken as missing"],
    ]
    assert found[5] == {
        "path": str(tmp_path / "new.csv"),
        "row": 6,
        "error": "wrong number of columns: 2 where the header has 3",
    }
    assert "(size '1 kg': no number, taken as missing)" in predictor.told(found[2])


def test_a_number_that_stands_for_nothing_is_in_the_recipe(shipped: tuple[Path, Run]) -> None:
    recipe = (shipped[0].parent / "homes.yaml").read_text()
    assert "missing: {size: -999" in recipe
    assert "# Column 'size' " in recipe


def test_the_report_says_what_the_columns_are(shipped: tuple[Path, Run]) -> None:
    made = shipped[1]
    assert made.report["data"]["told"] == "tables of 1 number, 1 category and 1 date"
    page = (made.path / "report.html").read_text()
    assert "size " in page
    assert "columns.onnx" in (made.path / "model" / "card.md").read_text()


def test_a_file_that_answers_otherwise_is_refused(
    shipped: tuple[Path, Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shipped[1].path / "export" / "onnx"
    (tmp_path / "model.onnx").write_bytes((folder / "model.onnx").read_bytes())
    about = json.loads((folder / "preprocess.json").read_text())
    inputs = TABLE.random_inputs(about, 8)
    ship_front(tmp_path, about, inputs)
    right = front.as_columns
    monkeypatch.setattr(front, "as_columns", lambda rows, told: {**right(rows, told), "size": -rows[:, :1]})
    with pytest.raises(ParityError, match="does not answer as model"):
        ship_front(tmp_path, about, inputs)
