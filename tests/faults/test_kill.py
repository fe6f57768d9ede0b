"""Rows 2, 13 and 14: SIGKILL and signals at any moment of a run: the same command goes on, to the same bytes."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

TINY = Path(__file__).parents[1] / "recipes" / "tiny.yaml"
pytestmark = [pytest.mark.faults, pytest.mark.timeout(500)]


def command(folder: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "bessemer", "run", str(TINY), "-o", str(folder), *more]


def run_to_the_end(folder: Path) -> str:
    done = subprocess.run(command(folder), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stderr


# The process counts its own operations that make files durable, and kills itself at the one that is asked.
KILLER = """
import os, signal, sys
from pathlib import Path
from bessemer import artifact
count, fatal = 0, int(sys.argv.pop(1))
def counted(name):
    real = getattr(os, name)
    def call(*arguments, **options):
        global count
        count += 1
        if count == fatal:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments, **options)
    return call
for name in ("fsync", "rename", "replace", "mkdir", "rmdir"):
    setattr(os, name, counted(name))
sys.argv[0] = "bessemer"
from bessemer.cli import main
try:
    main()
finally:
    Path(os.environ["COUNT_FILE"]).write_text(str(count))
"""


def run_until(folder: Path, operation: int) -> int:
    """Run, and die at the given file operation; returns how many there were, or 0 if it was killed."""
    counted = folder.parent / f"{folder.name}.count"
    counted.unlink(missing_ok=True)
    words = [sys.executable, "-c", KILLER, str(operation), *command(folder)[3:]]
    done = subprocess.run(
        words, capture_output=True, text=True, check=False, env={**os.environ, "COUNT_FILE": str(counted)}
    )
    if done.returncode == -signal.SIGKILL:
        assert not counted.exists()
        return 0
    assert done.returncode == 0, done.stderr
    return int(counted.read_text())


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


def assert_same(folder: Path, undisturbed: Path) -> None:
    assert parent_weights(folder) == parent_weights(undisturbed)
    assert shipped_files(folder) == shipped_files(undisturbed)
    assert [path.name for path in (folder / "stages").iterdir() if path.name.startswith(".")] == []
    assert list((folder / "work").iterdir()) == []


def test_ten_kills_at_seeded_file_operations_change_no_byte(undisturbed: Path, tmp_path: Path) -> None:
    folder, chance = tmp_path / "run", random.Random(0)
    for _ in range(10):
        assert run_until(folder, operation=chance.randint(1, 45)) == 0
    assert run_until(folder, operation=-1) > 0
    assert_same(folder, undisturbed)


def test_thirty_kills_of_training_lose_at_most_one_interval(tmp_path: Path) -> None:
    """Also within saves, in the thread that trains and in the one that saves."""
    script = Path(__file__).with_name("kills.py")
    words = [sys.executable, str(script), str(tmp_path), "30", "0"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    rows = json.loads(done.stdout)
    assert len(rows) >= 30
    assert sum(row["leftovers"] > 0 for row in rows) >= 5  # that many died within a save
    for row in rows:
        assert row["saved"] >= row["before"]  # what was committed stays
        assert row["saved"] >= row["done"] - 1 or not row["waits"]  # it saves after every step
        assert row.get("ended_the_same", True)
    assert sum("ended_the_same" in row for row in rows) >= 5


@pytest.mark.slow
@pytest.mark.timeout(2400)
@pytest.mark.parametrize("seed", range(10))
def test_fifty_kills_over_the_whole_run_change_no_byte(undisturbed: Path, tmp_path: Path, seed: int) -> None:
    total = run_until(tmp_path / "counted", operation=-1)
    folder, chance, kills = tmp_path / "run", random.Random(seed + 1), 0
    while kills < 5:
        kills += run_until(folder, operation=chance.randint(1, total // 3)) == 0
    run_until(folder, operation=-1)
    assert_same(folder, undisturbed)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_kills_at_moments_of_the_clock_change_no_byte(undisturbed: Path, tmp_path: Path) -> None:
    folder, chance = tmp_path / "run", random.Random(3)
    for _ in range(10):
        process = subprocess.Popen(command(folder), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(chance.uniform(1.0, 8.0))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    run_to_the_end(folder)
    assert_same(folder, undisturbed)


def test_a_killed_launcher_leaves_no_rank_behind(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    words = command(folder, "--nproc", "2", "--set", "train.epochs=4000")
    process = subprocess.Popen(words, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 120
    while not list((folder / "work").glob("train-*/progress.json")):
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.1)
    process.kill()
    process.wait()
    time.sleep(5)
    alive = [path for path in Path("/proc").glob("[0-9]*/cmdline") if str(folder) in read(path)]
    assert alive == []


def read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""  # the process ended meanwhile


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "Ctrl-C"])
def test_a_signal_saves_and_exits_130(number: int, undisturbed: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    words = command(folder, "--set", "train.checkpoint_seconds=1000")  # nothing is saved but by the signal
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        while not list((folder / "work").glob("train-*/start")):
            assert process.poll() is None
            time.sleep(0.05)
        time.sleep(0.5)
        process.send_signal(number)
        said = process.stderr.read()
    assert process.returncode == 130, said
    assert "run the same command to go on" in said
    run_to_the_end(folder)
    assert parent_weights(folder) == parent_weights(undisturbed)
