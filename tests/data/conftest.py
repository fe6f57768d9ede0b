"""Tiny data of every kind, and a look at what became of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import soundfile
from PIL import Image

Make = Callable[..., list[Path]]
WORDS = ["".join(letters) for letters in np.random.default_rng(5).choice(list("aeioubdgklmnprst"), (400, 6))]


def picture(seed: int, side: int = 24, channels: int = 1) -> np.ndarray:
    """A smooth picture uint8 (side, side, channels), unlike that of any other seed."""
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 5, channels), np.uint8)
    layers = [Image.fromarray(layer).resize((side, side), Image.Resampling.BICUBIC) for layer in coarse.T]
    return np.stack([np.asarray(layer) for layer in layers], -1)


def add_images(folder: Path, count: int, seed: int, side: int = 24, channels: int = 1) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{seed}-{index:03}.png" for index in range(count)]
    for index, path in enumerate(paths):
        pixels = picture(1000 * seed + index, side, channels)
        Image.fromarray(pixels[..., 0] if channels == 1 else pixels).save(path)
    return paths


def text(seed: int, words: int = 40, topic: int = 0) -> str:
    """Made-up words; a third of them are those of the topic."""
    generator = np.random.default_rng(seed)
    chosen = generator.choice(WORDS[100:], words)
    own = generator.random(words) < 1 / 3
    chosen[own] = generator.choice(WORDS[10 * topic : 10 * topic + 10], int(own.sum()))
    return " ".join(chosen)


def add_texts(folder: Path, count: int, seed: int, words: int = 40, topic: int = 0) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{seed}-{index:03}.txt" for index in range(count)]
    for index, path in enumerate(paths):
        path.write_text(text(1000 * seed + index, words, topic) + "\n", encoding="utf-8")
    return paths


def add_sounds(folder: Path, count: int, seed: int, seconds: float = 0.3, rate: int = 8000) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(seed)
    paths = [folder / f"{seed}-{index:03}.wav" for index in range(count)]
    for path in paths:
        soundfile.write(path, generator.normal(0, 0.1, round(seconds * rate)), rate, subtype="PCM_16")
    return paths


@pytest.fixture(scope="session")
def make_picture() -> Callable[..., np.ndarray]:
    """picture(seed, side=24, channels=1)"""
    return picture


@pytest.fixture(scope="session")
def make_text() -> Callable[..., str]:
    """text(seed, words=40, topic=0)"""
    return text


@pytest.fixture(scope="session")
def make_images() -> Make:
    """Write `count` PNG files into a folder: (folder, count, seed, side=24, channels=1)."""
    return add_images


@pytest.fixture(scope="session")
def make_texts() -> Make:
    """Write `count` text files into a folder: (folder, count, seed, words=40, topic=0)."""
    return add_texts


@pytest.fixture(scope="session")
def make_sounds() -> Make:
    """Write `count` WAV files of noise into a folder: (folder, count, seed, seconds=0.3, rate=8000)."""
    return add_sounds


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """An empty folder for a prepared data set."""
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def read_rows(folder: Path) -> list[dict[str, Any]]:
    with pa.memory_map(str(folder / "rows.arrow")) as source:
        rows: list[dict[str, Any]] = pa.ipc.open_file(source).read_all().to_pylist()
    return rows


@pytest.fixture(scope="session")
def rows_of() -> Callable[[Path], list[dict[str, Any]]]:
    """The lines of `rows.arrow` of a prepared data set."""
    return read_rows


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="session")
def bytes_of() -> Callable[[Path], dict[str, bytes]]:
    """Every file below a folder with its bytes."""
    return contents
