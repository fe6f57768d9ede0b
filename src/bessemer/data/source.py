"""Sources of labelled images: scikit-learn's digits, IDX files, and a folder per class.

A source lists its items cheaply; pixels are read later, one by one, by several threads. A source may bring
its own split (Fashion-MNIST's test files, folders named train and test), which is then kept.
"""

from __future__ import annotations

import gzip
import math
import zlib
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bessemer.artifact import digest_of
from bessemer.data.config import DataConfig
from bessemer.data.image import SUFFIXES, BadImageError, fit, is_gray, open_image, read_image
from bessemer.errors import DataError

Reader = Callable[[int], NDArray[np.uint8]]
SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}


@dataclass(frozen=True)
class Source:
    """A list of labelled images; `read(i)` gives the pixels of item i as uint8 (H, W, C)."""

    classes: list[str]
    names: list[str]
    labels: NDArray[np.int64]
    splits: list[str]  # "" where the source does not say
    shape: tuple[int, int, int]
    read: Reader


def open_source(config: DataConfig) -> Source:
    """The source that the settings name; raises DataError where it cannot be used."""
    return OPENERS[config.source](config)


def fingerprint(config: DataConfig) -> str:
    """A cheap digest of what the source holds: names, sizes and times of its files, not their bytes."""
    if config.path is None:
        return "built in"
    root = _existing_folder(config.path)
    if config.source == "idx":
        files: Iterable[Path] = idx_files(root)
    else:
        files = [path for path in root.rglob("*") if path.is_file()]
    stats = [(str(path.relative_to(root)), path.stat()) for path in sorted(files)]
    return digest_of([[name, stat.st_size, stat.st_mtime_ns] for name, stat in stats])


def _existing_folder(path: str) -> Path:
    root = Path(path)
    if not root.is_dir():
        state = "is a file, not a folder" if root.exists() else "no such folder"
        raise DataError(f"{root}: {state}", "correct data.path; a relative path starts at the recipe's folder")
    return root


# --- digits ---------------------------------------------------------------------------------------------


def open_digits(config: DataConfig) -> Source:
    """The 1,797 handwritten digits of scikit-learn, 8x8, their 17 gray levels spread over 8 bits."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    pixels = np.rint(digits.images * (255 / 16)).astype(np.uint8)[..., None]
    names = [f"digits[{i}]" for i in range(len(pixels))]
    classes = [str(name) for name in digits.target_names]
    return from_arrays(config, classes, pixels, digits.target, names, [""] * len(names))


def from_arrays(
    config: DataConfig,
    classes: list[str],
    pixels: NDArray[np.uint8],
    labels: NDArray[np.int64],
    names: list[str],
    splits: list[str],
) -> Source:
    """A source over pixels (N, H, W, C) in memory, resized and recolored where the settings ask for it."""
    height, width = config.size or pixels.shape[1:3]
    gray = config.color == "gray" or (config.color == "auto" and pixels.shape[3] == 1)
    shape = (height, width, 1 if gray else 3)

    def read(item: int) -> NDArray[np.uint8]:
        image: NDArray[np.uint8] = pixels[item]
        if image.shape == shape:
            return image
        return fit(Image.fromarray(image[..., 0] if image.shape[2] == 1 else image), (height, width), gray)

    return Source(classes, names, labels.astype(np.int64), splits, shape, read)


# --- IDX ------------------------------------------------------------------------------------------------


def idx_files(root: Path) -> list[Path]:
    """The IDX image and label files of a folder, gzipped or not."""
    found = {path.name: path for path in root.iterdir() if "-ubyte" in path.name and "idx" in path.name}
    return [
        path for name, path in sorted(found.items()) if name.removesuffix(".gz") == name or name[:-3] not in found
    ]


def open_idx(config: DataConfig) -> Source:
    """Pairs of IDX files, as MNIST and Fashion-MNIST are shipped; `t10k-` or `test-` files are the test split."""
    root = _existing_folder(str(config.path))
    images = [path for path in idx_files(root) if "images" in path.name]
    if not images:
        remedy = "the folder needs files such as train-images-idx3-ubyte.gz and train-labels-idx1-ubyte.gz"
        raise DataError(f"{root}: no IDX image file", remedy)
    pixels, labels, names, splits = [], [], [], []
    for path in images:
        data, target = read_idx_pair(path)
        pixels.append(data)
        labels.append(target)
        names += [f"{path.name}[{i}]" for i in range(len(data))]
        stem = path.name.split("-")[0].lower()
        splits += ["test" if stem in ("t10k", "test") else "train" if len(images) > 1 else ""] * len(data)
    shapes = {data.shape[1:] for data in pixels}
    if len(shapes) > 1:
        raise DataError(f"{root}: image files of different shapes {sorted(shapes)}", "keep one set in a folder")
    every = np.concatenate(labels).astype(np.int64)
    if not len(every):
        raise DataError(f"{root}: no image in its IDX files", "download the files again")
    classes = [str(c) for c in range(int(every.max()) + 1)]
    return from_arrays(config, classes, np.concatenate(pixels), every, names, splits)


def read_idx_pair(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
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
    """One IDX file of bytes (LeCun's format: magic, dimensions as big-endian 32-bit numbers, data)."""
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (EOFError, OSError, zlib.error) as error:
        raise DataError(f"{path}: truncated or damaged gzip ({error})", "download the file again") from error
    if len(raw) < 4 or raw[0] or raw[1] or raw[2] != 8:
        raise DataError(f"{path}: not an IDX file of bytes", "its first bytes must be 00 00 08")
    dims, start = raw[3], 4 + 4 * raw[3]
    shape = tuple(int.from_bytes(raw[4 + 4 * i : 8 + 4 * i], "big") for i in range(dims))
    expected = math.prod(shape)
    if len(raw) - start != expected:
        problem = f"{path}: truncated: its header promises {expected} bytes of data, it has {len(raw) - start}"
        raise DataError(problem, "download the file again")
    return np.frombuffer(raw, np.uint8, offset=start).reshape(shape)


# --- folder per class -----------------------------------------------------------------------------------


def open_folder(config: DataConfig) -> Source:
    """A folder per class, or such folders inside train, validation and test."""
    root = _existing_folder(str(config.path))
    listed = list_images(root)
    paths = [path for path, _, _ in listed]
    classes = sorted({label for _, label, _ in listed})
    place = {name: index for index, name in enumerate(classes)}
    labels = np.array([place[label] for _, label, _ in listed], np.int64)
    shape = _common_shape(config, paths)
    size, gray = shape[:2], shape[2] == 1
    names = [str(path.relative_to(root)) for path in paths]
    splits = [split for _, _, split in listed]
    return Source(classes, names, labels, splits, shape, lambda i: read_image(paths[i], size, gray))


def list_images(root: Path) -> list[tuple[Path, str, str]]:
    """(path, class, split) of every image file under a folder per class."""
    folders = _subfolders(root)
    split_of = {folder: SPLIT_NAMES.get(folder.name.lower()) for folder in folders}
    odd = [folder.name for folder, split in split_of.items() if split is None]
    if "train" in split_of.values() and len(odd) < len(folders) - 1 and odd:
        remedy = "keep only train, validation and test, or only class folders"
        raise DataError(f"{root}: folders of splits beside other folders ({', '.join(odd[:5])})", remedy)
    if folders and not odd:
        classes = [(inner, str(split_of[folder])) for folder in folders for inner in _subfolders(folder)]
    else:
        classes = [(folder, "") for folder in folders]
    if not classes:
        raise DataError(f"{root}: no folders in it", "make one folder per class and put its images inside")
    listed = []
    for folder, split in classes:
        files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
        if not files:
            remedy = f"add images ({', '.join(sorted(SUFFIXES))}) or remove the folder"
            raise DataError(f"{folder}: an empty class folder: no image in it", remedy)
        listed += [(path, folder.name, split) for path in files]
    return listed


def _subfolders(root: Path) -> list[Path]:
    return sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))


def _common_shape(config: DataConfig, paths: list[Path]) -> tuple[int, int, int]:
    """Height, width and channels: as set, or the commonest size and the least color that loses nothing."""
    sizes: Counter[tuple[int, int]] = Counter()
    gray = True
    for path in paths:
        try:
            with open_image(path) as image:
                sizes[image.height, image.width] += 1
                gray &= is_gray(image)
        except BadImageError:
            continue  # `prepare` reads it again and counts it with its reason
    if not sizes:
        problem = f"{config.path}: none of the {len(paths)} images can be read (first: {paths[0]})"
        raise DataError(problem, "check that the files are images and not damaged")
    if config.color != "auto":
        gray = config.color == "gray"
    height, width = config.size or sizes.most_common(1)[0][0]
    if height * width > 1024 * 1024:
        problem = f"{config.path}: images of {height}x{width} pixels are larger than a classifier needs"
        raise DataError(problem, "set data.size, for example [224, 224]")
    return height, width, 1 if gray else 3


OPENERS: dict[str, Callable[[DataConfig], Source]] = {
    "digits": open_digits,
    "idx": open_idx,
    "image_folder": open_folder,
}
