"""Sources list labelled images, and say what is wrong with a folder before any work is done."""

from __future__ import annotations

import gzip
import os
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bessemer.data.config import DataConfig
from bessemer.data.source import Source, fingerprint, open_source, read_idx
from bessemer.errors import DataError


def folder_config(path: Path, **other) -> DataConfig:
    return DataConfig(source="image_folder", path=str(path), **other)


def idx_config(path: Path) -> DataConfig:
    return DataConfig(source="idx", path=str(path))


def refused(config: DataConfig) -> str:
    with pytest.raises(DataError) as error:
        open_source(config)
    assert error.value.remedy
    return error.value.problem


def add_images(folder: Path, count: int, shape: tuple[int, ...] = (6, 6), seed: int = 0) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    for index in range(count):
        Image.fromarray(rng.integers(0, 256, shape, np.uint8)).save(folder / f"{index}.png")


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


# --- digits ---------------------------------------------------------------------------------------------


def test_digits_are_1797_gray_images_of_ten_classes():
    source = open_source(DataConfig(source="digits"))
    assert source.classes == [str(digit) for digit in range(10)]
    assert source.shape == (8, 8, 1)
    assert len(source.names) == len(source.labels) == len(source.splits) == 1797
    assert set(source.splits) == {""}
    first = source.read(0)
    assert (first.shape, first.dtype) == ((8, 8, 1), np.uint8)
    assert max(source.read(i).max() for i in range(100)) == 255


def test_arrays_are_brought_to_the_size_and_color_of_the_settings():
    source = open_source(DataConfig(source="digits", size=[16, 12], color="rgb"))
    assert source.shape == source.read(0).shape == (16, 12, 3)
    plain = open_source(DataConfig(source="digits", color="rgb"))
    assert np.array_equal(plain.read(5), np.repeat(open_source(DataConfig(source="digits")).read(5), 3, -1))


# --- folder per class -----------------------------------------------------------------------------------


def test_a_folder_per_class_is_listed_in_order_of_names(tmp_path):
    add_images(tmp_path / "cat", 2)
    add_images(tmp_path / "ant", 3, seed=1)
    source = open_source(folder_config(tmp_path))
    assert source.classes == ["ant", "cat"]
    assert source.labels.tolist() == [0, 0, 0, 1, 1]
    assert source.names[3:] == [os.path.join("cat", "0.png"), os.path.join("cat", "1.png")]
    assert source.splits == [""] * 5
    assert source.shape == (6, 6, 1)
    assert np.array_equal(source.read(3)[..., 0], np.asarray(Image.open(tmp_path / "cat" / "0.png")))


def test_images_in_folders_below_a_class_and_in_capitals_belong_to_it(tmp_path):
    add_images(tmp_path / "a" / "deep", 1)
    add_images(tmp_path / "b", 1)
    (tmp_path / "b" / "0.png").rename(tmp_path / "b" / "0.PNG")
    assert open_source(folder_config(tmp_path)).labels.tolist() == [0, 1]


def test_other_files_and_hidden_folders_are_passed_over(tmp_path):
    for name in ("a", "b", ".cache"):
        add_images(tmp_path / name, 1)
    (tmp_path / "a" / "notes.txt").write_text("x")
    (tmp_path / "README.md").write_text("x")
    source = open_source(folder_config(tmp_path))
    assert source.classes == ["a", "b"]
    assert len(source.names) == 2


@pytest.mark.parametrize("names", [("train", "val", "test"), ("Training", "validation", "TESTING")])
def test_folders_named_train_and_test_are_kept_as_the_split(tmp_path, names):
    for split in names:
        for label in ("a", "b"):
            add_images(tmp_path / split / label, 1)
    source = open_source(folder_config(tmp_path))
    assert source.classes == ["a", "b"]
    assert sorted(source.splits) == ["test", "test", "train", "train", "validation", "validation"]
    for name, split in zip(source.names, source.splits, strict=True):
        assert name.lower().startswith(split[:3])


def test_a_class_that_is_called_test_is_a_class(tmp_path):
    for name in ("test", "exam"):
        add_images(tmp_path / name, 1)
    source = open_source(folder_config(tmp_path))
    assert source.classes == ["exam", "test"]
    assert set(source.splits) == {""}


def test_the_commonest_size_is_taken_and_others_are_brought_to_it(tmp_path):
    add_images(tmp_path / "a", 3, (6, 9))
    add_images(tmp_path / "b", 1, (12, 12))
    source = open_source(folder_config(tmp_path))
    assert source.shape == (6, 9, 1)
    assert source.read(3).shape == (6, 9, 1)
    assert open_source(folder_config(tmp_path, size=[4, 5])).shape == (4, 5, 1)


def test_one_color_image_makes_the_set_a_color_set(tmp_path):
    add_images(tmp_path / "a", 2)
    add_images(tmp_path / "b", 1, (6, 6, 3))
    assert open_source(folder_config(tmp_path)).shape == (6, 6, 3)
    assert open_source(folder_config(tmp_path, color="gray")).shape == (6, 6, 1)


def test_a_broken_image_does_not_choose_the_size(tmp_path):
    add_images(tmp_path / "a", 1)
    (tmp_path / "b").mkdir()
    for index in range(3):
        (tmp_path / "b" / f"{index}.png").write_bytes(b"")
    source = open_source(folder_config(tmp_path))
    assert source.shape == (6, 6, 1)
    assert len(source.names) == 4


def test_an_empty_class_folder_is_refused_by_name(tmp_path):
    add_images(tmp_path / "a", 1)
    (tmp_path / "b").mkdir()
    assert f"{tmp_path / 'b'}: an empty class folder" in refused(folder_config(tmp_path))


def test_a_folder_without_class_folders_is_refused(tmp_path):
    add_images(tmp_path, 2)
    assert "no folders in it" in refused(folder_config(tmp_path))


@pytest.mark.parametrize("config", [folder_config, idx_config])
def test_a_missing_folder_is_refused(tmp_path, config):
    assert "none: no such folder" in refused(config(tmp_path / "none"))
    with pytest.raises(DataError, match="no such folder"):
        fingerprint(config(tmp_path / "none"))


@pytest.mark.parametrize("config", [folder_config, idx_config])
def test_a_file_instead_of_a_folder_is_refused(tmp_path, config):
    (tmp_path / "set").write_text("x")
    assert "is a file, not a folder" in refused(config(tmp_path / "set"))


def test_a_folder_of_broken_images_only_is_refused(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "0.png").write_text("not an image")
    assert "none of the 2 images can be read" in refused(folder_config(tmp_path))


def test_photographs_need_a_size_in_the_recipe(tmp_path):
    for name in ("a", "b"):
        add_images(tmp_path / name, 1, (1100, 1000))
    with pytest.raises(DataError, match=r"1100x1000 pixels") as error:
        open_source(folder_config(tmp_path))
    assert "data.size" in error.value.remedy
    assert open_source(folder_config(tmp_path, size=[32, 32])).read(0).shape == (32, 32, 1)


# --- IDX ------------------------------------------------------------------------------------------------


def check_idx(source: Source) -> None:
    """The folder of `idx_folder`, in whatever order its files are listed."""
    assert source.classes == ["0", "1", "2"]
    assert source.shape == (5, 4, 1)
    for split, wanted, count in (("train", pixels(6), 6), ("test", pixels(4, seed=1), 4)):
        items = [i for i, name in enumerate(source.splits) if name == split]
        assert len(items) == count
        assert np.array_equal(np.stack([source.read(i)[..., 0] for i in items]), wanted)
        assert source.labels[items].tolist() == [i % 3 for i in range(count)]


def test_gzipped_idx_files_are_read_with_their_split(idx_folder):
    check_idx(open_source(idx_config(idx_folder)))


def test_plain_idx_files_are_read_with_their_split(idx_folder):
    for path in list(idx_folder.iterdir()):
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
    check_idx(open_source(idx_config(idx_folder)))


def test_a_single_pair_of_idx_files_has_no_split(tmp_path):
    write_idx(tmp_path / "train-images-idx3-ubyte", pixels(6))
    write_idx(tmp_path / "train-labels-idx1-ubyte.gz", np.arange(6) % 2)
    assert set(open_source(idx_config(tmp_path)).splits) == {""}


def test_color_idx_files_have_four_dimensions(tmp_path):
    write_idx(tmp_path / "train-images-idx4-ubyte", pixels(6, (5, 4, 3)))
    write_idx(tmp_path / "train-labels-idx1-ubyte", np.arange(6) % 2)
    source = open_source(idx_config(tmp_path))
    assert source.shape == (5, 4, 3)
    assert np.array_equal(source.read(2), pixels(6, (5, 4, 3))[2])


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
    ],
    ids=["short", "long", "half a header", "floats", "png", "empty", "sizes that overflow"],
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


def test_split_folders_beside_other_folders_are_refused(tmp_path):
    for name in ("train/a", "train/b", "val/a", "extra/a"):
        (tmp_path / name).mkdir(parents=True)
    config = DataConfig(source="image_folder", path=str(tmp_path))
    assert "folders of splits beside other folders (extra)" in refused(config)


def test_images_of_different_shapes_are_refused(idx_folder):
    write_idx(idx_folder / "t10k-images-idx3-ubyte.gz", pixels(4, (6, 6)))
    assert "image files of different shapes" in refused(idx_config(idx_folder))


def test_a_folder_without_idx_files_is_refused(tmp_path):
    assert "no IDX image file" in refused(idx_config(tmp_path))


def test_idx_files_without_any_image_are_refused(tmp_path):
    write_idx(tmp_path / "train-images-idx3-ubyte", pixels(0))
    write_idx(tmp_path / "train-labels-idx1-ubyte", np.zeros(0))
    assert refused(idx_config(tmp_path))


# --- fingerprint ----------------------------------------------------------------------------------------


def test_the_fingerprint_stays_while_nothing_changes(idx_folder):
    assert fingerprint(idx_config(idx_folder)) == fingerprint(idx_config(idx_folder))
    assert fingerprint(DataConfig(source="digits")) == fingerprint(DataConfig(source="digits"))


@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / "b" / "0.png").write_bytes(b"other"),
        lambda root: os.utime(root / "b" / "0.png", (1, 1)),
        lambda root: (root / "b" / "0.png").unlink(),
        lambda root: (root / "b" / "0.png").rename(root / "a" / "moved.png"),
        lambda root: add_images(root / "b", 2),
    ],
)
def test_the_fingerprint_changes_with_a_file(tmp_path, change):
    for name in ("a", "b"):
        add_images(tmp_path / name, 1)
    before = fingerprint(folder_config(tmp_path))
    change(tmp_path)
    assert fingerprint(folder_config(tmp_path)) != before


def test_the_fingerprint_of_idx_looks_at_idx_files_only(idx_folder):
    before = fingerprint(idx_config(idx_folder))
    (idx_folder / "notes.txt").write_text("x")
    assert fingerprint(idx_config(idx_folder)) == before
    write_idx(idx_folder / "train-labels-idx1-ubyte.gz", np.arange(9))
    assert fingerprint(idx_config(idx_folder)) != before
