"""Parts of one scene or work fall into one split; it is told, and can be switched off."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bessemer.data.config import DataConfig
from bessemer.prepare.groups import join
from bessemer.prepare.prepare import prepare

LETTERS = list("aeioudgklmnprst")


def scene(scene: int, shot: int) -> Image.Image:
    rng = np.random.default_rng((scene, shot))
    return Image.fromarray(rng.integers(0, 256, (5, 5), dtype=np.uint8)).resize((16, 16), Image.Resampling.BICUBIC)


def scenes(root: Path, splits: tuple[str, ...] = ("",)) -> Path:
    """Ten scenes of four shots, five of each class."""
    for place in range(10):
        folder = root / splits[place % len(splits)] / "ab"[place % 2]
        folder.mkdir(parents=True, exist_ok=True)
        for shot in range(4):
            scene(place, shot).save(folder / f"scene{place:02}_{shot}.png")
    return root


def prepared(out: Path, source: str, path: Path, **data: Any) -> tuple[dict[str, Any], dict[str, set[str]]]:
    """What is told, and the splits of the files of each stem."""
    import pyarrow as pa

    config = DataConfig.model_validate({"source": source, "path": str(path), "label_check": {"folds": 0}, **data})
    about = prepare(config, 0, out, workers=1)
    with pa.memory_map(str(out / "rows.arrow")) as file:
        rows = pa.ipc.open_file(file).read_all().to_pylist()
    found = defaultdict(set)
    for row in rows:
        if row["state"] == "kept":
            found[Path(row["origin"]).stem.rpartition("_")[0]].add(row["split"])
    return about, found


def test_shots_of_a_scene_fall_into_one_split(tmp_path):
    about, found = prepared(tmp_path / "out", "image_folder", scenes(tmp_path / "set"))
    assert all(len(splits) == 1 for splits in found.values())
    assert about["splits"] == {"train": 24, "validation": 8, "test": 8}
    assert about["class_counts"]["test"] == [4, 4]
    assert about["together"] == {
        "used": {"names of files": {"groups": 10, "rows": 40}}, "unused": {}, "across": 0
    }  # fmt: skip
    assert "Kept on one side of the split: 10 groups of 40 samples, by names of files." in about["notes"]


def test_it_can_be_switched_off(tmp_path):
    about, found = prepared(tmp_path / "out", "image_folder", scenes(tmp_path / "set"), split={"together": False})
    assert any(len(splits) > 1 for splits in found.values())
    assert about["together"]["used"] == {}
    assert about["splits"] == {"train": 28, "validation": 4, "test": 8}


def test_two_editions_of_a_work_fall_into_one_split(tmp_path):
    rng = np.random.default_rng(0)
    words = ["".join(one) for one in rng.choice(LETTERS, (900, 6))]
    for place in range(24):
        label = tmp_path / "set" / "ab"[place % 2]
        label.mkdir(parents=True, exist_ok=True)
        work = rng.choice(words, 700)
        (label / f"{place * 37}x_1.txt").write_text(" ".join(work))
        if place < 6:
            edition = np.where(rng.random(700) < 0.05, "changed", work)
            (label / f"{place * 37}x_2009.txt").write_text(" ".join(edition))
    about, found = prepared(tmp_path / "out", "text_folder", tmp_path / "set")
    assert about["near_duplicates"] == 0
    assert about["together"]["used"] == {"shared passages": {"groups": 6, "rows": 12}}
    assert all(len(splits) == 1 for splits in found.values())


def test_parts_under_a_fixed_camera_are_kept_and_listed_as_alike(tmp_path):
    ground = np.random.default_rng(0).integers(0, 256, (6, 6), dtype=np.uint8)
    for label in ("good", "scratched"):
        (tmp_path / "set" / label).mkdir(parents=True)
        for place in range(12):
            noise = np.random.default_rng((place, len(label))).integers(-3, 4, (32, 32))
            large = np.asarray(Image.fromarray(ground).resize((32, 32), Image.Resampling.BICUBIC), int)
            Image.fromarray((large + noise).clip(0, 255).astype(np.uint8)).save(
                tmp_path / "set" / label / f"{place}.png"
            )
    about, _ = prepared(tmp_path / "out", "image_folder", tmp_path / "set")
    assert (about["kept"], about["duplicates"], about["conflicts"]["count"]) == (24, 0, 0)
    assert about["near_kept"]["pairs"] > 12
    assert {pair["state"] for pair in about["nearest"]} == {"kept"}
    assert about["together"]["unused"] == {"near copies": "most of a class would be one group, or in few groups"}
    assert any(note.startswith("Near copies are listed and not removed, as") for note in about["notes"])


def test_what_leaves_a_given_test_split_is_counted(tmp_path):
    root = scenes(tmp_path / "set", ("train", "train", "test", "test"))
    Image.new("L", (16, 16), 9).save(root / "test" / "a" / "blank.png")
    (root / "test" / "b" / "broken.png").write_bytes(b"no picture")
    about, _ = prepared(tmp_path / "out", "image_folder", root)
    test = about["given"]["test"]
    assert (test["rows"], test["kept"], sum(test["set_aside"].values())) == (18, 16, 2)
    assert about["splits"]["test"] == 16
    assert any(
        note.startswith("2 of the 18 rows of the given test split are not used: 1 ") for note in about["notes"]
    )


@pytest.mark.parametrize(
    ("pairs", "wanted"),
    [([[0, 1]], [5, 5, 7, 8]), ([[0, 1], [1, 3]], [5, 5, 7, 5]), ([[2, 3]], [5, 6, 7, 7])],
)
def test_joined_groups_have_the_least_number_of_their_rows(pairs, wanted):
    assert join(np.array([5, 6, 7, 8], np.uint64), np.array(pairs)).tolist() == wanted
