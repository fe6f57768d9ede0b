"""A folder per class: what is a row, what its class and split are, the same on disk and in archives."""

from __future__ import annotations

import io
import os
import pickle
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bessemer.data.config import DataConfig
from bessemer.data.image import IMAGE
from bessemer.data.record import FILTERED, Raw, Rejected, Source
from bessemer.errors import DataError
from bessemer.prepare.source import fingerprint, open_source
from bessemer.prepare.source.folder import TASK_ROWS, find_layout

LOOSE = "no label: not in a class folder"
PACKERS = ("zip", "tar", "tgz", "tar.bz2", "tar.xz")


def config(path: Path, kind: str = "image") -> DataConfig:
    return DataConfig(source=f"{kind}_folder", path=str(path))


def add(root: Path, *names: str) -> None:
    """Files whose content is their name."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)


def pack(path: Path, *names: str, inside: str = "") -> None:
    """An archive whose members hold their names."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in names:
                archive.writestr(inside + name, name)
        return
    packing = {".tar": "", ".tgz": "gz", ".bz2": "bz2", ".xz": "xz"}[path.suffix]
    with tarfile.open(path, f"w:{packing}") as archive:
        for name in names:
            info = tarfile.TarInfo(inside + name)
            info.size = len(name)
            archive.addfile(info, io.BytesIO(name.encode()))


def rows_of(source: Source) -> list[Raw]:
    return [row for task in source.tasks() for row in source.read(task)]


def content(row: Raw) -> str:
    """What stands in a row's file, or why it is not used."""
    if isinstance(row.value, Rejected):
        return row.value.reason
    return (row.value.read_bytes() if isinstance(row.value, Path) else row.value).decode()


def table(source: Source) -> list[tuple[str, str | None, str]]:
    return [(row.origin, row.label, row.split) for row in rows_of(source)]


def refused(path: Path, kind: str = "image") -> str:
    with pytest.raises(DataError) as error:
        open_source(config(path, kind))
    assert error.value.remedy
    return error.value.problem


# --- classes and splits ---------------------------------------------------------------------------------


def test_a_folder_per_class_is_listed_in_order_of_names(tmp_path):
    add(tmp_path, "cat/1.png", "cat/0.png", "ant/2.png")
    source = open_source(config(tmp_path))
    assert table(source) == [("ant/2.png", "ant", ""), ("cat/0.png", "cat", ""), ("cat/1.png", "cat", "")]
    assert [content(row) for row in rows_of(source)] == ["ant/2.png", "cat/0.png", "cat/1.png"]
    assert source.classes is None


def test_nested_folders_belong_to_their_class(tmp_path):
    add(tmp_path, "a/x/1.png", "a/y/z/2.png", "b/1.PNG")
    assert [row.label for row in rows_of(open_source(config(tmp_path)))] == ["a", "a", "b"]


@pytest.mark.parametrize("names", [("train", "val", "test"), ("Training", "validation", "TESTING")])
def test_folders_named_train_and_test_are_kept_as_the_split(tmp_path, names):
    for split in names:
        add(tmp_path, f"{split}/a/1.png", f"{split}/b/1.png")
    rows = rows_of(open_source(config(tmp_path)))
    assert {row.label for row in rows} == {"a", "b"}
    assert sorted(row.split for row in rows) == ["test", "test", "train", "train", "validation", "validation"]
    assert all(row.origin.lower().startswith(row.split[:3]) for row in rows)


def test_a_class_that_is_called_test_is_a_class(tmp_path):
    add(tmp_path, "test/1.png", "exam/1.png")
    assert table(open_source(config(tmp_path))) == [("exam/1.png", "exam", ""), ("test/1.png", "test", "")]


def test_split_folders_beside_other_folders_are_refused(tmp_path):
    add(tmp_path, "train/a/1.png", "train/b/1.png", "val/a/1.png", "extra/a/1.png")
    assert "folders of splits beside other folders (extra)" in refused(tmp_path)


def test_a_folder_beside_the_splits_without_data_is_no_matter(tmp_path):
    add(tmp_path, "train/a/1.png", "test/a/1.png", "docs/read.txt")
    assert {row.split for row in rows_of(open_source(config(tmp_path)))} == {"train", "test"}


def test_splits_without_class_folders_are_refused(tmp_path):
    add(tmp_path, "train/1.png", "test/1.png")
    assert "no class folders inside test, train" in refused(tmp_path)


def test_an_empty_class_folder_is_not_a_class(tmp_path):
    add(tmp_path, "a/1.png", "b/notes.txt", "c/1.png")
    (tmp_path / "d").mkdir()
    source = open_source(config(tmp_path))
    assert {row.label for row in rows_of(source)} == {"a", "c"}
    assert source.ignored == {".txt": 1}


def test_a_lone_folder_around_the_classes_is_passed_through(tmp_path):
    add(tmp_path, "set/images/a/1.png", "set/images/b/1.png", "set/images/b/deep/2.png")
    rows = table(open_source(config(tmp_path)))
    assert [label for _, label, _ in rows] == ["a", "b", "b"]
    assert rows[0][0] == "set/images/a/1.png"


def test_a_lone_class_with_folders_in_it_stays_one_class(tmp_path):
    add(tmp_path, *(f"cats/{i}.png" for i in range(5)), "cats/more/1.png", "cats/other/1.png")
    assert {row.label for row in rows_of(open_source(config(tmp_path)))} == {"cats"}


@pytest.mark.parametrize("loose", [True, False])
def test_a_folder_without_class_folders_is_refused(tmp_path, loose):
    if loose:
        add(tmp_path, "1.png", "2.png")
    assert ("no folders in it" if loose else "no images in a class folder") in refused(tmp_path)


def test_class_folders_of_another_kind_are_refused_with_what_is_there(tmp_path):
    add(tmp_path, "a/1.txt", "b/1.txt", "b/2.wav")
    assert "no images in a class folder; 3 files of other kinds (.txt, .wav)" in refused(tmp_path)


def test_a_missing_folder_is_refused(tmp_path):
    assert "none: no such folder" in refused(tmp_path / "none")
    with pytest.raises(DataError, match="no such folder"):
        fingerprint(config(tmp_path / "none"))


def test_a_file_instead_of_a_folder_is_refused(tmp_path):
    (tmp_path / "set").write_text("x")
    assert "is a file, not a folder" in refused(tmp_path / "set")


def test_the_same_class_name_in_two_unicode_forms_is_one_class(tmp_path):
    add(tmp_path, "train/caf\u00e9/1.png", "test/cafe\u0301/1.png", "train/x/1.png")
    assert {row.label for row in rows_of(open_source(config(tmp_path)))} == {"caf\u00e9", "x"}


# --- what is a row --------------------------------------------------------------------------------------


def test_hidden_and_cached_files_are_no_rows_and_not_counted(tmp_path):
    add(tmp_path, "a/1.png", "b/1.png", ".git/x/1.png", "a/.DS_Store", "__MACOSX/a/1.png", "a/__pycache__/1.pyc")
    source = open_source(config(tmp_path))
    assert len(rows_of(source)) == 2
    assert source.ignored == {}


ODD = {".odd": 1, "no suffix": 1}


@pytest.mark.parametrize(
    ("kind", "rows", "ignored"),
    [
        ("image", {"1.png", "bare", "2.odd"}, {".csv": 1, ".npy": 1, ".pyc": 1, ".txt": 1, ".wav": 1, **ODD}),
        (
            "text",
            {"1.txt", "README", "x.odd", "t.csv", "bare", "2.odd"},
            {".npy": 1, ".png": 1, ".pyc": 1, ".wav": 1},
        ),
        ("audio", {"1.wav"}, {".csv": 1, ".npy": 1, ".png": 1, ".pyc": 1, ".txt": 1, ".odd": 2, "no suffix": 2}),
    ],
)
def test_files_of_another_kind_are_counted_and_unknown_ones_looked_into(tmp_path, kind, rows, ignored):
    names = ("1.png", "1.txt", "1.wav", "README", "x.odd", "t.csv", "m.npy", "m.pyc")
    add(tmp_path, *(f"a/{name}" for name in names))
    for name in ("bare", "2.odd"):  # known by their first bytes
        (tmp_path / "a" / name).write_bytes(b"\x89PNG\r\n\x1a\n")
    source = open_source(config(tmp_path, kind))
    assert {row.origin[2:] for row in rows_of(source)} == rows
    assert source.ignored == ignored


def test_loose_files_are_rows_without_a_label(tmp_path):
    add(tmp_path, "train/a/1.txt", "train/2.txt", "3.txt", "test/a/1.txt")
    rows = {row.origin: row for row in rows_of(open_source(config(tmp_path, "text")))}
    assert [content(rows[name]) for name in ("train/2.txt", "3.txt")] == [LOOSE, LOOSE]
    assert rows["3.txt"].value.kind == FILTERED
    assert (rows["train/2.txt"].label, rows["train/2.txt"].split) == (None, "train")


def test_names_that_are_not_utf8_can_be_stored(tmp_path):
    add(tmp_path, "a/1.png", "b/1.png")
    os.rename(os.fsencode(tmp_path / "a"), os.fsencode(tmp_path) + b"/\xff")
    rows = rows_of(open_source(config(tmp_path)))
    assert {(row.origin.encode().decode(), row.label) for row in rows} == {
        ("b/1.png", "b"), ("\\xff/1.png", "\\xff")
    }  # fmt: skip
    assert {content(row) for row in rows} == {"a/1.png", "b/1.png"}


def test_tasks_are_limited_in_rows_and_bytes(tmp_path):
    add(tmp_path, *(f"a/{i}.png" for i in range(TASK_ROWS + 1)), "b/0.png")
    assert [len(task) for task in open_source(config(tmp_path)).tasks()] == [TASK_ROWS, 2]
    for name in ("a/0.png", "a/1.png"):
        (tmp_path / name).write_bytes(bytes(3 * 2**20))
    assert [len(task) for task in open_source(config(tmp_path)).tasks()] == [1, TASK_ROWS, 1]


def test_source_and_tasks_pickle_small(tmp_path, travel):
    add(tmp_path, *(f"a/{i}.png" for i in range(500)), "b/0.png")
    source = open_source(config(tmp_path))
    assert len(pickle.dumps(source)) < 1000
    again = travel((source, list(source.tasks())))
    assert [row.origin for task in again[1] for row in again[0].read(task)] == [row[0] for row in table(source)]


# --- archives -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", PACKERS)
@pytest.mark.parametrize("inside", ["", "./", "set/"])
@pytest.mark.parametrize("as_file", [True, False])
def test_an_archive_counts_as_unpacked_where_it_lies(tmp_path, suffix, inside, as_file):
    path = tmp_path / f"pets.{suffix}"
    pack(
        path,
        "cats/1.png",
        "cats/.hid.png",
        "dogs/deep/2.png",
        "dogs/3.txt",
        "__MACOSX/cats/._1.png",
        inside=inside,
    )
    source = open_source(config(path if as_file else tmp_path))
    shown = f"pets.{suffix}!{inside.replace('./', '')}"
    assert table(source) == [(f"{shown}cats/1.png", "cats", ""), (f"{shown}dogs/deep/2.png", "dogs", "")]
    assert [content(row) for row in rows_of(source)] == ["cats/1.png", "dogs/deep/2.png"]
    assert source.ignored == {".txt": 1}


@pytest.mark.parametrize("suffix", PACKERS)
def test_archives_beside_and_inside_class_folders_add_to_them(tmp_path, suffix):
    add(tmp_path, "cats/1.png", "dogs/1.png")
    pack(tmp_path / f"more.{suffix}", "cats/2.png", "birds/1.png", "loose.png")
    pack(tmp_path / "dogs" / f"more.{suffix}", "x/3.png", "4.png")
    rows = rows_of(open_source(config(tmp_path)))
    assert [(row.origin, row.label) for row in rows] == [
        ("cats/1.png", "cats"),
        ("dogs/1.png", "dogs"),
        (f"dogs/more.{suffix}!x/3.png", "dogs"),
        (f"dogs/more.{suffix}!4.png", "dogs"),
        (f"more.{suffix}!cats/2.png", "cats"),
        (f"more.{suffix}!birds/1.png", "birds"),
        (f"more.{suffix}!loose.png", None),
    ]
    assert content(rows[-1]) == LOOSE
    assert content(rows[2]) == "x/3.png"


@pytest.mark.parametrize("suffix", PACKERS)
def test_an_archive_may_hold_the_splits(tmp_path, suffix):
    pack(tmp_path / f"set.{suffix}", "set/train/a/1.png", "set/train/b/1.png", "set/test/a/2.png")
    rows = rows_of(open_source(config(tmp_path)))
    assert [(row.label, row.split) for row in rows] == [("a", "train"), ("b", "train"), ("a", "test")]


def test_an_archive_beside_one_that_is_opened_by_name_is_left_alone(tmp_path):
    pack(tmp_path / "a.zip", "x/1.png", "y/1.png")
    pack(tmp_path / "b.zip", "z/1.png")
    assert {row.label for row in rows_of(open_source(config(tmp_path / "a.zip")))} == {"x", "y"}


def test_a_zip_made_with_backslashes_has_folders(tmp_path):
    pack(tmp_path / "a.zip", "x\\1.png", "y\\1.png")
    assert {row.label for row in rows_of(open_source(config(tmp_path)))} == {"x", "y"}


def test_many_members_are_cut_into_tasks_but_a_stream_is_one(tmp_path):
    names = [f"{'ab'[i % 2]}/{i}.png" for i in range(600)]
    for suffix, wanted in (("zip", 3), ("tar", 3), ("tgz", 1)):
        path = tmp_path / suffix / f"set.{suffix}"
        pack(path, *names)
        source = open_source(config(path))
        assert len(list(source.tasks())) == wanted
        assert [content(row) for row in rows_of(source)] == names


# --- layout ---------------------------------------------------------------------------------------------

NAMES = st.sampled_from(["a", "b", "train", "test"])
FOLDERS = st.lists(st.lists(NAMES, max_size=3).map(tuple), min_size=1, max_size=6)


@given(FOLDERS)
def test_every_folder_has_at_most_one_class_and_it_is_one_of_its_own(folders):
    from collections import Counter

    filled = Counter(folders)
    try:
        layout = find_layout("root", IMAGE, filled, Counter())
    except DataError:
        return
    placed = {path: layout.place(path) for path in filled}
    assert any(label is not None for label, _ in placed.values())
    for path, (label, split) in placed.items():
        assert label is None or label in path
        assert split in ("", "train", "test")


# --- fingerprint ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / "b" / "0.png").write_bytes(b"other"),
        lambda root: os.utime(root / "b" / "0.png", (1, 1)),
        lambda root: (root / "b" / "0.png").unlink(),
        lambda root: (root / "b" / "0.png").rename(root / "a" / "moved.png"),
        lambda root: add(root, "b/1.png"),
    ],
)
def test_the_fingerprint_changes_with_a_file(tmp_path, change):
    add(tmp_path, "a/0.png", "b/0.png")
    before = fingerprint(config(tmp_path))
    assert fingerprint(config(tmp_path)) == before
    change(tmp_path)
    assert fingerprint(config(tmp_path)) != before


def test_a_run_in_the_data_does_not_change_the_fingerprint_but_what_a_link_leads_to_does(tmp_path):
    add(tmp_path, "set/a/0.png", "set/b/0.png", "else/1.png")
    (tmp_path / "set" / "c").symlink_to(tmp_path / "else")
    one = DataConfig(source="image_folder", path=str(tmp_path / "set"), links="follow")
    before = fingerprint(one)
    add(tmp_path, "set/runs/x/log.jsonl")
    (tmp_path / "set" / "runs" / "x" / "recipe.yaml").write_text("data:\n  source: image_folder\n")
    assert fingerprint(one) == before
    add(tmp_path, "else/2.png")
    assert fingerprint(one) != before


def test_the_fingerprint_of_an_archive_or_text_table_looks_at_that_file_only(tmp_path):
    pack(tmp_path / "a.zip", "x/1.png", "y/1.png")
    (tmp_path / "t.csv").write_text("text,label\na,b\n")
    tabular = DataConfig(source="table", path=str(tmp_path / "t.csv"), columns={"text": "text"})
    before = [fingerprint(config(tmp_path / "a.zip")), fingerprint(tabular)]
    add(tmp_path, "other.txt")
    assert [fingerprint(config(tmp_path / "a.zip")), fingerprint(tabular)] == before
    (tmp_path / "t.csv").write_text("text,label\na,c,\n")
    assert fingerprint(tabular) != before[1]


def test_the_fingerprint_covers_all_sources_and_the_files_of_a_manifest(tmp_path):
    add(tmp_path, "one/a/1.png", "one/b/1.png", "two/a/1.png")
    both = DataConfig(
        source="image_folder",
        path=str(tmp_path / "one"),
        also=[{"source": "image_folder", "path": str(tmp_path / "two")}],
    )
    before = fingerprint(both)
    add(tmp_path, "two/a/2.png")
    assert fingerprint(both) != before
    (tmp_path / "list.csv").write_text("path,label\none/a/1.png,a\n")
    manifest = DataConfig(source="table", path=str(tmp_path / "list.csv"), columns={"image": "path"})
    before = fingerprint(manifest)
    (tmp_path / "one/a/1.png").write_text("changed content")
    assert fingerprint(manifest) != before


def test_the_fingerprint_of_idx_looks_at_idx_files_only(tmp_path):
    for name in ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"):
        (tmp_path / name).write_bytes(b"x")
    idx = DataConfig(source="idx", path=str(tmp_path))
    before = fingerprint(idx)
    add(tmp_path, "notes.txt")
    assert fingerprint(idx) == before
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(b"xyz")
    assert fingerprint(idx) != before
    assert fingerprint(DataConfig(source="digits")) == "built in"
