"""Images that come as arrays: scikit-learn's digits, and IDX files as MNIST and Fashion-MNIST are shipped."""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from bessemer.data.config import SourceConfig
from bessemer.data.record import Raw, Source
from bessemer.errors import DataError
from bessemer.prepare.source.archive import RATIO, SMALL
from bessemer.prepare.source.common import existing_folder

TASK_BYTES = 4 * 2**20
MAX_DIMS = 4
IndexTask = tuple[int, int, int]  # file, first image, one past the last
Pair = tuple[NDArray[np.uint8], NDArray[np.uint8]]


# --- digits ---------------------------------------------------------------------------------------------


@dataclass
class DigitsSource:
    """The 1,797 handwritten digits of scikit-learn, 8x8, their 17 gray levels spread over 8 bits."""

    classes: list[str] | None
    ignored: dict[str, int] = field(default_factory=dict)

    def tasks(self) -> Iterator[IndexTask]:
        """Ranges of 256 images."""
        return _ranges(0, len(_digits()[0]), 256)

    def read(self, task: IndexTask) -> Iterator[Raw]:
        """The images of one range."""
        pixels, labels = _digits()
        for i in range(task[1], task[2]):
            yield Raw(f"digits[{i}]", "", str(labels[i]), "", pixels[i])


def open_digits(config: SourceConfig) -> Source:
    """scikit-learn's digits; the settings have nothing to choose."""
    return DigitsSource([str(digit) for digit in range(10)])


@lru_cache(1)
def _digits() -> Pair:
    from sklearn.datasets import load_digits

    digits = load_digits()
    pixels = np.rint(digits.images * (255 / 16)).astype(np.uint8)[..., None]
    return pixels, digits.target.astype(np.uint8)


# --- IDX ------------------------------------------------------------------------------------------------


@dataclass
class IdxSource:
    """Pairs of IDX files; labels are their numbers."""

    root: str
    files: list[tuple[str, str, int]]  # name, split, images
    task_images: int
    classes: list[str] | None
    ignored: dict[str, int] = field(default_factory=dict)

    def tasks(self) -> Iterator[IndexTask]:
        """Ranges of images, a file after the other."""
        for file, (_, _, count) in enumerate(self.files):
            yield from _ranges(file, count, self.task_images)

    def read(self, task: IndexTask) -> Iterator[Raw]:
        """The images of one range; a process unpacks a file once."""
        name, split, _ = self.files[task[0]]
        pixels, labels = _cached_pair(Path(self.root) / name)
        for i in range(task[1], task[2]):
            yield Raw(name, f"image {i + 1}", str(labels[i]), split, pixels[i])


def open_idx(config: SourceConfig) -> Source:
    """A folder of IDX files; `t10k-` or `test-` files are the test split. DataError where one is damaged."""
    root = existing_folder(config.path)
    images = [path for path in idx_files(root) if "images" in path.name]
    if not images:
        remedy = "the folder needs files such as train-images-idx3-ubyte.gz and train-labels-idx1-ubyte.gz"
        raise DataError(f"{root}: no IDX image file", remedy)
    files, shapes, highest = [], set(), -1
    for path in images:
        pixels, labels = _cached_pair(path)
        stem = path.name.split("-")[0].lower()
        split = "test" if stem in ("t10k", "test") else "train" if len(images) > 1 else ""
        files.append((path.name, split, len(pixels)))
        shapes.add(pixels.shape[1:])
        highest = max(highest, int(labels.max(initial=0)) if len(labels) else -1)
    if len(shapes) > 1:
        raise DataError(f"{root}: image files of different shapes {sorted(shapes)}", "keep one set in a folder")
    if highest < 0:
        raise DataError(f"{root}: no image in its IDX files", "download the files again")
    size = max(1, TASK_BYTES // max(1, math.prod(shapes.pop())))
    return IdxSource(str(root), files, min(size, 4096), [str(c) for c in range(highest + 1)])


def idx_files(root: Path) -> list[Path]:
    """The IDX image and label files of a folder, gzipped or not."""
    found = {path.name: path for path in root.iterdir() if "-ubyte" in path.name and "idx" in path.name}
    return [
        path for name, path in sorted(found.items()) if name.removesuffix(".gz") == name or name[:-3] not in found
    ]


def _cached_pair(path: Path) -> Pair:
    stat = path.stat()
    return _pair(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(4)
def _pair(path: Path, size: int, modified: int) -> Pair:
    return read_idx_pair(path)


def read_idx_pair(path: Path) -> Pair:
    """Images (N, H, W, C) of one file and the labels of its partner."""
    partner_name = path.name.replace("images", "labels").replace("idx3", "idx1").replace("idx4", "idx1")
    partners = [path.with_name(partner_name), path.with_name(partner_name.removesuffix(".gz"))]
    partner = next((p for p in [*partners, path.with_name(partner_name + ".gz")] if p.exists()), None)
    if partner is None:
        raise DataError(f"{path}: its label file {partner_name} is missing", "put it beside the images")
    data, target = read_idx(path), read_idx(partner)
    if data.ndim not in (3, 4) or target.ndim != 1 or (data.ndim == 4 and data.shape[3] not in (1, 3)):
        problem = f"{path}: expected images (N, H, W) or (N, H, W, 1 or 3), got {data.shape}"
        raise DataError(problem, "check the files")
    if len(data) != len(target):
        problem = f"{path}: {len(data)} images, but {partner.name} has {len(target)} labels"
        raise DataError(problem, "the two files must belong together; download them again")
    return (data[..., None] if data.ndim == 3 else data), target


def read_idx(path: Path) -> NDArray[np.uint8]:
    """One IDX file of bytes (LeCun's format: magic, dimensions as big-endian 32-bit numbers, data).

    Never unpacks more than the header promises, and refuses a promise of RATIO times the packed size.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            return _read_idx(path, file)
    except (EOFError, OSError, zlib.error) as error:
        raise DataError(f"{path}: truncated or damaged gzip ({error})", "download the file again") from error


def _read_idx(path: Path, file: BinaryIO | gzip.GzipFile) -> NDArray[np.uint8]:
    magic = file.read(4)
    if len(magic) < 4 or magic[:3] != b"\0\0\x08" or magic[3] > MAX_DIMS:
        raise DataError(f"{path}: not an IDX file of bytes", "its first bytes must be 00 00 08")
    sizes = file.read(4 * magic[3])
    shape = tuple(int.from_bytes(sizes[i : i + 4], "big") for i in range(0, len(sizes), 4))
    expected, packed = math.prod(shape), path.stat().st_size
    if path.suffix == ".gz" and expected > max(SMALL, RATIO * packed):
        problem = f"{path}: compression bomb: {packed:,} bytes promise to unpack to {expected:,}"
        raise DataError(problem, "download the file again, from a place that you trust")
    data = file.read(min(expected, RATIO * packed + SMALL) + 1)
    if len(data) != expected or len(shape) < magic[3]:
        more = " or more" if len(data) > expected else ""
        problem = f"{path}: truncated: its header promises {expected} bytes of data, it has {len(data)}{more}"
        raise DataError(problem, "download the file again")
    return np.frombuffer(data, np.uint8).reshape(shape)


def _ranges(file: int, count: int, step: int) -> Iterator[IndexTask]:
    for start in range(0, count, step):
        yield file, start, min(start + step, count)
