"""Planted label errors are listed for review with their names, and nothing else happens to them."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from bessemer.data.config import DataConfig
from bessemer.data.dataset import Dataset
from bessemer.prepare.prepare import prepare

FLIPPED = 6


def plant(root: Path, modality: str, make) -> tuple[DataConfig, set[str]]:
    """60 samples of each of two classes that are easily told apart, six of them in the folder of the other."""
    other = {"image_folder": {}, "text_folder": {"text": {"boilerplate": 0.0, "tokenizer": {"vocabulary": 400}}}}
    for seed, name in enumerate(("one", "two")):
        make(root / name, seed)
    flipped = {}
    for own, wrong in (("one", "two"), ("two", "one")):
        for path in sorted((root / own).iterdir())[: FLIPPED // 2]:
            flipped[path] = f"{wrong}/{path.name}"
    for path, name in flipped.items():
        shutil.move(path, root / name)
    return DataConfig(source=modality, path=str(root), **other[modality]), set(flipped.values())


@pytest.fixture
def make(request, make_texts):
    """Texts of a topic, or pictures that are bright on one side."""

    def texts(folder: Path, seed: int) -> None:
        make_texts(folder, 60, seed + 1, words=120, topic=4 * seed)

    def images(folder: Path, seed: int) -> None:
        from PIL import Image

        folder.mkdir(parents=True)
        generator = np.random.default_rng(seed)
        for index in range(60):
            pixels = generator.integers(0, 140, (12, 12), np.uint8)
            pixels[:, 6 * seed : 6 * seed + 6] += 90
            Image.fromarray(pixels).save(folder / f"{seed}-{index:02}.png")

    return {"text_folder": texts, "image_folder": images}[request.param]


@pytest.mark.parametrize(
    ("make", "modality"),
    [("text_folder", "text_folder"), ("image_folder", "image_folder")],
    indirect=["make"],
)
def test_planted_label_errors_of_the_training_split_are_listed(tmp_path, out, make, modality, rows_of):
    config, flipped = plant(tmp_path / "set", modality, make)
    about = prepare(config, 0, out, workers=1)
    rows, dataset = rows_of(out), Dataset(out)
    assert (about["rows"], about["kept"]) == (120, 120)
    planted = {row["origin"] for row in rows if row["split"] == "train"} & flipped
    issues = about["label_issues"]
    assert about["label_check"] == {"checked": about["splits"]["train"], "found": len(issues)}
    assert len(planted) >= 3
    found = {rows[issue["row"]]["origin"] for issue in issues}
    assert found <= planted
    assert len(found) >= 0.7 * len(planted)
    for issue in issues:
        assert rows[issue["row"]]["label"] == issue["given"] != issue["suggested"]
        assert dataset.names(np.array([issue["sample"]])) == [rows[issue["row"]]["origin"]]
        assert issue["confidence"] > 0.5
    confidences = [issue["confidence"] for issue in issues]
    assert confidences == sorted(confidences, reverse=True)


def test_no_more_samples_are_looked_at_than_asked_for(tmp_path, out, make_texts):
    for seed, name in enumerate("ab"):
        make_texts(tmp_path / "set" / name, 90, seed, topic=4 * seed, words=12)
    check = {"sample": 100, "folds": 3}
    text = {"boilerplate": 0.0, "tokenizer": {"vocabulary": 300}}
    config = DataConfig(source="text_folder", path=str(tmp_path / "set"), label_check=check, text=text)
    about = prepare(config, 0, out, workers=1)
    assert about["splits"]["train"] == 130
    assert about["label_check"]["checked"] == 100


def test_the_check_can_be_switched_off(tmp_path, out, make_images):
    for seed, name in enumerate("ab"):
        make_images(tmp_path / "set" / name, 10, seed)
    config = DataConfig(source="image_folder", path=str(tmp_path / "set"), label_check={"folds": 0})
    about = prepare(config, 0, out, workers=1)
    assert (about["label_check"], about["label_issues"]) == (None, [])
