"""What `init` writes for tables, untouched, beside gradient boosting and a linear model on the same splits.

    python bench/columns.py [SET ...] [--seeds 3]      all of SETS by default
    python bench/columns.py --large FILE.csv           writes a table of 1,000,000 rows, for `bessemer init`

Four sets of scikit-learn, and three that are made here with a known structure: products and bends of numbers, many
categories that act together, and much noise with gaps. Each is written as CSV, `init` writes its recipe, and each
seed is a split, first weights and order of its own. All figures are on the test split, with 95% intervals.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from sklearn import datasets
from tables import print_head, print_row

from bessemer.pipeline import run
from bessemer.runtime import machine
from bessemer.starter import write_recipe

ROWS = 8000
LARGE, BLOCK = 1_000_000, 10_000  # rows of the large table, and of a piece that is written at once
Frame = dict[str, Any]  # columns by name; the last is the target
SEED = 7  # of the sets that are made here


def of_sklearn(load: Callable[[], Any], numbers: bool = False) -> Frame:
    """One of scikit-learn's sets as columns."""
    found = load()
    target = found.target if numbers else [f"class {label}" for label in found.target]
    return {**dict(zip(map(str, found.feature_names), found.data.T, strict=True)), "target": target}


def interactions() -> Frame:
    """Two classes by products, bends and a switch of 6 of 12 numbers."""
    numbers = np.random.default_rng(SEED)
    x = numbers.normal(size=(12, ROWS))
    said = x[0] * x[1] + np.sin(2 * x[2]) + (x[3] > 0) * x[4] - 0.5 * x[5] ** 2
    high = said + numbers.normal(0, 0.5, ROWS) > np.median(said)
    return {**{f"x{place}": column for place, column in enumerate(x)}, "target": np.where(high, "up", "down")}


def categories() -> Frame:
    """A number by five categories of 4 to 300 names, two of which act together, and one number."""
    numbers = np.random.default_rng(SEED)
    sizes = (4, 12, 40, 120, 300)
    codes = [np.minimum(numbers.geometric(min(0.5, 3 / size), ROWS), size) - 1 for size in sizes]
    effects = [numbers.normal(size=size) for size in sizes]
    x, together = numbers.normal(size=(3, ROWS)), numbers.normal(size=(4, 12))
    said = sum(effect[code] for effect, code in zip(effects, codes, strict=True))
    said = said + together[codes[0], codes[1]] + x[0] * effects[0][codes[0]] + numbers.normal(0, 0.5, ROWS)
    frame: Frame = {f"c{place}": [f"v{code}" for code in column] for place, column in enumerate(codes)}
    return {**frame, **{f"x{place}": column for place, column in enumerate(x)}, "target": 100 + 20 * said}


def noise() -> Frame:
    """Two classes by 4 of 40 heavy-tailed numbers, a tenth of the labels wrong, 8% of the cells empty."""
    numbers = np.random.default_rng(SEED)
    x = numbers.standard_t(3, size=(40, ROWS))
    said = 1.5 * x[0] - x[1] + 2 * np.tanh(x[2]) + np.abs(x[3])
    label = (said > np.median(said)) ^ (numbers.random(ROWS) < 0.1)
    x[numbers.random(x.shape) < 0.08] = np.nan
    return {**{f"x{place}": column for place, column in enumerate(x)}, "target": np.where(label, "yes", "no")}


SETS: dict[str, Callable[[], Frame]] = {
    "wine": lambda: of_sklearn(datasets.load_wine),
    "breast cancer": lambda: of_sklearn(datasets.load_breast_cancer),
    "digits": lambda: of_sklearn(datasets.load_digits),
    "diabetes": lambda: of_sklearn(datasets.load_diabetes, numbers=True),
    "interactions": interactions,
    "categories": categories,
    "noise": noise,
}


def write_csv(frame: Frame, path: Path) -> None:
    """Columns as a file, empty where there is no number."""
    lines = [",".join(frame)]
    for row in zip(*frame.values(), strict=True):
        cells = ("" if isinstance(cell, float) and np.isnan(cell) else str(cell) for cell in row)
        lines.append(",".join(cells))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_large(path: Path) -> None:
    """44 numbers, 6 categories of 30 names, and a class by two products and one category."""
    numbers = np.random.default_rng(SEED)
    names = [*(f"x{place}" for place in range(44)), *(f"c{place}" for place in range(6)), "target"]
    with path.open("w", encoding="utf-8") as file:
        file.write(",".join(names) + "\n")
        for _ in range(LARGE // BLOCK):
            x, codes = numbers.normal(size=(BLOCK, 44)).round(3), numbers.integers(0, 30, (BLOCK, 6))
            high = x[:, 0] * x[:, 1] + codes[:, 0] / 10 + x[:, 2] > 1.5
            rows = zip(x.tolist(), codes.tolist(), high, strict=True)
            file.writelines(
                ",".join([*map(str, row), *(f"v{code}" for code in of), "yes" if one else "no"]) + "\n"
                for row, of, one in rows
            )


def figures(report: dict[str, Any]) -> dict[str, dict[str, float]]:
    """The headline measure of what shipped and of each simple model, by name."""
    simple, measure = report["baseline"], report["measures"][0]["name"]
    every = {"shipped": report["metrics"].get("shipped", report["metrics"]["parent"])}
    every |= {one["name"]: one["metrics"] for one in (simple, *simple["also"])}
    return {name: metrics[measure] for name, metrics in every.items() if measure in metrics}


def written(one: dict[str, float] | None) -> str:
    """A figure with its interval."""
    if one is None:
        return "-"
    digits = 4 if one["value"] <= 1 else 2
    between = f" ({one['low']:.{digits}f} to {one['high']:.{digits}f})" if "low" in one else ""
    return f"{one['value']:.{digits}f}{between}"


def bench_columns(names: list[str], seeds: int) -> None:
    """One row for each set and seed."""
    told = machine()
    threads = os.environ.get("OMP_NUM_THREADS", "all")
    about = f"{told['processor']}, torch {told['versions']['torch']}, threads: {threads}"
    heads = ["set", "seed", "shipped", "gradient boosting", "linear model", "smaller", "s"]
    print_head(f"columns: tables from an untouched `init`; {about}", *heads)
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, f"{name.replace(' ', '_')}.csv")
            write_csv(SETS[name](), path)
            write_recipe(path, path.with_suffix(".yaml"))
            for seed in range(seeds):
                start = time.perf_counter()
                made = run(path.with_suffix(".yaml"), Path(folder, f"run-{seed}"), set=[f"seed={seed}"])
                found = figures(made.report)
                linear = next((found[one] for one in found if "regression" in one), None)
                sizes = made.report["sizes"]
                shrink = sizes["parent"]["bytes"] / sizes.get("shipped", sizes["parent"])["bytes"]
                row = [name, str(seed), written(found["shipped"]), written(found.get("gradient boosting"))]
                print_row(*row, written(linear), f"{shrink:.1f}x", f"{time.perf_counter() - start:.0f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("sets", nargs="*")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--large", type=Path)
    given = parser.parse_args()
    if given.large:
        write_large(given.large)
        sys.exit()
    bench_columns(given.sets or [*SETS], given.seeds)
