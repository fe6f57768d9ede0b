"""The first recipe of a table: a class or a number, and how its columns are written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bessemer.config import read_yaml
from bessemer.recipe import load_recipe
from bessemer.starter import write_recipe

RANDOM = np.random.default_rng(0)


def recipe(root: Path, header: str, rows: list[str]) -> dict[str, Any]:
    """The values of what `init` writes for a table; it is a recipe that can be read."""
    path, out = root / "set.csv", root / "set.yaml"
    path.write_text("\n".join([header, *rows]) + "\n")
    write_recipe(path, out)
    load_recipe(out)
    values: dict[str, Any] = read_yaml(out).values
    return values


def test_a_number_with_many_values_is_a_regression(tmp_path: Path) -> None:
    rows = [f"{x:.2f};{3 * x:.2f}".replace(".", ",") for x in RANDOM.normal(size=90)]
    found = recipe(tmp_path, "x;price", [*rows, *["1,5;?"] * 20])
    assert found["task"] == "regress"
    assert found["data"]["columns"] == {"value": "*", "label": "price", "decimal": ","}
    assert found["data"]["settings"] == {"numbers": ["x"], "decimal_comma": ["x"]}
    assert "min_class" not in found["data"]


@pytest.mark.parametrize("values", [["a", "b"], ["3", "4", "5", "6", "7", "8"], ["0", "1"]])
def test_few_values_are_classes(values: list[str], tmp_path: Path) -> None:
    rows = [
        f"{x:.2f},{'uv'[place % 2]},{values[place % len(values)]}"
        for place, x in enumerate(RANDOM.normal(size=90))
    ]
    found = recipe(tmp_path, "x,on,quality", rows)
    assert found["task"] == "classify"
    assert found["data"]["settings"] == {"numbers": ["x"], "categories": ["on"]}


def test_odd_names_of_columns_come_through(tmp_path: Path) -> None:
    names = ["fixed acidity", "yes", "a: b", "#", "1st", "größe", "it's", '""q""']
    header = ",".join([f'"{name}"' for name in names] + ["class"])
    rows = [
        ",".join([f"{x:.3f}" for x in row] + ["ab"[place % 2]])
        for place, row in enumerate(RANDOM.normal(size=(60, 8)))
    ]
    assert recipe(tmp_path, header, rows)["data"]["settings"]["numbers"] == [*names[:-1], '"q"']


def test_many_rows_get_a_larger_network_and_fewer_epochs(tmp_path: Path) -> None:
    few = recipe(
        tmp_path, "x,y", [f"{x:.4f},{'ab'[place % 2]}" for place, x in enumerate(RANDOM.normal(size=100))]
    )
    many = recipe_again(tmp_path, 3000)
    assert few["model"]["widths"] == [128, 128]
    assert many["model"]["widths"] == [192, 192, 192]
    assert few["train"]["early_stopping"]["best"] is many["train"]["early_stopping"]["best"] is True


def recipe_again(root: Path, rows: int) -> dict[str, Any]:
    (root / "set.yaml").unlink()
    return recipe(root, "x,y", [f"{x:.4f},{'ab'[place % 2]}" for place, x in enumerate(RANDOM.normal(size=rows))])
