"""Digits and IDX files: pixels, labels and splits, and clear words for what is damaged."""

from __future__ import annotations

import gzip
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest

from bessemer.data.config import DataConfig
from bessemer.data.record import Raw, Source
from bessemer.errors import DataError
from bessemer.prepare.source import open_source
from bessemer.prepare.source.arrays import read_idx


def idx_config(path: Path) -> DataConfig:
    return DataConfig(source="idx", path=str(path))


def rows_of(source: Source) -> list[Raw]:
    return [row for task in source.tasks() for row in source.read(task)]


def refused(config: DataConfig) -> str:
    with pytest.raises(DataError) as error:
        open_source(config)
    assert error.value.remedy
    return error.value.problem


def idx_bytes(array: np.ndarray) -> bytes:
    head = bytes([0, 0, 8, array.ndim]) + b"".join(struct.pack(">I", size) for size in array.shape)
    return head + array.astype(np.uint8).tobytes()


def write_idx(path: Path, array: np.ndarray) -> None:
    raw = idx_bytes(array)
    path.write_bytes(gzip.compress(raw) if path.suffix == ".gz" else raw)


def pixels(count: int, shape: tuple[int, ...] = (5, 4), seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), np.uint8)


@pytest.fixture
def idx_folder(tmp_path):
    """Six training and four test images as MNIST ships them."""
    write_idx(tmp_path / "train-images-idx3-ubyte.gz", pixels(6))
    write_idx(tmp_path / "train-labels-idx1-ubyte.gz", np.arange(6) % 3)
    write_idx(tmp_path / "t10k-images-idx3-ubyte.gz", pixels(4, seed=1))
    write_idx(tmp_path / "t10k-labels-idx1-ubyte.gz", np.arange(4) % 3)
    return tmp_path


def test_digits_are_1797_gray_images_of_ten_classes():
    source = open_source(DataConfig(source="digits"))
    rows = rows_of(source)
    assert source.classes == [str(digit) for digit in range(10)]
    assert len(rows) == 1797
    assert {row.label for row in rows} == set(source.classes)
    assert {row.split for row in rows} == {""}
    assert rows[3].name == "digits[3]"
    assert (rows[0].value.shape, rows[0].value.dtype) == ((8, 8, 1), np.uint8)
    assert max(row.value.max() for row in rows[:100]) == 255


def check_idx(source: Source) -> None:
    """The folder of `idx_folder`, in whatever order its files are listed."""
    rows = rows_of(source)
    assert source.classes == ["0", "1", "2"]
    for split, wanted, count in (("train", pixels(6), 6), ("test", pixels(4, seed=1), 4)):
        chosen = [row for row in rows if row.split == split]
        assert np.array_equal(np.stack([row.value[..., 0] for row in chosen]), wanted)
        assert [row.label for row in chosen] == [str(i % 3) for i in range(count)]
        assert [row.place for row in chosen] == [f"image {i + 1}" for i in range(count)]
    assert {row.origin.split("-")[0] for row in rows} == {"train", "t10k"}


def test_gzipped_idx_files_are_read_with_their_split(idx_folder):
    check_idx(open_source(idx_config(idx_folder)))


def test_an_idx_source_pickles_without_its_pixels(idx_folder, travel):
    write_idx(idx_folder / "train-images-idx3-ubyte.gz", pixels(6, (64, 64)))
    write_idx(idx_folder / "t10k-images-idx3-ubyte.gz", pixels(4, (64, 64)))
    source = open_source(idx_config(idx_folder))
    raw = pickle.dumps(source)
    assert len(raw) < 2000
    copy = travel(source)
    assert [row.name for row in rows_of(copy)] == [row.name for row in rows_of(source)]


def test_plain_idx_files_are_read_with_their_split(idx_folder):
    for path in list(idx_folder.iterdir()):
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
    check_idx(open_source(idx_config(idx_folder)))


def test_a_single_pair_of_idx_files_has_no_split(tmp_path):
    write_idx(tmp_path / "train-images-idx3-ubyte", pixels(6))
    write_idx(tmp_path / "train-labels-idx1-ubyte.gz", np.arange(6) % 2)
    assert {row.split for row in rows_of(open_source(idx_config(tmp_path)))} == {""}


def test_color_idx_files_have_four_dimensions(tmp_path):
    write_idx(tmp_path / "train-images-idx4-ubyte", pixels(6, (5, 4, 3)))
    write_idx(tmp_path / "train-labels-idx1-ubyte", np.arange(6) % 2)
    rows = rows_of(open_source(idx_config(tmp_path)))
    assert np.array_equal(rows[2].value, pixels(6, (5, 4, 3))[2])


def test_large_files_are_cut_into_several_tasks(tmp_path):
    write_idx(tmp_path / "train-images-idx3-ubyte", pixels(9000, (2, 2)))
    write_idx(tmp_path / "train-labels-idx1-ubyte", np.arange(9000) % 2)
    source = open_source(idx_config(tmp_path))
    assert len(list(source.tasks())) == 3
    assert [row.place for row in rows_of(source)] == [f"image {i + 1}" for i in range(9000)]


def test_a_truncated_gzip_is_refused_by_name(idx_folder):
    path = idx_folder / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-20])
    assert f"{path}: truncated or damaged gzip" in refused(idx_config(idx_folder))


@pytest.mark.parametrize("content", [b"plain text", b"\x1f\x8b" + bytes(30)])
def test_what_is_not_gzip_is_refused_by_name(idx_folder, content):
    path = idx_folder / "train-images-idx3-ubyte.gz"
    path.write_bytes(content)
    assert f"{path}: truncated or damaged gzip" in refused(idx_config(idx_folder))


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        (idx_bytes(pixels(6))[:-1], "truncated: its header promises 120 bytes of data, it has 119"),
        (idx_bytes(pixels(6)) + b"x", "its header promises 120 bytes of data, it has 121"),
        (idx_bytes(pixels(6))[:9], "truncated"),
        (b"\0\0\x0d\3" + bytes(200), "not an IDX file of bytes"),
        (b"\x89PNG" + bytes(200), "not an IDX file of bytes"),
        (b"", "not an IDX file of bytes"),
        (bytes([0, 0, 8, 3]) + struct.pack(">III", 2**31, 2**31, 4), "truncated: its header promises"),
        (bytes([0, 0, 8, 255]) + bytes(2000), "not an IDX file of bytes"),
    ],
    ids=["short", "long", "half a header", "floats", "png", "empty", "sizes that overflow", "255 dimensions"],
)
def test_a_damaged_idx_file_is_refused_by_name(tmp_path, content, wanted):
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(content)
    with pytest.raises(DataError, match=wanted) as error:
        read_idx(path)
    assert str(path) in error.value.problem


def test_different_counts_of_images_and_labels_are_refused(idx_folder):
    write_idx(idx_folder / "train-labels-idx1-ubyte.gz", np.arange(5))
    assert "6 images, but train-labels-idx1-ubyte.gz has 5 labels" in refused(idx_config(idx_folder))


def test_a_missing_label_file_is_refused_by_name(idx_folder):
    (idx_folder / "train-labels-idx1-ubyte.gz").unlink()
    assert "its label file train-labels-idx1-ubyte.gz is missing" in refused(idx_config(idx_folder))


def test_images_of_two_dimensions_are_refused(tmp_path):
    write_idx(tmp_path / "train-images-idx3-ubyte", pixels(6, (5,)))
    write_idx(tmp_path / "train-labels-idx1-ubyte", np.arange(6))
    assert "expected images (N, H, W) or (N, H, W, 1 or 3), got (6, 5)" in refused(idx_config(tmp_path))


def test_images_of_different_shapes_are_refused(idx_folder):
    write_idx(idx_folder / "t10k-images-idx3-ubyte.gz", pixels(4, (6, 6)))
    assert "image files of different shapes" in refused(idx_config(idx_folder))


def test_a_folder_without_idx_files_is_refused(tmp_path):
    assert "no IDX image file" in refused(idx_config(tmp_path))


def test_idx_files_without_any_image_are_refused(tmp_path):
    write_idx(tmp_path / "train-images-idx3-ubyte", pixels(0))
    write_idx(tmp_path / "train-labels-idx1-ubyte", np.zeros(0))
    assert "no image in its IDX files" in refused(idx_config(tmp_path))


def test_a_missing_folder_is_refused(tmp_path):
    assert "none: no such folder" in refused(idx_config(tmp_path / "none"))


def test_a_file_instead_of_a_folder_is_refused(tmp_path):
    (tmp_path / "set").write_text("x")
    assert "is a file, not a folder" in refused(idx_config(tmp_path / "set"))
