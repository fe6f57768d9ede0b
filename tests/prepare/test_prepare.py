"""Every row is accounted for; copies and leaks go; the result is a function of the data and the seed."""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bessemer.data.config import DataConfig
from bessemer.data.dataset import Dataset
from bessemer.errors import DataError
from bessemer.prepare.accounts import read_quarantine
from bessemer.prepare.prepare import prepare
from bessemer.prepare.source import folder as folder_source
from bessemer.prepare.staging import FEW_FILES

SPLITS = ("train", "validation", "test")
OFF = {"label_check": {"folds": 0}}  # it takes longer than all the rest


def config(path: Path, source: str = "image_folder", **other) -> DataConfig:
    return DataConfig(source=source, path=str(path), **{**OFF, **other})


def run(settings_: DataConfig, out: Path, seed: int = 0, workers: int = 1) -> dict:
    return prepare(settings_, seed, out, workers=workers)


@pytest.fixture
def plain(tmp_path, make_images):
    """40 images of class a and 20 of class b, all different."""
    make_images(tmp_path / "set" / "a", 40, seed=1)
    make_images(tmp_path / "set" / "b", 20, seed=2)
    return tmp_path / "set"


@pytest.fixture
def with_test(tmp_path, make_images):
    """20 training and 6 test images of each of two classes, all different."""
    for index, label in enumerate("ab"):
        make_images(tmp_path / "set" / "train" / label, 20, seed=index)
        make_images(tmp_path / "set" / "test" / label, 6, seed=10 + index)
    return tmp_path / "set"


def is_balanced(about: dict) -> bool:
    lost = sum(about["quarantined"].values()) + about["duplicates"] + about["leaks"]
    return bool(about["kept"] + lost == about["rows"] and sum(about["splits"].values()) == about["kept"])


def check_files(folder: Path, about: dict) -> None:
    """The arrays agree with `dataset.json`, and there is nothing else."""
    arrays = ["dataset.json", "ids.npy", "inputs", "labels.npy", "quarantine.arrow", "rows.arrow"]
    assert sorted(path.name for path in folder.iterdir()) == [*arrays, "sources.npy", "split.npy"]
    assert json.loads((folder / "dataset.json").read_text()) == about
    dataset = Dataset(folder)
    assert dataset.samples.inputs.shape == (about["kept"], *about["image"])
    for image, number in zip(dataset.samples.inputs[:], dataset.samples.ids.tolist(), strict=True):
        assert int.from_bytes(hashlib.sha256(image.tobytes()).digest()[:8], "little") == number
    for name in SPLITS:
        samples = dataset.split(name)
        assert len(samples) == about["splits"][name]
        assert np.bincount(samples.labels, minlength=len(about["classes"])).tolist() == about["class_counts"][name]


# --- what is kept ---------------------------------------------------------------------------------------


def test_clean_data_is_kept_whole_and_split_by_class(plain, out):
    about = run(config(plain), out)
    assert is_balanced(about)
    assert (about["rows"], about["kept"], about["quarantined"]) == (60, 60, {})
    assert (about["duplicates"], about["leaks"]) == (0, 0)
    assert about["class_counts"] == {"train": [29, 14], "validation": [3, 2], "test": [8, 4]}
    check_files(out, about)


def test_every_image_is_stored_beside_its_own_label_and_id(plain, out):
    run(config(plain), out)
    stored = Dataset(out).samples
    wanted = {
        np.asarray(Image.open(path)).tobytes(): label
        for label, name in enumerate("ab")
        for path in (plain / name).iterdir()
    }
    found = {image.tobytes(): label for image, label in zip(stored.inputs[:], stored.labels.tolist(), strict=True)}
    assert found == wanted
    assert len(set(stored.ids.tolist())) == len(wanted)


def test_the_table_of_rows_says_what_became_of_each_file(plain, out, rows_of):
    (plain / "a" / "empty.png").write_bytes(b"")
    shutil.copy(plain / "b" / "2-003.png", plain / "b" / "copy.png")
    run(config(plain), out)
    rows = rows_of(out)
    assert [row["origin"] for row in rows] == sorted(str(p.relative_to(plain)) for p in plain.rglob("*.png"))
    assert [row["row"] for row in rows] == list(range(62))
    told = {row["origin"]: row for row in rows if row["state"] != "kept"}
    assert set(told) == {"a/empty.png", "b/copy.png"}
    assert (told["a/empty.png"]["state"], told["a/empty.png"]["reason"]) == ("quarantined", "empty file")
    assert told["b/copy.png"]["state"] == "duplicate"
    assert rows[told["b/copy.png"]["survivor"]]["origin"] == "b/2-003.png"
    stored, split = Dataset(out).samples, np.load(out / "split.npy")
    kept = [row for row in rows if row["state"] == "kept"]
    assert [row["id"] for row in kept] == stored.ids.tolist()
    assert [row["label"] for row in kept] == ["ab"[label] for label in stored.labels]
    assert [row["split"] for row in kept] == [SPLITS[code] for code in split]
    assert all(row["split"] == "" for row in told.values())


def test_planted_duplicates_are_dropped_and_counted(plain, out):
    for index, path in enumerate(sorted((plain / "a").iterdir())[:5]):
        shutil.copy(path, plain / "a" / f"copy-{index}.png")
    shutil.copy(plain / "b" / "2-000.png", plain / "b" / "once-more.png")
    shutil.copy(plain / "b" / "2-000.png", plain / "b" / "twice-more.png")
    about = run(config(plain), out)
    assert is_balanced(about)
    assert (about["rows"], about["kept"], about["duplicates"], about["leaks"]) == (67, 60, 7, 0)
    assert about["near_duplicates"] == 0
    assert len(np.unique(Dataset(out).samples.ids)) == 60
    check_files(out, about)


def test_a_copy_in_another_format_is_a_duplicate(plain, out):
    Image.open(plain / "a" / "1-000.png").save(plain / "a" / "copy.bmp")
    assert run(config(plain), out)["duplicates"] == 1


def near_copy(path: Path, to: Path) -> None:
    pixels = np.asarray(Image.open(path)).astype(int)
    noise = np.random.default_rng(0).integers(-2, 3, pixels.shape)
    Image.fromarray((pixels + noise).clip(0, 255).astype(np.uint8)).save(to)


def test_a_near_copy_is_a_duplicate_unless_it_is_switched_off(plain, out, tmp_path):
    near_copy(plain / "a" / "1-000.png", plain / "a" / "near.png")
    about = run(config(plain), out)
    assert (about["duplicates"], about["near_duplicates"]) == (1, 1)
    (tmp_path / "exact").mkdir()
    assert run(config(plain, dedup={"near": False}), tmp_path / "exact")["duplicates"] == 0


def test_planted_leaks_go_from_training_and_the_given_test_split_stays(with_test, out):
    for index, path in enumerate(sorted((with_test / "test" / "a").iterdir())[:4]):
        shutil.copy(path, with_test / "train" / "a" / f"leak-{index}.png")
    shutil.copy(with_test / "test" / "b" / "11-000.png", with_test / "test" / "b" / "again.png")
    about = run(config(with_test), out)
    assert is_balanced(about)
    assert (about["leaks"], about["duplicates"]) == (4, 0)
    assert about["class_counts"]["test"] == [6, 7]
    assert about["splits"] == {"train": 36, "validation": 4, "test": 13}
    test, other = Dataset(out).split("test"), ("train", "validation")
    for name in other:
        assert not np.isin(Dataset(out).split(name).ids, test.ids).any()
    check_files(out, about)


def test_near_copies_of_test_samples_leave_training_and_are_told_with_both_sides(with_test, out, rows_of):
    near_copy(with_test / "test" / "b" / "11-002.png", with_test / "train" / "b" / "near.png")
    about = run(config(with_test), out)
    assert (about["leaks"], about["near_duplicates"], about["splits"]["test"]) == (1, 1, 12)
    (pair,) = about["nearest"]
    assert pair["state"] == "leak"
    assert 0.94 < pair["similarity"] < 1
    sides = {side["path"]: (side["label"], side["split"]) for side in (pair["a"], pair["b"])}
    assert sides == {"test/b/11-002.png": ("b", "test"), "train/b/near.png": ("b", "train")}
    assert all(side["shown"].startswith("data:image/png") for side in (pair["a"], pair["b"]))
    (row,) = [row for row in rows_of(out) if row["state"] == "leak"]
    assert row["origin"] == "train/b/near.png"
    assert rows_of(out)[row["survivor"]]["origin"] == "test/b/11-002.png"


def test_copies_with_different_labels_are_told(plain, out):
    shutil.copy(plain / "a" / "1-000.png", plain / "b" / "other-label.png")
    about = run(config(plain), out)
    assert about["conflicts"]["count"] == 1
    (one,) = about["conflicts"]["samples"]
    assert one == {"paths": ["a/1-000.png", "b/other-label.png"], "labels": ["a", "b"]}


def test_the_given_test_split_is_what_was_given(with_test, out):
    run(config(with_test), out)
    stored = {image.tobytes() for image in Dataset(out).split("test").inputs}
    assert stored == {np.asarray(Image.open(p)).tobytes() for p in (with_test / "test").rglob("*.png")}


def test_a_given_validation_split_is_kept_too(with_test, out, make_images):
    make_images(with_test / "val" / "a", 3, seed=20)
    make_images(with_test / "val" / "b", 3, seed=21)
    about = run(config(with_test), out)
    assert about["splits"] == {"train": 40, "validation": 6, "test": 12}


# --- what is broken -------------------------------------------------------------------------------------


@pytest.mark.faults
def test_broken_images_are_quarantined_with_their_reasons(plain, out):
    (plain / "a" / "empty.png").write_bytes(b"")
    (plain / "a" / "text.png").write_text("not an image")
    whole = (plain / "b" / "2-000.png").read_bytes()
    (plain / "b" / "half.png").write_bytes(whole[: len(whole) // 2])
    about = run(config(plain), out)
    assert is_balanced(about)
    assert about["quarantined"] == {"empty file": 1, "not an image": 1, "truncated or corrupt": 1}
    named = {row["origin"]: row["reason"] for row in read_quarantine(out).to_pylist()}
    assert named == {
        "a/empty.png": "empty file",
        "a/text.png": "not an image",
        "b/half.png": "truncated or corrupt",
    }
    assert about["kept"] == 60
    check_files(out, about)


@pytest.mark.faults
def test_broken_images_duplicates_and_leaks_together_are_accounted_for(with_test, out):
    (with_test / "train" / "a" / "broken.png").write_bytes(b"")
    (with_test / "test" / "a" / "broken.png").write_bytes(b"")
    shutil.copy(with_test / "train" / "b" / "1-000.png", with_test / "train" / "b" / "copy.png")
    shutil.copy(with_test / "test" / "b" / "11-000.png", with_test / "train" / "b" / "leak.png")
    about = run(config(with_test), out)
    assert is_balanced(about)
    assert (about["rows"], about["kept"], about["duplicates"], about["leaks"]) == (56, 52, 1, 1)
    assert about["quarantined"] == {"empty file": 2}
    check_files(out, about)


@pytest.mark.faults
def test_too_many_broken_images_are_refused_and_the_setting_is_named(plain, out, tmp_path):
    for index in range(7):
        (plain / "a" / f"{index}.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"7 of 67 samples \(10%\) are broken \(first: a/0.png: empty") as error:
        run(config(plain), out)
    assert "data.max_quarantined" in error.value.remedy
    (tmp_path / "again").mkdir()
    assert run(config(plain, max_quarantined=0.2), tmp_path / "again")["kept"] == 60


def test_images_that_are_only_unfit_do_not_count_as_broken(plain, out):
    for index in range(30):
        Image.new("L", (24, 24), index).save(plain / "a" / f"blank-{index}.png")
    about = run(config(plain, max_quarantined=0.0), out)
    assert about["quarantined"] == {"blank: one color": 30}
    assert is_balanced(about)


@pytest.mark.faults
def test_all_broken_is_refused(tmp_path, out, make_images):
    """Their headers are whole, so that only decoding finds out."""
    for name in "ab":
        for path in make_images(tmp_path / "set" / name, 3, seed=1):
            path.write_bytes(path.read_bytes()[:45])
    with pytest.raises(DataError, match="all 6 samples are broken"):
        run(config(tmp_path / "set", max_quarantined=1.0), out)


def test_nothing_usable_is_refused_with_the_reasons(tmp_path, out):
    for name in "ab":
        (tmp_path / "set" / name).mkdir(parents=True)
        for index in range(3):
            Image.new("L", (8, 8), index).save(tmp_path / "set" / name / f"{index}.png")
    with pytest.raises(DataError, match="none of the 6 samples can be used: 6 blank: one color"):
        run(config(tmp_path / "set"), out)


def write_table(path: Path, rows: list[dict]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def table_config(path: Path, **other) -> DataConfig:
    columns = {"text": "body", "label": "topic", "split": "part"}
    text = {"boilerplate": 0.0, "tokenizer": {"vocabulary": 300}}
    return config(path, "table", columns=columns, text=text, max_quarantined=1.0, **other)


def test_rows_without_any_label_are_refused(tmp_path, out, make_text):
    path = write_table(tmp_path / "t.jsonl", [{"body": make_text(i), "topic": None, "part": ""} for i in range(8)])
    with pytest.raises(DataError, match="none of the 8 samples can be used: 8 no label"):
        run(table_config(path), out)


def test_a_label_for_every_row_is_refused_as_the_wrong_column(tmp_path, out, monkeypatch, make_text):
    monkeypatch.setattr("bessemer.prepare.prepare.MAX_CLASSES", 20)
    rows = [{"body": make_text(i), "topic": f"id{i:02}", "part": ""} for i in range(21)]
    with pytest.raises(DataError, match="21 different labels, such as 'id00' and 'id01'") as error:
        run(table_config(write_table(tmp_path / "t.jsonl", rows)), out)
    assert "column" in error.value.remedy


def test_one_class_is_refused(tmp_path, out, make_images):
    make_images(tmp_path / "set" / "only", 20, seed=1)
    with pytest.raises(DataError, match=r"only one class in the data \(only\)"):
        run(config(tmp_path / "set"), out)


def test_a_class_without_a_usable_sample_is_refused_and_named(plain, out, tmp_path):
    (plain / "c").mkdir()
    for index in range(3):
        (plain / "c" / f"{index}.png").write_bytes(b"")
    with pytest.raises(DataError, match="class 'c' has no usable sample") as error:
        run(config(plain), out)
    assert "data.min_class" in error.value.remedy
    (tmp_path / "again").mkdir()
    about = run(config(plain, min_class=2), tmp_path / "again")
    assert about["classes"] == ["a", "b"]
    assert is_balanced(about)


def test_an_empty_class_folder_is_refused_and_named(plain, out, tmp_path):
    (plain / "c").mkdir()
    with pytest.raises(DataError, match="set/c: an empty class folder"):
        run(config(plain), out)
    (tmp_path / "again").mkdir()
    assert run(config(plain, min_class=2), tmp_path / "again")["classes"] == ["a", "b"]


def test_a_class_that_is_tested_but_not_trained_is_refused(with_test, out, make_images):
    make_images(with_test / "test" / "c", 2, seed=30)
    with pytest.raises(DataError, match=r"class .c. stands only in the validation or test split"):
        run(config(with_test), out)


def test_a_class_of_a_single_image_is_refused(plain, out, make_images):
    make_images(plain / "c", 1, seed=30)
    with pytest.raises(DataError, match=r"class 'c' has 1 usable sample\(s\)"):
        run(config(plain), out)


def test_rare_classes_are_set_aside_where_asked(plain, out, make_images, rows_of):
    """Copies do not make a class large."""
    paths = make_images(plain / "c", 4, seed=30)
    for index, path in enumerate(paths[:3]):
        shutil.copy(path, path.with_name(f"copy-{index}.png"))
    about = run(config(plain, min_class=5), out)
    assert about["classes"] == ["a", "b"]
    assert about["quarantined"] == {"class with fewer than 5 usable samples": 4}
    assert (about["rows"], about["kept"], about["duplicates"]) == (67, 60, 3)
    assert is_balanced(about)
    rare = [row for row in rows_of(out) if row["state"] == "quarantined"]
    assert {row["label"] for row in rare} == {"c"}
    assert {row["reason"] for row in rare} == {"class with fewer than 5 usable samples"}
    check_files(out, about)


def test_too_few_classes_that_are_large_enough_are_refused(plain, out):
    with pytest.raises(DataError, match="fewer than two classes have enough usable samples"):
        run(config(plain, min_class=30), out)


# --- numbers --------------------------------------------------------------------------------------------


def test_a_limit_keeps_classes_and_splits_in_proportion(with_test, out, make_images):
    make_images(with_test / "train" / "a", 20, seed=40)
    about = run(config(with_test, limit=36), out)
    assert about["rows"] == 36
    assert is_balanced(about)
    assert about["class_counts"]["test"] == pytest.approx([3, 3], abs=1)
    trained = np.add(about["class_counts"]["train"], about["class_counts"]["validation"])
    assert trained.tolist() == pytest.approx([20, 10], abs=1)


def test_a_limit_above_the_number_of_images_changes_nothing(plain, tmp_path, out, bytes_of):
    run(config(plain), out)
    (tmp_path / "limited").mkdir()
    run(config(plain, limit=1000), tmp_path / "limited")
    assert bytes_of(out) == bytes_of(tmp_path / "limited")


def test_a_limit_over_several_tasks_takes_rows_of_all_of_them(plain, out, monkeypatch, rows_of):
    monkeypatch.setattr(folder_source, "TASK_ROWS", 7)
    about = run(config(plain, limit=30), out)
    assert about["rows"] == 30
    assert sum(map(sum, about["class_counts"].values())) == 30
    every = sorted(str(path.relative_to(plain)) for path in plain.rglob("*.png"))
    chosen = [row["origin"] for row in rows_of(out)]
    assert chosen == [name for name in every if name in set(chosen)]
    assert len({every.index(name) // 7 for name in chosen}) == 9  # each task of seven files


def test_sources_are_mixed_and_told_apart(plain, tmp_path, out, make_images):
    make_images(tmp_path / "more" / "b", 10, seed=50)
    make_images(tmp_path / "more" / "c", 10, seed=51)
    shutil.copy(plain / "b" / "2-000.png", tmp_path / "more" / "b" / "copy.png")
    also = [{"source": "image_folder", "path": str(tmp_path / "more"), "weight": 2.5}]
    about = run(config(plain, also=also), out)
    assert about["classes"] == ["a", "b", "c"]
    assert [(one["rows"], one["weight"]) for one in about["sources"]] == [(60, 1.0), (21, 2.5)]
    assert (about["rows"], about["duplicates"]) == (81, 1)
    sources = np.load(out / "sources.npy")
    assert np.bincount(sources).tolist() == [60, 20]
    assert Dataset(out).weights == [1.0, 2.5]


@pytest.mark.parametrize("unit", ["piece", "paragraph", "line"])
def test_parts_of_one_file_stay_in_one_split(tmp_path, out, unit, make_text, rows_of):
    for name in "ab":
        (tmp_path / "set" / name).mkdir(parents=True)
        for file in range(12):
            parts = [make_text(100 * file + 7000 * (name == "b") + part, 20) for part in range(5)]
            (tmp_path / "set" / name / f"{file}.txt").write_text("\n\n".join(parts), encoding="utf-8")
    text = {"piece_characters": 130, "boilerplate": 0.0, "tokenizer": {"vocabulary": 300}}
    about = run(config(tmp_path / "set", "text_folder", unit=unit, text=text), out)
    assert about["rows"] == 120
    assert is_balanced(about)
    splits: dict[str, set[str]] = {}
    for row in rows_of(out):
        if row["state"] == "kept":
            splits.setdefault(row["origin"], set()).add(row["split"])
    assert len(splits) == 24
    assert all(len(found) == 1 for found in splits.values())
    assert Counter(min(found) for found in splits.values()) == {"train": 18, "validation": 2, "test": 4}


SMALL = {"boilerplate": 0.0, "tokenizer": {"vocabulary": 300}}


def test_lines_of_a_class_with_one_file_fall_into_all_splits_and_that_is_told(tmp_path, out, make_text):
    for seed, label in enumerate("ab"):
        (tmp_path / "set" / label).mkdir(parents=True)
        lines = [make_text(100 * seed + i, 15) for i in range(60)]
        (tmp_path / "set" / label / "all.txt").write_text("\n".join(lines) + "\n")
    about = run(config(tmp_path / "set", "text_folder", unit="line", text=SMALL), out)
    assert about["kept"] == 120
    assert about["splits"] == {"train": 86, "validation": 10, "test": 24}
    assert about["notes"] == ["Each line of a file is a sample.", FEW_FILES]


def test_how_a_table_was_read_and_decoded_is_in_the_accounts(tmp_path, out, make_text):
    lines = [f"{'xy'[i % 2]}\t{make_text(i, 12)} for £{i}" for i in range(40)]
    (tmp_path / "t.tsv").write_bytes("\n".join(lines).encode("cp1252"))
    columns = {"text": "column 2", "label": "column 1"}
    about = run(DataConfig(source="table", path=str(tmp_path / "t.tsv"), columns=columns, text=SMALL), out)
    assert (about["rows"], about["classes"]) == (40, ["x", "y"])
    assert about["repairs"]["decoded from cp1252"] == 40
    assert "first row seems to be data" in about["notes"][0]


def test_pointers_of_git_lfs_are_set_aside(plain, out):
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
    for path in sorted((plain / "a").iterdir())[:2]:
        path.write_text(pointer)
    about = run(config(plain), out)
    assert about["quarantined"] == {"a pointer of Git LFS, not the file itself": 2}


def test_windows_of_one_recording_stay_in_one_split(tmp_path, out, make_sounds, rows_of):
    for seed, name in enumerate("ab"):
        make_sounds(tmp_path / "set" / name, 8, seed, seconds=1.0)
    audio = {"rate": 8000, "seconds": 0.4, "windows": True, "mels": 16}
    about = run(config(tmp_path / "set", "audio_folder", audio=audio), out)
    assert about["rows"] == about["kept"] == 64  # windows of 0.4 s each 0.2 s
    splits: dict[str, set[str]] = {}
    for row in rows_of(out):
        splits.setdefault(row["origin"], set()).add(row["split"])
    assert all(len(found) == 1 for found in splits.values())
    assert set.union(*splits.values()) == set(SPLITS)


def test_images_in_a_zip_file_give_what_their_folder_gives(plain, tmp_path, out):
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for path in sorted(plain.rglob("*.png")):
            archive.write(path, path.relative_to(plain))
    (tmp_path / "zipped").mkdir()
    run(config(plain), out)
    run(config(tmp_path / "set.zip"), tmp_path / "zipped")
    for name in ("labels.npy", "ids.npy", "split.npy", "inputs/00000.bin"):
        assert (out / name).read_bytes() == (tmp_path / "zipped" / name).read_bytes()


# --- the law of accounts --------------------------------------------------------------------------------

ROW = st.tuples(
    st.sampled_from(["good", "copy", "near", "short", "empty", "no label", "not JSON", "split", "list", "rare"]),
    st.integers(0, 5),
    st.sampled_from("ab"),
    st.sampled_from(["", "", "train", "test", "validation"]),
)


def dirty_line(kind: str, number: int, topic: str, part: str, texts: list[str]) -> str:
    body: object = texts[number % 3]  # of "copy"
    if kind in ("good", "split", "no label", "rare"):
        body = texts[10 + number]
    elif kind == "near":
        body = texts[number % 3] + " indeed"
    elif kind in ("short", "empty"):
        body = "tiny" if kind == "short" else "  "
    elif kind == "list":
        body = [texts[0]]
    label = None if kind == "no label" else "c" if kind == "rare" else topic
    part = "unheard of" if kind == "split" else "" if kind == "rare" else part
    line = json.dumps({"body": body, "topic": label, "part": part})
    return line[:-9] if kind == "not JSON" else line


@settings(max_examples=60)
@given(st.lists(ROW, max_size=14), st.sampled_from([3, 4]))
def test_every_row_of_a_dirty_table_is_accounted_for(tmp_path_factory, rows_of, make_text, dirt, least):
    folder = tmp_path_factory.mktemp("dirty")
    texts = [make_text(seed, 40) for seed in range(16)]
    base = [{"body": make_text(100 + i), "topic": "ab"[i % 2], "part": ""} for i in range(24)]
    lines = [json.dumps(row) for row in base] + [dirty_line(*row, texts) for row in dirt]
    order = np.random.default_rng(len(dirt)).permutation(len(lines))
    (folder / "t.jsonl").write_text("".join(lines[i] + "\n" for i in order), encoding="utf-8")
    (folder / "out").mkdir()
    about = run(table_config(folder / "t.jsonl", min_class=least), folder / "out")
    rows = rows_of(folder / "out")
    states = Counter(row["state"] for row in rows)
    assert is_balanced(about)
    assert about["rows"] == len(rows) == len(lines)
    assert set(states) <= {"kept", "quarantined", "duplicate", "leak"}
    assert (states["kept"], states["duplicate"], states["leak"]) == (
        about["kept"],
        about["duplicates"],
        about["leaks"],
    )
    assert Counter(row["reason"] for row in rows if row["state"] == "quarantined") == about["quarantined"]
    assert all((row["survivor"] >= 0) == (row["state"] in ("duplicate", "leak")) for row in rows)
    assert all((row["split"] != "") == (row["state"] == "kept") for row in rows)
    assert all((row["reason"] is not None) == (row["state"] == "quarantined") for row in rows)
    assert len(read_quarantine(folder / "out")) == states["quarantined"]
    dataset = Dataset(folder / "out")
    trained, tested = ({*dataset.texts(name)} for name in ("train", "test"))
    assert not trained & tested
    assert len(trained) == len(dataset.texts("train"))


# --- determinism ----------------------------------------------------------------------------------------


def test_the_same_data_and_seed_give_the_same_bytes(plain, tmp_path, out, bytes_of):
    (plain / "a" / "broken.png").write_bytes(b"")
    shutil.copy(plain / "a" / "1-000.png", plain / "a" / "copy.png")
    (tmp_path / "again").mkdir()
    run(config(plain), out, 3)
    run(config(plain), tmp_path / "again", 3)
    assert bytes_of(out) == bytes_of(tmp_path / "again")


def test_another_seed_gives_another_split_of_the_same_samples(plain, tmp_path, out, bytes_of):
    (tmp_path / "again").mkdir()
    run(config(plain), out, 3)
    run(config(plain), tmp_path / "again", 4)
    first, second = bytes_of(out), bytes_of(tmp_path / "again")
    assert first["ids.npy"] == second["ids.npy"]
    assert first["split.npy"] != second["split.npy"]


def test_ids_and_splits_do_not_depend_on_the_names_of_the_files(plain, tmp_path, out):
    (tmp_path / "again").mkdir()
    run(config(plain), out)
    for name in "ab":
        paths = sorted((plain / name).iterdir())
        for index, path in enumerate(reversed(paths)):
            path.rename(path.with_name(f"renamed-{index:03}.png"))
    run(config(plain), tmp_path / "again")

    def places(folder: Path) -> dict[int, str]:
        dataset = Dataset(folder)
        return {int(i): name for name in SPLITS for i in dataset.split(name).ids}

    assert not np.array_equal(np.load(out / "ids.npy"), np.load(tmp_path / "again" / "ids.npy"))
    assert places(out) == places(tmp_path / "again")


def dirty_folder(root: Path, modality: str, make: Callable) -> DataConfig:
    """A few dozen small files with a copy, an empty file and one of noise, and settings for them."""
    for seed, name in enumerate(("one", "two", "three")):
        paths = make(root / name, 12, seed)
        shutil.copy(paths[0], paths[0].with_stem("copy"))
        paths[1].with_stem("empty").write_bytes(b"")
        paths[1].with_stem("noise").write_bytes(bytes(range(256)))
    settings_ = {
        "image": {},
        "text": {"text": {"tokenizer": {"vocabulary": 320}}},
        "audio": {"audio": {"rate": 8000, "windows": True, "seconds": 0.1, "mels": 16}},
    }
    check = {"label_check": {"folds": 3}}
    return config(root, f"{modality}_folder", max_quarantined=0.3, **settings_[modality], **check)


@pytest.mark.parametrize("modality", ["image", "text", "audio"])
def test_any_number_of_workers_writes_the_same_bytes(
    tmp_path, out, modality, monkeypatch, bytes_of, make_images, make_texts, make_sounds
):
    monkeypatch.setattr(folder_source, "TASK_ROWS", 5)
    make = {"image": make_images, "text": make_texts, "audio": make_sounds}[modality]
    data = dirty_folder(tmp_path / "set", modality, make)
    (tmp_path / "two").mkdir()
    about = run(data, out, workers=1)
    run(data, tmp_path / "two", workers=2)
    assert is_balanced(about)
    assert about["duplicates"] >= 3
    assert sum(about["quarantined"].values()) == 6
    one, two = bytes_of(out), bytes_of(tmp_path / "two")
    assert len(one) >= 8
    assert {name for name in one.keys() | two.keys() if one.get(name) != two.get(name)} == set()
