"""Every recipe that ships is a test case: with few samples here, in full where marked slow."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import bessemer as bs
from bessemer.recipe import load_recipe

FOLDER = Path(__file__).parents[1] / "recipes"
RECIPES = sorted(FOLDER.glob("*.yaml"), key=lambda path: path.name)
NAMES = [path.stem for path in RECIPES]
SMALL = {
    "data.limit": 300,
    "train.epochs": 1,
    "compress.train.epochs": 1,
    "compress.calibration": 64,
    "compress.contract.max_drop": 1.0,
    "compress.contract.beat_baseline": False,
    "compress.contract.min_speedup": 0.01,
    "export.benchmark_seconds": 0.2,
}


SMALL_LANGUAGE = {
    "data.limit": 60,
    "data.dedup.near": False,
    "train.epochs": 0.02,
    "train.compile": False,
    "model.width": 32,
    "model.layers": 1,
    "model.heads": 2,
    "model.context": 32,
    "export.benchmark_seconds": 0.1,
}


def needs_data(path: Path) -> None:
    data = load_recipe(path).data
    if data.path is not None and not Path(data.path).exists():
        pytest.skip(f"{data.path} is missing: apt-get install dataset-fashion-mnist")


@pytest.mark.parametrize("path", RECIPES, ids=NAMES)
def test_recipe_is_valid_and_says_what_to_expect(path: Path) -> None:
    task = load_recipe(path).task
    header = " ".join(line[1:] for line in path.read_text().splitlines() if line.startswith("#"))
    words = {"classify": ("accuracy", "smaller", "faster"), "language": ("bits per byte", "xz")}[task]
    for word in (*words, "cores", "torch", "onnxruntime"):
        assert word in header, f"the header of {path.name} does not state {word}"
    assert re.search(r"\d+(\.\d+)?%" if task == "classify" else r"\d\.\d+", header)


@pytest.mark.parametrize("path", RECIPES, ids=NAMES)
def test_recipe_runs_with_few_samples(path: Path, tmp_path: Path) -> None:
    needs_data(path)
    task = load_recipe(path).task
    run = bs.run(path, tmp_path / "run", set=SMALL if task == "classify" else SMALL_LANGUAGE)
    assert task == "language" or run.report["contract"]["met"]
    assert run.report["data"]["rows"] == (300 if task == "classify" else 60)
    assert run.report["parity"]["parent fp32"]["agreement"] == 1.0


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_digits_in_full(tmp_path: Path) -> None:
    run = bs.run(FOLDER / "digits.yaml", tmp_path / "run")
    measured = run.report["contract"]["measured"]
    assert run.report["metrics"]["parent"]["accuracy"]["value"] >= 0.985
    assert run.report["sizes"]["parent"]["parameters"] > 1_000_000
    assert measured["drop"] <= 0.01
    assert measured["shrink"] >= 4
    assert measured["speedup"] > 1


@pytest.mark.slow
@pytest.mark.timeout(5400)
def test_fashion_mnist_in_full(tmp_path: Path) -> None:
    path = FOLDER / "fashion_mnist.yaml"
    needs_data(path)
    run = bs.run(path, tmp_path / "run")
    measured = run.report["contract"]["measured"]
    assert run.report["data"]["splits"]["test"] == 10_000
    assert run.report["metrics"]["parent"]["accuracy"]["value"] >= 0.94
    assert measured["drop"] <= 0.005
    assert measured["shrink"] >= 8
    assert measured["speedup"] >= 3
