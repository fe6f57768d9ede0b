"""The same raw file gives `predict` the very inputs that training had, for every kind of data."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import soundfile
from PIL import Image

from bessemer.data.config import DataConfig
from bessemer.data.dataset import Dataset
from bessemer.data.kinds import KINDS
from bessemer.data.readers import input_files, reader
from bessemer.data.record import Rejected
from bessemer.errors import DataError
from bessemer.prepare.prepare import prepare
from bessemer.stages.export import from_raw_files

WORDS = ["".join(letters) for letters in np.random.default_rng(5).choice(list("aeioubdgklmnprst"), (300, 6))]
FOOTER = "This file is part of the Example project and may be copied by anyone."


@pytest.fixture
def prepared(tmp_path: Path) -> Callable[[DataConfig], tuple[Dataset, Callable, list[tuple[Path, list[int]]]]]:
    """Prepare; give the data set, the reader that an export of it has, and each file with its kept rows."""

    def make(config: DataConfig) -> tuple[Dataset, Callable, list[tuple[Path, list[int]]]]:
        (tmp_path / "out").mkdir()
        prepare(config, 0, tmp_path / "out", workers=1)
        dataset = Dataset(tmp_path / "out")
        shipped = tmp_path / "shipped"
        shipped.mkdir()
        if (tmp_path / "out" / "tokenizer.json").exists():
            shutil.copy(tmp_path / "out" / "tokenizer.json", shipped)
        about = json.loads(json.dumps(from_raw_files(dataset)))  # as it comes back from the file
        with pa.memory_map(str(tmp_path / "out" / "rows.arrow")) as source:
            rows = pa.ipc.open_file(source).read_all().to_pylist()
        kept = [row for row in rows if row["state"] == "kept"]
        assert len(kept) == len(dataset.samples)
        files: dict[Path, list[int]] = {}
        for place, row in enumerate(kept):
            files.setdefault(Path(config.path) / row["origin"], []).append(place)
        return dataset, reader(about, shipped), list(files.items())

    return make


def settings(root: Path, modality: str, **other) -> DataConfig:
    dedup = {"near": False}
    return DataConfig(source=f"{modality}_folder", path=str(root), label_check={"folds": 0}, dedup=dedup, **other)


# --- images ---------------------------------------------------------------------------------------------


def save_image(path: Path, index: int, generator: np.random.Generator) -> None:
    """Of many shapes, colors and kinds of file, one of them lying on its side."""
    height, width = [(20, 20), (20, 20), (31, 17), (40, 60)][index % 4]
    pixels = generator.integers(0, 256, (height, width, 4), np.uint8)
    image = Image.fromarray(pixels).convert(["L", "RGB", "RGBA", "P"][index % 3])
    suffix, more = ("jpg", {}) if index % 3 < 2 else ("png", {})
    if suffix == "jpg" and index % 2:
        more = {"exif": Image.Exif()}
        more["exif"][0x0112] = 6
    image.save(path.with_suffix(f".{suffix}"), **more)


@pytest.mark.parametrize("color", ["gray", "rgb"])
def test_images_are_read_as_in_training(tmp_path: Path, prepared: Callable, color: str) -> None:
    generator = np.random.default_rng(0)
    for name in "ab":
        (tmp_path / "set" / name).mkdir(parents=True)
        for index in range(12):
            save_image(tmp_path / "set" / name / f"{index}", index, generator)
    dataset, read, files = prepared(settings(tmp_path / "set", "image", size=[16, 20], color=color))
    assert len(files) == 24
    for path, (place,) in files:
        found = read(path)
        assert (found.dtype, found.shape) == (np.uint8, (1, 16, 20, 1 if color == "gray" else 3))
        np.testing.assert_array_equal(found[0], dataset.samples.inputs[place])


# --- sound ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("windows", [False, True])
def test_sounds_are_read_as_in_training(tmp_path: Path, prepared: Callable, windows: bool) -> None:
    """Shorter and longer than a clip, of several rates, stereo, with an offset, WAV and FLAC."""
    generator = np.random.default_rng(0)
    for name in "ab":
        (tmp_path / "set" / name).mkdir(parents=True)
        for index in range(8):
            rate = [8000, 16_000, 11_025, 44_100][index % 4]
            wave = generator.normal(0.05 * (index % 2), 0.1, (round((0.1 + 0.1 * index) * rate), 1 + index % 2))
            soundfile.write(tmp_path / "set" / name / f"{index}.{['wav', 'flac'][index % 2]}", wave, rate)
    audio = {"rate": 8000, "seconds": 0.3, "windows": windows, "mels": 16}
    dataset, read, files = prepared(settings(tmp_path / "set", "audio", audio=audio))
    assert len(files) == 16
    for path, places in files:
        found = read(path)
        assert found.dtype == np.int16
        assert len(found) == len(places)
        np.testing.assert_array_equal(found, dataset.samples.inputs[places])
    assert (max(len(places) for _, places in files) > 1) == windows


def test_silent_clips_of_a_recording_are_left_out_as_in_training(tmp_path: Path, prepared: Callable) -> None:
    generator = np.random.default_rng(0)
    for name in "ab":
        (tmp_path / "set" / name).mkdir(parents=True)
        for index in range(6):
            wave = generator.normal(0, 0.1, 12_000)
            wave[4000:8000] = 0
            soundfile.write(tmp_path / "set" / name / f"{index}.wav", wave, 8000, subtype="PCM_16")
    audio = {"rate": 8000, "seconds": 0.25, "windows": True, "mels": 16}
    dataset, read, files = prepared(settings(tmp_path / "set", "audio", audio=audio))
    for path, places in files:
        assert len(places) == 11 - 3
        np.testing.assert_array_equal(read(path), dataset.samples.inputs[places])
    soundfile.write(tmp_path / "silence.wav", np.zeros(6000), 8000, subtype="PCM_16")
    assert read(tmp_path / "silence.wav").shape == (5, 2000)  # an answer all the same


# --- text -----------------------------------------------------------------------------------------------


def page(index: int, generator: np.random.Generator) -> bytes:
    """A text with lines that all texts share, in many encodings and ends of line, some as HTML."""
    lines = [" ".join(generator.choice(WORDS, 9)) + "." for _ in range(12)]
    lines[4] += " café naïve déjà über"
    body = "\n".join([*lines[:6], "", *lines[6:], "", FOOTER])
    if index % 5 == 1:
        return body.encode("cp1252")
    if index % 5 == 2:
        return body.replace("\n", "\r\n").encode("utf-16")
    if index % 5 == 3:
        return body.encode("utf-8").decode("cp1252", "replace").encode("utf-8")  # mojibake
    if index % 5 == 4:
        paragraphs = "".join(f"<p>{line}</p>\n" for line in [*lines, FOOTER])
        return f"<!DOCTYPE html><html><head><title>t</title></head><body>\n{paragraphs}</body></html>".encode()
    return b"\xef\xbb\xbf" + body.replace(" ", "\u00a0 ", 3).encode()


@pytest.mark.parametrize("unit", ["file", "piece"])
def test_texts_are_read_as_in_training(tmp_path: Path, prepared: Callable, unit: str) -> None:
    generator = np.random.default_rng(0)
    for name in "ab":
        (tmp_path / "set" / name).mkdir(parents=True)
        for index in range(15):
            (tmp_path / "set" / name / f"{index:02}.txt").write_bytes(page(index, generator))
    text = {"piece_characters": 250, "max_tokens": 200, "tokenizer": {"vocabulary": 500}}
    dataset, read, files = prepared(settings(tmp_path / "set", "text", unit=unit, text=text))
    assert len(files) == 30
    assert not any(FOOTER in dataset.text(place) for place in range(len(dataset.samples)))
    assert sum("café naïve déjà über" in dataset.text(place) for place in range(len(dataset.samples))) == 30
    for path, places in files:
        found, wanted = read(path), dataset.samples.inputs[places]
        assert found.dtype == np.int32
        np.testing.assert_array_equal(found, wanted)
    assert (min(len(places) for _, places in files) > 1) == (unit == "piece")
    lengths = [len(dataset.samples.inputs[place]) for place in range(len(dataset.samples))]
    assert (max(lengths) == 200) == (unit == "file")  # cut at max_tokens


def test_a_text_without_any_content_is_refused(tmp_path: Path, prepared: Callable) -> None:
    generator = np.random.default_rng(0)
    for name in "ab":
        (tmp_path / "set" / name).mkdir(parents=True)
        for index in range(8):
            (tmp_path / "set" / name / f"{index:02}.txt").write_bytes(page(0, generator))
    text = {"boilerplate": 0.0, "tokenizer": {"vocabulary": 300}}
    _, read, _ = prepared(settings(tmp_path / "set", "text", text=text))
    for raw, reason in ((b"", "empty file"), (b" \n", "empty file"), (bytes(200), "binary, not text")):
        (tmp_path / "f.txt").write_bytes(raw)
        with pytest.raises(Rejected, match=reason):
            read(tmp_path / "f.txt")


# --- files ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("modality", "found"),
    [
        ("image", ["2.png", "1.JPG"]),
        ("audio", ["4.wav", "5.flac"]),
        ("text", ["2.png", "4.wav", "1.JPG", "5.flac", "notes.txt"]),
    ],
)
def test_inputs_are_files_and_all_files_of_the_kind_below_folders(
    tmp_path: Path, modality: str, found: list[str]
) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    for name in ("a/2.png", "a/b/1.JPG", "a/notes.txt", "a/4.wav", "a/b/5.flac", "a/.hidden", "3.bin"):
        (tmp_path / name).write_bytes(b"x")
    files = input_files([tmp_path / "a", tmp_path / "3.bin"], KINDS[modality])
    assert [path.name for path in files] == [*found, "3.bin"]
    assert all(KINDS[modality].can_read(path.name) for path in files[:-1])


def test_a_folder_without_any_file_of_the_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(DataError, match="no images in it"):
        input_files([tmp_path], KINDS["image"])
