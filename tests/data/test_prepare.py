"""Every row is accounted for; copies and leaks go; the result is a function of the data and the seed."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bessemer.data.config import DataConfig
from bessemer.data.dataset import Dataset
from bessemer.data.prepare import limit, prepare
from bessemer.data.source import from_arrays
from bessemer.errors import DataError

SPLITS = ("train", "validation", "test")


def add_images(folder: Path, count: int, seed: int, channels: int = 1) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    shape = (6, 5) if channels == 1 else (6, 5, channels)
    paths = [folder / f"{seed}-{index:03}.png" for index in range(count)]
    for path in paths:
        Image.fromarray(rng.integers(0, 256, shape, np.uint8)).save(path)
    return paths


def config(path: Path, **other) -> DataConfig:
    return DataConfig(source="image_folder", path=str(path), **other)


@pytest.fixture
def out(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


@pytest.fixture
def plain(tmp_path):
    """40 images of class a and 20 of class b, all different."""
    add_images(tmp_path / "set" / "a", 40, seed=1)
    add_images(tmp_path / "set" / "b", 20, seed=2)
    return tmp_path / "set"


@pytest.fixture
def given(tmp_path):
    """20 training and 6 test images of each of two classes, all different."""
    for index, label in enumerate("ab"):
        add_images(tmp_path / "set" / "train" / label, 20, seed=index)
        add_images(tmp_path / "set" / "test" / label, 6, seed=10 + index)
    return tmp_path / "set"


def is_balanced(about: dict) -> bool:
    lost = sum(about["quarantined"].values()) + about["duplicates"] + about["leaks"]
    return bool(about["kept"] + lost == about["rows"] and sum(about["splits"].values()) == about["kept"])


def check_files(folder: Path, about: dict) -> None:
    """The arrays agree with `dataset.json`, and there is nothing else."""
    assert sorted(path.name for path in folder.iterdir()) == [
        "dataset.json",
        "ids.npy",
        "images.bin",
        "labels.npy",
        "split.npy",
    ]
    assert json.loads((folder / "dataset.json").read_text()) == about
    assert (folder / "images.bin").stat().st_size == about["kept"] * int(np.prod(about["image"]))
    dataset = Dataset(folder)
    for image, number in zip(dataset.samples.inputs, dataset.samples.ids.tolist(), strict=True):
        assert int.from_bytes(hashlib.sha256(image.tobytes()).digest()[:8], "little") == number
    for name in SPLITS:
        samples = dataset.split(name)
        assert len(samples) == about["splits"][name]
        assert np.bincount(samples.labels, minlength=len(about["classes"])).tolist() == about["class_counts"][name]


# --- what is kept ---------------------------------------------------------------------------------------


def test_clean_data_is_kept_whole_and_split_by_class(plain, out):
    about = prepare(config(plain), 0, out)
    assert is_balanced(about)
    assert (about["rows"], about["kept"], about["quarantined"]) == (60, 60, {})
    assert (about["duplicates"], about["leaks"]) == (0, 0)
    assert about["class_counts"] == {"train": [29, 14], "validation": [3, 2], "test": [8, 4]}
    check_files(out, about)


def test_every_image_is_stored_beside_its_own_label_and_id(plain, out):
    prepare(config(plain), 0, out)
    stored = Dataset(out).samples
    wanted = {
        np.asarray(Image.open(path)).tobytes(): label
        for label, name in enumerate("ab")
        for path in (plain / name).iterdir()
    }
    found = {image.tobytes(): label for image, label in zip(stored.inputs, stored.labels.tolist(), strict=True)}
    assert found == wanted
    assert len(set(stored.ids.tolist())) == len(wanted)


def test_planted_duplicates_are_dropped_and_counted(plain, out):
    for index, path in enumerate(sorted((plain / "a").iterdir())[:5]):
        shutil.copy(path, plain / "a" / f"copy-{index}.png")
    shutil.copy(plain / "b" / "2-000.png", plain / "b" / "once-more.png")
    shutil.copy(plain / "b" / "2-000.png", plain / "b" / "twice-more.png")
    about = prepare(config(plain), 0, out)
    assert is_balanced(about)
    assert (about["rows"], about["kept"], about["duplicates"], about["leaks"]) == (67, 60, 7, 0)
    assert len(np.unique(Dataset(out).samples.ids)) == 60
    check_files(out, about)


def test_a_copy_in_another_format_is_a_duplicate(plain, out):
    Image.open(plain / "a" / "1-000.png").save(plain / "a" / "copy.bmp")
    assert prepare(config(plain), 0, out)["duplicates"] == 1


def test_planted_leaks_go_from_training_and_the_given_test_split_stays(given, out):
    for index, path in enumerate(sorted((given / "test" / "a").iterdir())[:4]):
        shutil.copy(path, given / "train" / "a" / f"leak-{index}.png")
    shutil.copy(given / "test" / "b" / "11-000.png", given / "test" / "b" / "again.png")
    about = prepare(config(given), 0, out)
    assert is_balanced(about)
    assert (about["leaks"], about["duplicates"]) == (4, 0)
    assert about["class_counts"]["test"] == [6, 7]
    assert about["splits"] == {"train": 36, "validation": 4, "test": 13}
    test, other = Dataset(out).split("test"), ("train", "validation")
    for name in other:
        assert not np.isin(Dataset(out).split(name).ids, test.ids).any()
    check_files(out, about)


def test_the_given_test_split_is_what_was_given(given, out):
    prepare(config(given), 0, out)
    stored = {image.tobytes() for image in Dataset(out).split("test").inputs}
    assert stored == {np.asarray(Image.open(p)).tobytes() for p in (given / "test").rglob("*.png")}


def test_a_given_validation_split_is_kept_too(given, out):
    add_images(given / "val" / "a", 3, seed=20)
    add_images(given / "val" / "b", 3, seed=21)
    about = prepare(config(given), 0, out)
    assert about["splits"] == {"train": 40, "validation": 6, "test": 12}


# --- what is broken -------------------------------------------------------------------------------------


def test_broken_images_are_quarantined_with_their_reasons(plain, out):
    (plain / "a" / "empty.png").write_bytes(b"")
    (plain / "a" / "text.png").write_text("not an image")
    whole = (plain / "b" / "2-000.png").read_bytes()
    (plain / "b" / "half.png").write_bytes(whole[: len(whole) // 2])
    about = prepare(config(plain), 0, out)
    assert is_balanced(about)
    assert about["quarantined"] == {"empty file": 1, "not an image": 1, "truncated or corrupt": 1}
    named = {Path(sample["path"]).name: sample["reason"] for sample in about["quarantined_samples"]}
    assert named == {
        "empty.png": "empty file",
        "text.png": "not an image",
        "half.png": "truncated or corrupt",
    }
    assert about["kept"] == 60
    check_files(out, about)


def test_broken_images_duplicates_and_leaks_together_are_accounted_for(given, out):
    (given / "train" / "a" / "broken.png").write_bytes(b"")
    (given / "test" / "a" / "broken.png").write_bytes(b"")
    shutil.copy(given / "train" / "b" / "1-000.png", given / "train" / "b" / "copy.png")
    shutil.copy(given / "test" / "b" / "11-000.png", given / "train" / "b" / "leak.png")
    about = prepare(config(given), 0, out)
    assert is_balanced(about)
    assert (about["rows"], about["kept"], about["duplicates"], about["leaks"]) == (56, 52, 1, 1)
    assert about["quarantined"] == {"empty file": 2}
    check_files(out, about)


def test_too_many_broken_images_are_refused_and_the_setting_is_named(plain, out):
    for index in range(7):
        (plain / "a" / f"{index}.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"7 of 67 images \(10%\) are broken \(first: .*: empty file\)") as error:
        prepare(config(plain), 0, out)
    assert "data.max_quarantined" in error.value.remedy
    assert prepare(config(plain, max_quarantined=0.2), 0, out)["kept"] == 60


def test_all_broken_is_refused(tmp_path, out):
    """Their headers are whole, so that only decoding finds out."""
    for name in "ab":
        for path in add_images(tmp_path / "set" / name, 3, seed=1):
            path.write_bytes(path.read_bytes()[:45])
    with pytest.raises(DataError, match="all 6 images are broken"):
        prepare(config(tmp_path / "set", max_quarantined=1.0), 0, out)


def test_one_class_is_refused(tmp_path, out):
    add_images(tmp_path / "set" / "only", 20, seed=1)
    with pytest.raises(DataError, match=r"only one class in the data \(only\)"):
        prepare(config(tmp_path / "set"), 0, out)


def test_a_class_that_is_tested_but_not_trained_is_refused(given, out):
    add_images(given / "test" / "c", 2, seed=30)
    with pytest.raises(DataError, match="class 'c' has 2 usable image"):
        prepare(config(given), 0, out)


def test_a_class_of_a_single_image_is_refused(plain, out):
    add_images(plain / "c", 1, seed=30)
    with pytest.raises(DataError, match="class 'c' has 1 usable image"):
        prepare(config(plain), 0, out)


# --- numbers --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 3])
def test_mean_and_deviation_are_those_of_the_training_split(tmp_path, out, channels):
    add_images(tmp_path / "set" / "a", 30, seed=1, channels=channels)
    add_images(tmp_path / "set" / "b", 30, seed=2, channels=channels)
    about = prepare(config(tmp_path / "set"), 0, out)
    train = Dataset(out).split("train").inputs / 255
    assert np.allclose(about["mean"], train.mean((0, 1, 2)), rtol=0, atol=1e-6)
    assert np.allclose(about["std"], train.std((0, 1, 2)), rtol=0, atol=1e-6)
    every = Dataset(out).samples.inputs / 255
    assert not np.allclose(about["mean"], every.mean((0, 1, 2)), rtol=0, atol=1e-6)


def test_a_constant_channel_does_not_give_a_deviation_of_zero(tmp_path, out):
    for index, name in enumerate("ab"):
        (tmp_path / "set" / name).mkdir(parents=True)
        for turn in range(6):
            pixels = np.full((4, 4, 3), (0, index * 100 + turn, 7), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "set" / name / f"{turn}.png")
    about = prepare(config(tmp_path / "set"), 0, out)
    assert (about["mean"][0], about["std"][0]) == (0, pytest.approx(1 / 255, abs=1e-6))
    assert min(about["std"]) > 0


def test_a_limit_keeps_classes_and_splits_in_proportion(given, out):
    add_images(given / "train" / "a", 20, seed=40)
    about = prepare(config(given, limit=36), 0, out)
    assert about["rows"] == 36
    assert is_balanced(about)
    assert about["class_counts"]["test"] == pytest.approx([3, 3], abs=1)
    trained = np.add(about["class_counts"]["train"], about["class_counts"]["validation"])
    assert trained.tolist() == pytest.approx([20, 10], abs=1)


def test_a_limit_above_the_number_of_images_changes_nothing(plain, tmp_path, out):
    prepare(config(plain), 0, out)
    (tmp_path / "limited").mkdir()
    prepare(config(plain, limit=1000), 0, tmp_path / "limited")
    assert contents(out) == contents(tmp_path / "limited")


def test_a_limited_source_reads_the_images_that_it_lists():
    pixels = np.arange(40, dtype=np.uint8).reshape(40, 1, 1, 1)
    names = [str(i) for i in range(40)]
    settings = DataConfig(source="digits")
    every = from_arrays(settings, ["a", "b"], pixels, np.arange(40) % 2, names, [""] * 40)
    source = limit(every, 11, seed=0)
    assert len(source.names) == len(source.labels) == len(source.splits) == 11
    for i, name in enumerate(source.names):
        assert source.read(i).item() == int(name)
        assert source.labels[i] == int(name) % 2


# --- determinism ----------------------------------------------------------------------------------------


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_same_data_and_seed_give_the_same_bytes(plain, tmp_path, out):
    (plain / "a" / "broken.png").write_bytes(b"")
    shutil.copy(plain / "a" / "1-000.png", plain / "a" / "copy.png")
    (tmp_path / "again").mkdir()
    prepare(config(plain), 3, out)
    prepare(config(plain), 3, tmp_path / "again")
    assert contents(out) == contents(tmp_path / "again")


def test_another_seed_gives_another_split_of_the_same_samples(plain, tmp_path, out):
    (tmp_path / "again").mkdir()
    prepare(config(plain), 3, out)
    prepare(config(plain), 4, tmp_path / "again")
    first, second = contents(out), contents(tmp_path / "again")
    assert first["ids.npy"] == second["ids.npy"]
    assert first["split.npy"] != second["split.npy"]


def test_ids_and_splits_do_not_depend_on_the_names_of_the_files(plain, tmp_path, out):
    (tmp_path / "again").mkdir()
    prepare(config(plain), 0, out)
    for name in "ab":
        paths = sorted((plain / name).iterdir())
        for index, path in enumerate(reversed(paths)):
            path.rename(path.with_name(f"renamed-{index:03}.png"))
    prepare(config(plain), 0, tmp_path / "again")

    def places(folder: Path) -> dict[int, str]:
        dataset = Dataset(folder)
        return {int(i): name for name in SPLITS for i in dataset.split(name).ids}

    assert not np.array_equal(np.load(out / "ids.npy"), np.load(tmp_path / "again" / "ids.npy"))
    assert places(out) == places(tmp_path / "again")
