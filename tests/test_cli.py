"""The command line as a user meets it: output, errors and exit codes."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from bessemer.cli import app

TINY = Path(__file__).parent / "recipes" / "tiny.yaml"


def bessemer(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bessemer", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False)


def refused(code: int, *arguments: object) -> str:
    """Run a command that must fail with `code`, without a traceback, and with a remedy; returns its message."""
    done = bessemer(*arguments)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert "→" in done.stderr
    return done.stderr


def recipe(folder: Path, text: str) -> Path:
    path = folder / "recipe.yaml"
    path.write_text(text)
    return path


def class_folders(root: Path, counts: dict[str, int], side: int = 10) -> Path:
    chance = np.random.default_rng(0)
    for name, count in counts.items():
        (root / name).mkdir(parents=True)
        for i in range(count):
            pixels = chance.integers(0, 256, (side, side), np.uint8)
            Image.fromarray(pixels).save(root / name / f"{i}.png")
    return root


def folder_recipe(tmp_path: Path, data: Path, more: str = "") -> Path:
    return recipe(tmp_path, f"name: r\ndata: {{source: image_folder, path: {data}{more}}}\n")


def idx(array: np.ndarray) -> bytes:
    head = bytes([0, 0, 8, array.ndim]) + b"".join(int(n).to_bytes(4, "big") for n in array.shape)
    return head + array.astype(np.uint8).tobytes()


def idx_folder(root: Path, images: int = 40, labels: int = 40) -> Path:
    root.mkdir()
    chance = np.random.default_rng(0)
    (root / "train-images-idx3-ubyte").write_bytes(idx(chance.integers(0, 256, (images, 8, 8))))
    (root / "train-labels-idx1-ubyte").write_bytes(idx(np.arange(labels) % 4))
    return root


@pytest.mark.parametrize(("command", "limit"), [(["--help"], 0.3), (["check", str(TINY)], 1.0)])
def test_looking_is_quick_because_nothing_heavy_is_imported(command: list[str], limit: float) -> None:
    code = (
        "import sys, bessemer.cli as c\n"
        f"sys.argv = ['bessemer', *{command!r}]\n"
        "try: c.main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'onnxruntime', 'onnx', 'matplotlib', 'sklearn', 'scipy'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        assert bessemer(*command).returncode == 0
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 5 * limit  # a busy machine; the figure itself is in docs/benchmarks.md


def test_help_names_every_command() -> None:
    text = bessemer("--help").stdout
    for name in ("init", "check", "run", "predict", "bench", "report", "doctor", "schema"):
        assert f"  {name} " in text


@pytest.mark.parametrize("command", [[], ["init"], ["check"], ["prepare"], ["train"], ["predict"], ["doctor"]])
def test_h_helps_as_well(command: list[str]) -> None:
    done = CliRunner().invoke(app, [*command, "-h"])
    assert done.exit_code == 0
    assert done.output == CliRunner().invoke(app, [*command, "--help"]).output
    assert "Usage:" in done.output


def test_unknown_key_names_file_line_and_the_nearest_key(tmp_path: Path) -> None:
    path = recipe(tmp_path, "name: x\ndata:\n  source: digits\ntrain:\n  epohcs: 3\n")
    assert f"{path}:5: train.epohcs: unknown key, did you mean epochs?" in refused(2, "run", path)


def test_wrong_type_names_the_line(tmp_path: Path) -> None:
    path = recipe(tmp_path, "name: x\ndata:\n  source: digits\ntrain:\n  batch_size: many\n")
    assert f"{path}:5: train.batch_size: " in refused(2, "check", path)


def test_wrong_setting_is_named_as_it_was_typed() -> None:
    assert "--set train.epochs: " in refused(2, "check", TINY, "--set", "train.epochs=many")


def test_missing_recipe() -> None:
    assert "nowhere.yaml: no such file" in refused(2, "run", "nowhere.yaml")


def test_missing_data_folder(tmp_path: Path) -> None:
    message = refused(4, "run", folder_recipe(tmp_path, tmp_path / "nowhere"), "-o", tmp_path / "run")
    assert "nowhere: no such folder" in message


def test_empty_class_folder(tmp_path: Path) -> None:
    data = class_folders(tmp_path / "data", {"a": 5, "b": 5})
    (data / "c").mkdir()
    message = refused(4, "run", folder_recipe(tmp_path, data), "-o", tmp_path / "run")
    assert f"{data / 'c'}: an empty class folder" in message


def test_one_class_only(tmp_path: Path) -> None:
    data = class_folders(tmp_path / "data", {"cats": 9})
    message = refused(4, "run", folder_recipe(tmp_path, data), "-o", tmp_path / "run")
    assert "only one class in the data (cats)" in message


def test_a_broken_image_is_set_aside_and_counted(tmp_path: Path) -> None:
    data = class_folders(tmp_path / "data", {"a": 12, "b": 12})
    (data / "a" / "3.png").write_bytes(b"not a picture")
    (data / "b" / "4.png").write_bytes((data / "b" / "4.png").read_bytes()[:60])
    done = bessemer("prepare", folder_recipe(tmp_path, data), "-o", tmp_path / "run", "--json")
    assert done.returncode == 0, done.stderr
    about = json.loads(done.stdout)["data"]
    assert about["rows"] == 24
    assert about["kept"] == 22
    assert sum(about["quarantined"].values()) == 2
    assert {row["path"] for row in about["quarantined_samples"]} == {"a/3.png", "b/4.png"}


def test_all_images_broken(tmp_path: Path) -> None:
    data = class_folders(tmp_path / "data", {"a": 3, "b": 3})
    for path in data.rglob("*.png"):
        path.write_bytes(b"")
    message = refused(4, "run", folder_recipe(tmp_path, data), "-o", tmp_path / "run")
    assert "no image in it can be read" in message


def test_all_images_broken_behind_a_good_header(tmp_path: Path) -> None:
    data = class_folders(tmp_path / "data", {"a": 3, "b": 3})
    for path in data.rglob("*.png"):
        path.write_bytes(path.read_bytes()[:45])
    message = refused(4, "run", folder_recipe(tmp_path, data), "-o", tmp_path / "run")
    assert "all 6 samples are broken" in message


def test_a_class_with_broken_images_only_is_refused(tmp_path: Path) -> None:
    data = class_folders(tmp_path / "data", {"a": 20, "b": 1, "c": 20})
    (data / "b" / "0.png").write_bytes(b"no")
    message = refused(4, "run", folder_recipe(tmp_path, data), "-o", tmp_path / "run")
    assert "class 'b' has no usable sample" in message


def test_images_and_labels_of_different_counts(tmp_path: Path) -> None:
    data = idx_folder(tmp_path / "data", images=40, labels=39)
    path = recipe(tmp_path, f"data: {{source: idx, path: {data}}}\n")
    assert "40 images, but train-labels-idx1-ubyte has 39 labels" in refused(4, "run", path, "-o", tmp_path / "r")


@pytest.mark.parametrize("zipped", [False, True])
def test_truncated_idx(tmp_path: Path, zipped: bool) -> None:
    data = idx_folder(tmp_path / "data")
    images = data / "train-images-idx3-ubyte"
    raw = gzip.compress(images.read_bytes())[:-200] if zipped else images.read_bytes()[:-7]
    images.unlink()
    images = images.with_name(images.name + ".gz") if zipped else images
    images.write_bytes(raw)
    path = recipe(tmp_path, f"data: {{source: idx, path: {data}}}\n")
    message = refused(4, "run", path, "-o", tmp_path / "r")
    assert f"{images}: truncated" in message


def test_init_writes_a_recipe_that_checks(tmp_path: Path) -> None:
    data = class_folders(tmp_path / "my data", {"a": 8, "b": 8, "c": 8}, side=12)
    path = tmp_path / "recipe.yaml"
    assert "24 images of 3 classes, 12x12 gray" in bessemer("init", data, "-o", path).stdout
    text = path.read_text()
    assert text.count("#") > 8
    shown = json.loads(bessemer("check", path, "--json").stdout)
    assert shown["recipe"]["data"]["path"] == str(data)
    assert shown["recipe"]["name"] == "my_data"
    assert set(shown["stages"].values()) == {"would run"}


def test_init_leaves_an_existing_recipe_alone(tmp_path: Path) -> None:
    data = class_folders(tmp_path / "data", {"a": 4, "b": 4})
    path = recipe(tmp_path, "mine: yes\n")
    assert "is there already" in refused(2, "init", data, "-o", path)
    assert path.read_text() == "mine: yes\n"
    assert bessemer("init", data, "-o", path, "--force").returncode == 0


def test_init_refuses_what_it_does_not_know(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    assert "not a kind of file that is known" in refused(
        4, "init", tmp_path / "notes.txt", "-o", tmp_path / "r.yaml"
    )
    assert not (tmp_path / "r.yaml").exists()


def test_unknown_stage_and_bad_process_count() -> None:
    assert "no stage 'trian'" in refused(2, "run", TINY, "--until", "trian")
    assert "at least one process" in refused(2, "run", TINY, "--nproc", "0")


def test_schema_is_json_with_every_group() -> None:
    schema = json.loads(bessemer("schema").stdout)
    assert {"data", "augment", "model", "train", "compress", "export"} <= schema["properties"].keys()


def test_doctor_tells_of_the_machine() -> None:
    found = json.loads(bessemer("doctor", "--json").stdout)
    assert found["cores"] >= 1
    assert found["precision"] in ("fp32", "bf16")
    assert set(found["training_probe_ms"]) == {"fp32", "bf16"}


def test_predict_and_report_refuse_a_folder_without_a_run(tmp_path: Path) -> None:
    assert "no exported model" in refused(5, "predict", tmp_path, tmp_path)
    assert "no report.json" in refused(5, "report", tmp_path)
