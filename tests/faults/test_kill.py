"""SIGKILL at any moment of a run: the same command goes on, to the same bytes."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

TINY = Path(__file__).parents[1] / "recipes" / "tiny.yaml"
pytestmark = [pytest.mark.faults, pytest.mark.timeout(280)]


def command(folder: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "bessemer", "run", str(TINY), "-o", str(folder), *more]


def run_to_the_end(folder: Path) -> str:
    done = subprocess.run(command(folder), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stderr


def kill_after(folder: Path, seconds: float) -> bool:
    """Run, and kill after so long; returns whether it was still running."""
    process = subprocess.Popen(command(folder), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait() == -signal.SIGKILL
    return False


def parent_weights(folder: Path) -> bytes:
    (found,) = (folder / "stages").glob("train-*/model/weights.safetensors")
    return found.read_bytes()


def shipped_files(folder: Path) -> list[bytes]:
    names = ["model/weights.safetensors", "model/architecture.json", "export/onnx/model.onnx"]
    return [(folder / name).read_bytes() for name in names]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    run_to_the_end(folder)
    return folder


def disturbed(folder: Path, kills: int, seed: int) -> int:
    """Kill a run at seeded moments until it has been killed so often, or is done; returns the number of kills."""
    chance = random.Random(seed)
    return sum(kill_after(folder, chance.uniform(1.5, 6.0)) for _ in range(kills))


def test_ten_kills_change_no_byte(undisturbed: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    assert disturbed(folder, kills=10, seed=0) >= 3
    run_to_the_end(folder)
    assert parent_weights(folder) == parent_weights(undisturbed)
    assert shipped_files(folder) == shipped_files(undisturbed)
    leftovers = [path.name for path in (folder / "stages").iterdir() if path.name.startswith(".")]
    assert leftovers == []
    assert list((folder / "work").iterdir()) == []


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", range(10))
def test_fifty_kills_change_no_byte(undisturbed: Path, tmp_path: Path, seed: int) -> None:
    folder = tmp_path / "run"
    disturbed(folder, kills=5, seed=seed + 100)
    run_to_the_end(folder)
    assert parent_weights(folder) == parent_weights(undisturbed)
    assert shipped_files(folder) == shipped_files(undisturbed)


def test_sigterm_saves_and_exits_130(undisturbed: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    process = subprocess.Popen(
        command(folder, "--set", "train.checkpoint_seconds=1000"), stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("prepare"):
            break
    while not list((folder / "work").glob("train-*/start/weights.safetensors")):
        assert process.poll() is None
    try:
        process.wait(1.5)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 130
    assert "run the same command to go on" in process.stderr.read()
    run_to_the_end(folder)
    assert parent_weights(folder) == parent_weights(undisturbed)
