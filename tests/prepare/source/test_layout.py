"""Folders as people name and nest them: which are classes, splits, wrappers, parts, or archives of these."""

from __future__ import annotations

import zipfile
from collections import Counter
from pathlib import Path

import pytest

from bessemer.data.config import DataConfig
from bessemer.data.image import IMAGE
from bessemer.errors import DataError
from bessemer.prepare.source import open_source
from bessemer.prepare.source.common import says_unlabelled, splits_of
from bessemer.prepare.source.layout import find_layout, is_part

EACH = 3


def tree(*folders: str) -> Counter[tuple[str, ...]]:
    """Some files in each folder."""
    return Counter({tuple(filter(None, folder.split("/"))): EACH for folder in folders})


def placed(*folders: str) -> dict[str, tuple[str | None, str]]:
    """(label, split) of a file in each folder."""
    layout = find_layout("root", IMAGE, tree(*folders), Counter())
    return {folder: layout.place(tuple(filter(None, folder.split("/")))) for folder in folders}


@pytest.mark.parametrize(
    ("names", "splits"),
    [
        ("Train TEST", "train test"),
        ("training testing validation", "train test validation"),
        ("training_set test_set", "train test"),
        ("trainset testset valset", "train test validation"),
        ("train_images val-images", "train validation"),
        ("TrainImages TestImages", "train test"),
        ("train2017 val2017", "train validation"),
        ("train test1", "train test"),
        ("seg_train seg_test", "train test"),
        ("flowers_train flowers_test", "train test"),
        ("train dev", "train validation"),
    ],
)
def test_names_of_splits(names, splits):
    found = splits_of(names.split())
    assert [found[name] for name in names.split()] == splits.split()


@pytest.mark.parametrize(
    "names", ["cats_train dogs_test", "dev_tools test_tools", "strained contest", "latest trains"]
)
def test_names_that_only_hold_such_a_word_are_no_splits(names):
    assert splits_of(names.split()) == {}


def test_numbered_names_of_parts():
    assert [is_part(name) for name in ("part1", "images_002", "fold-3")] == [True] * 3
    assert [is_part(name) for name in ("digit0", "7", "part", "a1")] == [False] * 4


def test_class_folders_inside_of_split_folders_inside_of_one_more():
    found = placed("set/Training_Set/a", "set/Training_Set/b", "set/Test_Set/a", "set/Test_Set/b/deep")
    assert list(found.values()) == [("a", "train"), ("b", "train"), ("a", "test"), ("b", "test")]


def test_a_folder_in_each_split_around_the_classes_is_passed_through():
    inside = [f"seg_{split}/seg_{split}/{label}" for split in ("train", "test") for label in "ab"]
    found = placed(*inside, "seg_pred/seg_pred")
    assert list(found.values()) == [("a", "train"), ("b", "train"), ("a", "test"), ("b", "test"), (None, "")]


def test_splits_inside_of_each_class():
    found = placed("a/train", "a/test", "b/train", "b/test/deep")
    assert list(found.values()) == [("a", "train"), ("a", "test"), ("b", "train"), ("b", "test")]
    assert set(placed("a/train", "a/test", "b").values()) == {("a", ""), ("b", "")}


def test_numbered_parts_with_the_same_classes_are_taken_together():
    assert list(placed("part1/a", "part1/b", "part2/a", "part2/b").values()) == [("a", ""), ("b", "")] * 2
    assert set(placed("digit0/hand", "digit0/print", "digit1/hand", "digit1/print").values()) == {
        ("digit0", ""), ("digit1", "")
    }  # fmt: skip


def test_trains_among_cars_are_a_class_but_a_training_set_beside_loose_files_is_none():
    assert placed("train", "car", "truck")["train"] == ("train", "")
    assert placed("train/a", "train/b", "predict") == {
        "train/a": ("a", "train"), "train/b": ("b", "train"), "predict": (None, "")
    }  # fmt: skip


def test_a_folder_that_says_it_is_unlabelled_is_no_class():
    assert [says_unlabelled(name) for name in ("unsup", "Unlabeled_Images", "no_label")] == [True] * 3
    assert not any(map(says_unlabelled, ("unknown", "labeled", "super")))
    found = placed("train/pos", "train/neg", "train/unsup", "test/pos", "test/neg")
    assert found["train/unsup"] == (None, "train")
    layout = find_layout("root", IMAGE, tree("pos", "neg", "unsup"), Counter())
    assert layout.why_unlabelled(("unsup",)) == "no label: its folder's name says so"
    assert placed("unsup", "pos") == {
        "unsup": ("unsup", ""),
        "pos": ("pos", ""),
    }  # two are left, so they are meant


def test_classes_of_a_split_that_differ_in_case_alone_are_the_training_splits():
    found = placed("train/Cats", "train/Dogs", "test/cats", "test/DOGS", "test/birds")
    assert [label for label, _ in found.values()] == ["Cats", "Dogs", "Cats", "Dogs", "birds"]


def test_packed_files_that_cannot_be_read_are_named():
    with pytest.raises(DataError) as error:
        find_layout("root", IMAGE, Counter(), Counter({".rar": 2}))
    assert error.value.remedy == "unpack the .rar files: of archives zip and tar are read"


# --- archives and words ---------------------------------------------------------------------------------


def members(prefix: str, *labels: str) -> list[str]:
    return [f"{prefix}{label}/{i}.png" for label in labels for i in range(2)]


def pack(path: Path, *names: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, name)


def add(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)


def opened(root: Path) -> tuple[Counter[tuple[str | None, str]], str]:
    """Number of rows of each label and split, and the notes."""
    source = open_source(DataConfig(source="image_folder", path=str(root)))
    rows = [row for task in source.tasks() for row in source.read(task)]
    return Counter((row.label, row.split) for row in rows), " ".join(source.notes)


BOTH = {("a", "train"): 2, ("b", "train"): 2, ("a", "test"): 2, ("b", "test"): 2}


@pytest.mark.parametrize("inside", ["", "pets/"])
@pytest.mark.parametrize("stem", ["", "pets_"])
def test_archives_named_as_splits(tmp_path, stem, inside):
    for split in ("train", "test"):
        pack(tmp_path / f"{stem}{split}.zip", *members(inside, "a", "b"))
    found, said = opened(tmp_path)
    assert found == BOTH
    assert f"Archives are taken as the splits of their names ({stem}test.zip, {stem}train.zip)." in said


def test_archives_that_hold_the_split_folders_or_stand_beside_one(tmp_path):
    pack(tmp_path / "one" / "train.zip", *members("train/", "a", "b"))
    pack(tmp_path / "one" / "test.zip", *members("test/", "a", "b"), "__MACOSX/test/a/._1.png")
    pack(tmp_path / "two" / "train.zip", *members("", "a", "b"))
    add(tmp_path / "two" / "test", *members("", "a", "b"))
    assert [opened(tmp_path / name)[0] for name in ("one", "two")] == [BOTH, BOTH]


@pytest.mark.parametrize("inside", ["", "images/"])
def test_an_archive_per_class(tmp_path, inside):
    for name, count in (("cats", 3), ("dogs", 2)):
        pack(tmp_path / f"{name}.zip", *(f"{inside}{i}.png" for i in range(count)))
    found, said = opened(tmp_path)
    assert found == {("cats", ""): 3, ("dogs", ""): 2}
    assert said == "Each archive is taken as one class (cats.zip, dogs.zip)."


def test_archives_that_are_parts_of_one_set_are_no_classes(tmp_path):
    for name in ("images_001.zip", "images_002.zip"):
        pack(tmp_path / name, *members("images/", "a", "b"))
    assert opened(tmp_path)[0] == {("a", ""): 4, ("b", ""): 4}


def test_what_is_set_aside_or_not_tested_is_told(tmp_path):
    add(tmp_path, *members("train/", "a", "b", "c", "unsup"), *members("test/", "a", "b", "d"), "docs/1.png")
    (tmp_path / "train" / "e").mkdir()
    assert opened(tmp_path)[1].split(". ") == [
        "'unsup' says that it has no labels: its files are set aside (2)",
        "Files in no class folder are set aside: 1 (in docs)",
        "The given test split has none of c: nothing can be measured on it there",
        "The training split has none of d, which stand in the given test split",
        "Class folders without any file: e.",
    ]
