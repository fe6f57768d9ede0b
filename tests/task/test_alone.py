"""The snippet of the model card runs without bessemer and answers every test sample as `predict` does."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import soundfile
from PIL import Image

import bessemer as bs
from bessemer.data.dataset import Dataset
from bessemer.pipeline import Run, run

SMALL = {"epochs": 2, "batch_size": 16, "precision": "fp32"}
LACKS_BESSEMER = "import sys; sys.modules['bessemer'] = None\n"


def card_program(folder: Path) -> str:
    """The Python of the model card."""
    return (folder / "model" / "card.md").read_text().split("```python\n")[1].split("```")[0]


def answered(folder: Path, files: list[Path]) -> list[list[dict[str, float]]]:
    """What the snippet says of files, in a process that cannot import bessemer."""
    command = [sys.executable, "-c", LACKS_BESSEMER + card_program(folder), *map(str, files)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def agree(made: Run, files: list[Path]) -> None:
    """Every file, or row of a file, is answered as `predict` answers it."""
    said = [row for rows in answered(made.path, files) for row in rows]
    found = [one for file in files for one in bs.predict(made.path, file, top=100)]
    assert len(said) == len(found) > 0
    for mine, theirs in zip(said, found, strict=True):
        assert "error" not in theirs
        wanted = {one["class"]: one["probability"] for one in theirs["top"]}
        assert mine == pytest.approx(wanted, abs=1e-6)


def trained(tmp_path: Path, data: dict[str, Any], model: dict[str, Any], **more: Any) -> Run:
    from bessemer.recipe import Recipe

    recipe = Recipe.model_validate(
        {
            "name": "alone",
            "data": {"split": {"test": 0.3, "validation": 0.2}, **data},
            "model": model,
            "train": {**SMALL, **more},
            "compress": None,
            "export": {"benchmark_seconds": 0.1},
        }
    )
    return run(recipe, tmp_path / "run")


def held_out(made: Run, root: Path) -> list[Path]:
    """The files of the test split."""
    (prepared,) = (made.path / "stages").glob("prepare-*")
    dataset = Dataset(prepared)
    names = [name.split(", clip")[0] for name in dataset.names(dataset.positions("test"))]
    return [root / name for name in dict.fromkeys(names)]


NETWORK = {"stem_width": 8, "widths": [8, 16], "blocks": [1, 1], "strides": [1, 2]}


def test_images(tmp_path: Path, make_images: Callable[..., list[Path]]) -> None:
    for seed, name in enumerate(("a", "b")):
        make_images(tmp_path / "data" / name, 20, seed, side=20 + 4 * seed, channels=3)
    see_through = np.zeros((24, 30, 4), np.uint8)
    see_through[6:18, 6:18] = (200, 30, 90, 255)
    turned = Image.fromarray(see_through[..., 0]).getexif()
    turned[0x0112] = 6
    Image.fromarray(see_through).save(tmp_path / "see_through.png")
    Image.fromarray(see_through[..., :3]).save(tmp_path / "turned.jpg", exif=turned)
    Image.fromarray(np.arange(900, dtype=np.uint16).reshape(30, 30) * 70).save(tmp_path / "deep.png")
    made = trained(tmp_path, {"source": "image_folder", "path": str(tmp_path / "data"), "size": [16, 20]}, NETWORK)
    odd = [tmp_path / name for name in ("see_through.png", "turned.jpg", "deep.png")]
    agree(made, [*held_out(made, tmp_path / "data"), *odd])


def test_sounds(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    for pitch in (300, 900):
        (tmp_path / "data" / str(pitch)).mkdir(parents=True)
        for number in range(16):
            time = np.arange(int(8000 * (0.2 + 0.2 * generator.random()))) / 8000
            wave = 0.3 * np.sin(2 * np.pi * pitch * time) + 0.02 * generator.standard_normal(len(time)) + 0.05
            soundfile.write(tmp_path / "data" / str(pitch) / f"{number}.wav", wave, 8000, subtype="PCM_16")
    long = generator.normal(0, 0.1, (16_000, 2))
    soundfile.write(tmp_path / "long.wav", long, 8000, subtype="PCM_16")
    soundfile.write(tmp_path / "fine.flac", long, 16_000)
    sound = {"rate": 8000, "seconds": 0.3, "windows": True, "mels": 20}
    data = {"source": "audio_folder", "path": str(tmp_path / "data"), "audio": sound}
    made = trained(tmp_path, data, NETWORK)
    agree(made, [*held_out(made, tmp_path / "data"), tmp_path / "long.wav", tmp_path / "fine.flac"])


def test_texts(tmp_path: Path, make_texts: Callable[..., list[Path]]) -> None:
    footer = "\nThis message was sent to you by the list of the topic in question.\n"
    for topic, name in enumerate(("a", "b")):
        for path in make_texts(tmp_path / "data" / name, 24, topic, topic=topic):
            path.write_text(path.read_text() + footer)
    odd = tmp_path / "odd.txt"
    odd.write_bytes("\r\n  Cafe\u0301 \u200bau\u00a0lait  \r\n\r\n\r\n\r\nund mehr davon\x07 [MASK]\r\n".encode())
    text = {"max_tokens": 64, "tokenizer": {"kind": "bpe", "vocabulary": 400}, "boilerplate": 0.5}
    data = {"source": "text_folder", "path": str(tmp_path / "data"), "text": text}
    network = {"width": 16, "layers": 1, "heads": 2, "feedforward": 16, "context": 32, "pairs": 64}
    made = trained(tmp_path, data, network, optimizer={"name": "adamw", "learning_rate": 0.01})
    about = json.loads((made.path / "export" / "onnx" / "preprocess.json").read_text())
    assert len(about["boilerplate"]) == 1
    agree(made, [*held_out(made, tmp_path / "data"), odd])


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Run]:
    """A table with decimal commas, a unit, dates, categories and gaps, and a short run on it."""
    root = tmp_path_factory.mktemp("table")
    generator = np.random.default_rng(0)
    with (root / "homes.csv").open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file, delimiter=";")
        out.writerow(["size", "price", "city", "built", "dear"])
        for number in range(160):
            size, dear = generator.gamma(4, 20), bool(number % 2)
            day = np.datetime64("2015-01-01") + generator.integers(0, 2000)
            shown = f"{size + 30 * dear:.2f}".replace(".", ",") if number % 9 else "n/a"
            price = f"€ {generator.integers(1000, 9_000_000):,}".replace(",", ".")
            out.writerow([shown, price, generator.choice(["Rom", "Köln", ""]), day, "yes" if dear else "no"])
    settings = {"numbers": ["size", "price"], "categories": ["city"], "dates": {"built": "iso"}}
    settings |= {"decimal_comma": ["size", "price"], "units": {"price": "€"}}
    columns = {"value": "*", "label": "dear"}
    data = {"source": "table", "path": str(root / "homes.csv"), "columns": columns, "kind": "table"}
    network = {"name": "mlp", "widths": [16]}
    made = trained(root, {**data, "settings": settings}, network, optimizer={"name": "adamw"})
    return root / "homes.csv", made


def test_tables(table: tuple[Path, Run]) -> None:
    path, made = table
    agree(made, [path])


def test_rows_from_python_and_from_standard_input_are_those_of_the_file(table: tuple[Path, Run]) -> None:
    import io

    from bessemer.export.predictor import Predictor

    path, made = table
    expected = [one["top"] for one in bs.predict(made.path, path)]
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    assert [one["top"] for one in bs.predict(made.path, rows)] == expected
    piped = Predictor(made.path).answers([Path("-")], stream=io.BytesIO(path.read_bytes()))
    found = list(piped)
    assert [answer["top"] for _, answer in found] == expected
    assert found[3][0].cells == rows[3]


def test_the_files_say_what_they_are(table: tuple[Path, Run]) -> None:
    _, made = table
    for name in ("model.onnx", "columns.onnx"):
        session = onnxruntime.InferenceSession(made.path / "export" / "onnx" / name)
        told = session.get_modelmeta().custom_metadata_map
        assert json.loads(told["classes"]) == ["no", "yes"]
        assert (told["task"], told["modality"], told["bessemer"]) == ("classify", "table", bs.__version__)
    about = json.loads((made.path / "export" / "onnx" / "preprocess.json").read_text())
    assert about["version"] == bs.__version__
    assert about["columns"]["label"] == "dear"
    assert "dates to seconds since 1970, UTC" in about["steps"]
    assert bs.load(made.path).classes == ["no", "yes"]
