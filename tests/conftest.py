"""What many tests share: tiny data, a tiny network, exported files, and a check that tests clean up."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import soundfile
import torch
from hypothesis import settings
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from bessemer.compress.quantize import quantize
from bessemer.data.dataset import Batches, Samples
from bessemer.export.onnx import export_onnx
from bessemer.model.state import Architecture
from bessemer.runtime import Progress
from bessemer.task.classify.objective import Classify
from bessemer.train.config import OptimizerConfig, TrainConfig
from bessemer.train.loop import fit

Array = NDArray[Any]
CLASSES = 3
# Variables that stay once set: by pytest, by bessemer.runtime.use, by importing OpenCV, scikit-learn and torch's
# compiler.
LASTING = {
    "PYTEST_CURRENT_TEST",
    "LD_LIBRARY_PATH",
    "CUBLAS_WORKSPACE_CONFIG",
    "KMP_DUPLICATE_LIB_OK",
    "KMP_INIT_AT_FORK",
    "TORCHINDUCTOR_CACHE_DIR",
}
NETWORK = {"classes": CLASSES, "mean": [0.3], "std": [0.3], "stem": "small"}

settings.register_profile("repeatable", derandomize=True, deadline=None, database=None, max_examples=50)
settings.load_profile("repeatable")
torch.set_num_threads(1)  # sums depend on the number of threads, and tests compare bits


@pytest.fixture(autouse=True)
def _leaves_nothing_behind() -> Iterator[None]:
    """A test must leave no environment variable, no thread that keeps Python alive, and no process group."""
    variables = dict(os.environ)
    threads = set(threading.enumerate())
    deterministic = torch.are_deterministic_algorithms_enabled()
    yield
    torch.set_num_threads(1)
    if torch.are_deterministic_algorithms_enabled() != deterministic:
        torch.use_deterministic_algorithms(deterministic)
    changed = {name for name, _ in variables.items() ^ os.environ.items()} - LASTING
    assert not changed, f"environment variables left behind: {sorted(changed)}"
    for thread in set(threading.enumerate()) - threads:
        if not thread.daemon:
            thread.join(1)
            assert not thread.is_alive(), f"thread left behind: {thread.name}"
    if "torch.distributed" in sys.modules and torch.distributed.is_available():
        assert not torch.distributed.is_initialized(), "process group left behind"


class Notes(Progress):
    """Keeps what is said, and calls `at_step(step)` at each step."""

    def __init__(self, at_step: Callable[[int], None] | None = None) -> None:
        self.said: list[str] = []
        self.at_step = at_step

    def note(self, text: str) -> None:
        self.said.append(text)

    def step(self, label: str, done: int, total: int, facts: str = "") -> None:
        if self.at_step is not None:
            self.at_step(done)


@pytest.fixture(scope="session")
def travel() -> Callable[[Any], Any]:
    """What comes out of the pipe that processes talk through."""

    def send(value: Any) -> Any:
        here, there = Pipe()
        with here, there:
            sender = threading.Thread(
                target=here.send, args=(value,)
            )  # a pipe holds little: send while it is read
            sender.start()
            received = there.recv()
            sender.join()
        return received

    return send


@pytest.fixture(scope="session")
def notes() -> type[Notes]:
    """A progress that keeps what is said."""
    return Notes


def build_samples(n: int = 48, seed: int = 0) -> Samples:
    """Gray 8x8 images: noise, and a bright band whose place is the class."""
    generator = np.random.default_rng(seed)
    labels = np.arange(n, dtype=np.int64) % CLASSES
    images = generator.integers(0, 90, (n, 8, 8, 1), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[1 + 2 * label : 3 + 2 * label] += 120
    return Samples(images, labels, generator.permutation(n).astype(np.uint64))


@pytest.fixture(scope="session")
def make_samples() -> Callable[..., Samples]:
    """Build `n` samples from a seed."""
    return build_samples


@pytest.fixture(scope="session")
def samples() -> Samples:
    """48 samples of 3 classes that a tiny network can tell apart."""
    return build_samples()


@pytest.fixture(scope="session")
def task() -> Classify:
    return Classify(CLASSES)


def shake(model: nn.Module, seed: int) -> nn.Module:
    """Give every batch normalization statistics and weights that matter."""
    generator = torch.Generator().manual_seed(seed)
    for layer in model.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.running_mean.normal_(0, 0.3, generator=generator)
            layer.running_var.uniform_(0.5, 2, generator=generator)
            nn.init.uniform_(layer.weight, 0.5, 1.5, generator=generator)
            nn.init.uniform_(layer.bias, -0.3, 0.3, generator=generator)
    return model


@pytest.fixture(scope="session")
def shaken() -> Callable[[nn.Module, int], nn.Module]:
    """Give every batch normalization of a model statistics and weights that matter."""
    return shake


@pytest.fixture(scope="session")
def architecture() -> Architecture:
    """A residual network of two blocks and about 4,000 weights."""
    return Architecture(
        "resnet", {**NETWORK, "stem_width": 8, "widths": [8, 16], "blocks": [1, 1], "strides": [1, 2]}
    )


@pytest.fixture(scope="session")
def make_model(architecture: Architecture) -> Callable[..., nn.Module]:
    """Build the tiny network from a seed, in evaluation mode."""

    def make(seed: int = 0) -> nn.Module:
        torch.manual_seed(seed)
        return shake(architecture.build(), seed).eval()

    return make


@pytest.fixture
def model(make_model: Callable[..., nn.Module]) -> nn.Module:
    """A fresh tiny network."""
    return make_model()


@pytest.fixture(scope="session")
def trained(samples: Samples, task: Classify) -> tuple[Architecture, nn.Module]:
    """A small network that tells the samples apart, wide enough that its weights outweigh its graph."""
    sizes = {"stem_width": 32, "widths": [32, 64], "blocks": [1, 1], "strides": [1, 2]}
    architecture = Architecture("resnet", {**NETWORK, **sizes})
    torch.manual_seed(0)
    network = shake(architecture.build(), 0)
    optimizer = OptimizerConfig(learning_rate=0.05)
    config = TrainConfig(epochs=8, batch_size=16, ghost_batch=16, optimizer=optimizer, precision="fp32")
    fit(network, task, Batches(samples, 16, 0), config)
    return architecture, network


@pytest.fixture(scope="session")
def quantized(trained: tuple[Architecture, nn.Module], samples: Samples) -> tuple[Architecture, nn.Module]:
    """The trained network in 8-bit integers."""
    architecture, network = trained
    integer, edit = quantize(network, torch.from_numpy(samples.inputs))
    return architecture.edited(edit), integer


@pytest.fixture(scope="session")
def fp32_file(
    trained: tuple[Architecture, nn.Module], samples: Samples, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The trained network as ONNX (an export takes seconds, so the file is shared)."""
    path = tmp_path_factory.mktemp("fp32") / "model.onnx"
    export_onnx(trained[1], torch.from_numpy(samples.inputs[:2]), path)
    return path


@pytest.fixture(scope="session")
def int8_file(
    quantized: tuple[Architecture, nn.Module], samples: Samples, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The quantized network as ONNX."""
    path = tmp_path_factory.mktemp("int8") / "model.onnx"
    export_onnx(quantized[1], torch.from_numpy(samples.inputs[:2]), path)
    return path


VOCABULARY, MAX_TOKENS = 60, 24


@pytest.fixture(scope="session")
def text_architecture() -> Architecture:
    """An encoder of two blocks with four heads, which reads 16 of 24 tokens in order."""
    sizes = {"width": 16, "layers": 2, "heads": 4, "feedforward": 24, "dropout": 0.1, "context": 16, "pairs": 64}
    return Architecture(
        "encoder",
        {"classes": CLASSES, "vocabulary": VOCABULARY, "pad": 0, "max_tokens": MAX_TOKENS, **sizes},
    )


@pytest.fixture(scope="session")
def make_encoder(text_architecture: Architecture) -> Callable[..., nn.Module]:
    """Build the tiny encoder from a seed, in evaluation mode, every weight of which matters."""

    def make(seed: int = 0) -> nn.Module:
        network = text_architecture.build().eval()
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for name, weight in network.named_parameters():
                scale = 0.05 if name.startswith("evidence") else 0.3
                weight.copy_(torch.randn(weight.shape, generator=generator) * scale + ("norm" in name))
        return network

    return make


@pytest.fixture(scope="session")
def tokens() -> Array:
    """Token ids int32 (40, 24) of uneven length, the last document without any."""
    generator = np.random.default_rng(0)
    ids = generator.integers(1, VOCABULARY, (40, MAX_TOKENS), dtype=np.int32)
    lengths = generator.integers(1, MAX_TOKENS + 1, 40)
    lengths[:3], lengths[-1] = (MAX_TOKENS, 1, 16), 0
    ids[np.arange(MAX_TOKENS) >= lengths[:, None]] = 0
    return ids


# --- tiny data of every kind, and a look at what became of it ------------------------------------------

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
