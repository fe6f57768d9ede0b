"""What belongs together by the names of files, and what only looks so."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pyarrow as pa
import pytest

from bessemer.prepare.names import groups_by_name, name_keys, stems_of
from bessemer.prepare.staging import ROW_SCHEMA


@pytest.mark.parametrize(
    ("name", "stems"),
    [
        ("scene03_01", [("scene03", 1), ("scene", 3)]),
        ("book_part12", [("book", 12)]),
        ("p12_s3_07", [("p12_s3", 7), ("p12_s", 3)]),
        ("photo (2)", [("photo", 2)]),
        ("page7b", [("page7", ord("b")), ("page", 7)]),
        ("object4_left", [("object4", 0), ("object", 4)]),
        ("step1", [("step", 1)]),
        ("12_01", [("12", 1)]),
        ("0001", []),
        ("cat", []),
    ],
)
def test_stems_from_fine_to_coarse(name, stems):
    assert stems_of(name) == stems


def grouped(tmp_path, files: list[str], place: str = "") -> list[list[str]]:
    """The groups of two files or more, by the table of rows."""
    labels = [file.split("/")[-2] if file.count("/") == 1 else file.split("/")[0] for file in files]
    rows = [
        {"row": row, "source": 0, "origin": file, "place": place, "label": label, "split": "", "repairs": []}
        for row, (file, label) in enumerate(zip(files, labels, strict=True))
    ]
    path = tmp_path / "rows.arrow"
    with pa.ipc.new_file(path, ROW_SCHEMA) as out:
        for start in range(0, len(rows), 7):
            out.write_batch(pa.RecordBatch.from_pylist(rows[start : start + 7], ROW_SCHEMA))
    kept = np.arange(len(files))
    codes = np.unique(labels, return_inverse=True)[1].astype(np.int32)
    found = defaultdict(list)
    for file, key in zip(files, groups_by_name(*name_keys(path, kept), codes).tolist(), strict=True):
        if key:
            found[key].append(file)
    return [group for group in found.values() if len(group) > 1]


SCENES = [f"{'ab'[scene % 2]}/scene{scene:02}_{shot:02}.png" for scene in range(12) for shot in range(1, 5)]


def test_parts_of_a_scene_are_one_group(tmp_path):
    groups = grouped(tmp_path, SCENES)
    assert [len(group) for group in groups] == [4] * 12
    assert groups[0] == [f"a/scene00_{shot:02}.png" for shot in range(1, 5)]
    assert grouped(tmp_path, SCENES, place="part 1") == []  # parts of one file are together anyway


def test_parts_of_a_scene_are_together_across_classes(tmp_path):
    files = [f"{'ab'[shot % 2]}/scene{scene:02}_{shot:02}.png" for scene in range(12) for shot in range(4)]
    assert [len(group) for group in grouped(tmp_path, files)] == [4] * 12


@pytest.mark.parametrize(
    ("files", "groups"),
    [
        ([f"{c}/scene{s}_{i}.png" for c in "ab" for s in range(6) for i in range(3)], 12),  # of two scenes each
        ([f"{c}/{c}{b}_part{i}.txt" for c in "xy" for b in ("moby", "emma", "fall", "q1a") for i in range(3)], 8),
        ([f"{c}/patient{p}/slice{i:03}.png" for c in ("ill", "well") for p in range(6) for i in range(5)], 12),
        ([f"{c}/p{p}_s{s}_{i}.png" for c in "ab" for p in range(6) for s in range(2) for i in range(3)], 12),
        ([f"{c}/{c}v{v}_frame{i:05}.png" for c in "xy" for v in range(6) for i in range(0, 300, 30)], 12),
        ([f"{c}/{c}{p}{side}.png" for c in "xy" for p in range(6) for side in "abc"], 12),
        ([f"{c}/{c}{997 * n}_{x}.txt" for c in "xy" for n in range(12) for x in "12"[: 1 + (n < 3)]], 6),
    ],
)  # fmt: skip
def test_parts_as_they_are_named(tmp_path, files, groups):
    found = grouped(tmp_path, files)
    assert len(found) == groups
    assert all(len({file.split("/")[0] for file in group}) == 1 for group in found)


@pytest.mark.parametrize(
    "files",
    [
        [f"{c}/img_{i:04}.png" for c in "ab" for i in range(40)],  # one stem for all
        [f"{c}/{c}_{i}.png" for c in ("cat", "dog") for i in range(40)],  # one for each class
        [f"{c}/{i}.png" for c in "ab" for i in range(40)],
        [f"{c}/scene{s}_{i}.png" for c in "ab" for s in range(3) for i in range(4)],  # too few to split
        [
            f"{c}/{p}{811 * i % 9973:04}.jpg"
            for c in "ab"
            for p in ("IMG_", "DSC", "P", "photo-")
            for i in range(20)
        ],
        [
            f"{c}/cv{i:03}_{7919 * (i + 1) * (1 + (c == 'pos')) % 29989}.txt"
            for c in ("pos", "neg")
            for i in range(40)
        ],
    ],
)
def test_names_that_say_nothing_make_no_group(tmp_path, files):
    assert grouped(tmp_path, files) == []
