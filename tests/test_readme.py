"""Every command of the README runs."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, re.DOTALL)
SHELL = [
    line.split(" #")[0].strip()
    for kind, text in BLOCKS
    if kind == "sh"
    for line in text.splitlines()
    if line.strip()
]
COMMANDS = [line for line in SHELL if line.startswith("bessemer ")]
PYTHON = [text for kind, text in BLOCKS if kind == "python"]
LITTLE_CODE = {
    "data.limit": 60,
    "data.dedup.near": "false",
    "model.width": 32,
    "model.layers": 1,
    "model.heads": 2,
    "model.context": 32,
    "train.epochs": 0.02,
    "train.compile": "false",
    "export.benchmark_seconds": 0.1,
}
ONE_TECHNIQUE = "".join(
    f" --set {key}={value}"
    for key, value in {
        "train.schedule.name": "constant",
        "train.schedule.warmup": 0,
        "train.optimizer.weight_decay": 0,
        "train.ema": 0,
        "train.label_smoothing": 0,
        "train.precision": "fp32",
    }.items()
)
TINY = ROOT / "tests" / "recipes" / "tiny.yaml"


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the README takes it: a finished runs/digits (by a tiny recipe), recipes, photos, a table."""
    import numpy as np
    from PIL import Image

    folder = tmp_path_factory.mktemp("readme")
    (folder / "recipes").mkdir()
    (folder / "recipes" / "digits.yaml").write_text(TINY.read_text().replace("name: tiny", "name: digits"))
    chance = np.random.default_rng(0)
    for name in ("cats", "dogs"):
        (folder / "photos" / name).mkdir(parents=True)
        for i in range(40):
            pixels = chance.integers(0, 128, (16, 16, 3), np.uint8) + (100 if name == "cats" else 0)
            Image.fromarray(pixels.astype(np.uint8)).save(folder / "photos" / name / f"{i}.png")
    Image.fromarray(chance.integers(0, 256, (8, 8), np.uint8)).save(folder / "seven.png")
    sizes = [*chance.uniform(30, 200, 120)]
    homes = [f"{size:.1f},{('Rom', 'Oslo')[place % 2]},{3 * size:.0f}" for place, size in enumerate(sizes)]
    (folder / "homes.csv").write_text("\n".join(["size,city,price", *homes]) + "\n")
    (folder / "new.csv").write_text("city,size\nRom,80\nParis,\n")
    (folder / "letter.txt").write_text("def letter():\n    return 1\n")
    run(folder, "bessemer run recipes/digits.yaml")
    return folder


def run(folder: Path, command: str) -> str:
    words = shlex.split(command)
    assert words[0] == "bessemer"
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=folder, capture_output=True, text=True, check=False, env=os.environ
    )
    assert done.returncode == 0, f"{command}\n{done.stderr}"
    return done.stdout


def test_the_two_commands_come_first_and_are_targets_of_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text()
    assert SHELL[:2] == ["make demo", "make test"]
    for line in SHELL:
        if line.startswith("make "):
            assert f"\n{line.split()[1]}:" in makefile, line


def test_every_shell_line_is_make_or_bessemer() -> None:
    assert len(COMMANDS) >= 6
    assert [line for line in SHELL if not line.startswith(("make ", "bessemer "))] == []


@pytest.mark.timeout(900)  # a dozen whole commands; on a slow or busy machine they take minutes
def test_the_commands_run_in_their_order(workplace: Path) -> None:
    for command in COMMANDS:
        text = (
            "bessemer run" if command.startswith(("bessemer run photos.yaml", "bessemer run homes.yaml")) else ""
        )
        quick = (
            " --set train.epochs=1 --set compress.contract.max_drop=1 --set compress.train.epochs=1"
            if text
            else ""
        )
        if command.startswith("bessemer run code.yaml"):
            quick = "".join(f" --set {key}={value}" for key, value in LITTLE_CODE.items())
        if "--ledger" in command:  # one pair, on training alone
            command = command.replace("--ledger 30", "--ledger 0.001 --until train")
            quick += ONE_TECHNIQUE
        assert run(workplace, command + quick) != ""


def test_the_python_examples_run(workplace: Path) -> None:
    assert PYTHON
    for text in PYTHON:
        done = subprocess.run(
            [sys.executable, "-c", text], cwd=workplace, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr


def test_every_linked_file_is_there() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target
