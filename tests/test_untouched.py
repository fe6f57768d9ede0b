"""The strong models beside what ships are right and see what they should; rows and verdicts say what was found."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

sys.path.insert(0, str(Path(__file__).parents[1] / "bench"))

import strong
import untouched

from bessemer.task import find_task

CLASSIFY, REGRESS, LANGUAGE = (find_task(name) for name in ("classify", "regress", "language"))


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strong, "TREES", 10)
    monkeypatch.setattr(strong, "ROUNDS", (10, 30))


# --- features ---------------------------------------------------------------------------------------------


def test_mfcc_are_cosines_of_the_logarithm_of_mel_bands_by_plain_loops() -> None:
    rate, window, hop = 8000, 200, 80
    clip = np.random.default_rng(0).integers(-9000, 9000, 1000).astype(np.int16)
    bands, rows = strong.mel_bands(rate, window), []
    for start in range(0, len(clip) - window + 1, hop):
        frame = clip[start : start + window] / 32768 * np.hanning(window)
        logs = np.log(np.abs(np.fft.rfft(frame)) ** 2 @ bands + 1e-8)
        place = (np.arange(40) + 0.5) / 40
        row = [np.sqrt(2 / 40) * np.sum(logs * np.cos(np.pi * k * place)) for k in range(20)]
        rows.append([row[0] / np.sqrt(2), *row[1:]])
    expected = np.concatenate([np.mean(rows, 0), np.std(rows, 0)])
    np.testing.assert_allclose(strong.mfcc(clip, rate)[:40], expected, rtol=1e-4, atol=1e-4)


def test_bands_of_mel_overlap_so_that_their_sum_is_one_between_the_outer_corners() -> None:
    sums = strong.mel_bands(16000, 400).sum(1)
    np.testing.assert_allclose(sums[3:180], 1, atol=1e-9)
    assert strong.mel_bands(8000, 200).shape == (101, 40)


def test_padding_does_not_change_mfcc_and_silence_has_some() -> None:
    clip = np.random.default_rng(1).integers(1, 9000, 3000).astype(np.int16)
    assert np.array_equal(strong.mfcc(np.pad(clip, (500, 2000)), 8000), strong.mfcc(clip, 8000))
    assert np.isfinite(strong.mfcc(np.zeros(50, np.int16), 8000)).all()


def test_hog_has_about_eight_cells_a_side_and_colors_add_up_to_one() -> None:
    dice = np.random.default_rng(0)
    assert strong.hog_and_colors(dice.integers(0, 256, (28, 28, 1), np.uint8)).shape == (6 * 6 * 36,)
    colored = strong.hog_and_colors(dice.integers(0, 256, (96, 48, 3), np.uint8))
    assert colored.shape == (7 * 3 * 36 + 64,)
    assert np.square(colored[-64:]).sum() == pytest.approx(1)


def test_hog_tells_directions_of_edges_apart_and_not_how_bright_they_are() -> None:
    stripes = np.repeat(np.arange(32) // 4 % 2 * 100, 32).reshape(32, 32, 1).astype(np.uint8)
    flat, bright = (strong.hog_and_colors(one) for one in (stripes, stripes * 2))
    upright = strong.hog_and_colors(np.ascontiguousarray(stripes.transpose(1, 0, 2)))
    np.testing.assert_allclose(flat, bright, atol=1e-3)
    assert float(flat @ upright) < 0.02 * float(flat @ flat)


def test_hog_is_what_plain_loops_say_of_one_block() -> None:
    picture = np.random.default_rng(3).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    cells, values = np.zeros((2, 2, 9)), picture / 255
    for y in range(8):
        for x in range(8):
            across = (values[y, min(x + 1, 7)] - values[y, max(x - 1, 0)]) / 2
            down = (values[min(y + 1, 7), x] - values[max(y - 1, 0), x]) / 2
            color = int(np.argmax(np.hypot(across, down)))
            degrees = np.degrees(np.arctan2(down[color], across[color])) % 180
            for place in range(9):  # centers stand at 10, 30, ... degrees
                apart = abs(degrees - (10 + 20 * place))
                share = max(0.0, 1 - min(apart, 180 - apart) / 20)
                cells[y // 4, x // 4, place] += share * np.hypot(across[color], down[color])
    block = cells.ravel() / np.sqrt(np.square(cells).sum() + 1e-6)
    block = np.minimum(block, 0.2)
    expected = block / np.sqrt(np.square(block).sum() + 1e-6)
    np.testing.assert_allclose(strong.hog(picture, 4), expected, rtol=1e-5)


def test_xz_knows_a_test_text_that_stands_in_the_training_text_and_no_noise() -> None:
    dice = np.random.default_rng(0)
    known, new = ("".join(chr(code) for code in dice.integers(33, 127, 8000)) for _ in range(2))
    assert strong.xz_bits([known, "other"], [known]) < 0.1
    assert 6.4 < strong.xz_bits([known], [new]) < 7  # the logarithm of 94 is 6.55


# --- choosing, and answers on test rows -------------------------------------------------------------------


class Prepared:
    """What `strong` reads of a prepared data set: 80, 20 and 40 rows of two classes."""

    def __init__(self, kind: str, make: Any) -> None:
        dice = np.random.default_rng(0)
        self.rows, self.about = {}, {"modality": kind, "preprocess": {"rate": 8000}, "arguments": {}}
        for name, count in (("train", 80), ("validation", 20), ("test", 40)):
            labels = dice.integers(0, 2, count)
            inputs = [make(dice, label) for label in labels]
            self.rows[name] = SimpleNamespace(labels=labels, inputs=inputs if kind == "text" else np.array(inputs))
        self.kind = SimpleNamespace(columns=lambda rows, arguments: (rows, np.array([False, True])))

    def split(self, name: str) -> Any:
        return self.rows[name]

    def texts(self, name: str) -> list[str]:
        return self.rows[name].inputs


def striped(dice: np.random.Generator, label: int) -> np.ndarray:
    picture = np.repeat(np.arange(32) // 4 % 2 * 100, 32).reshape(32, 32, 1)
    return ((picture.transpose(1, 0, 2) if label else picture) + dice.integers(0, 99, (32, 32, 1))).astype(
        np.uint8
    )


def tone(dice: np.random.Generator, label: int) -> np.ndarray:
    wave = np.sin(2 * np.pi * (440, 1200)[label] * np.arange(1600) / 8000) + dice.normal(0, 0.5, 1600)
    return (6000 * wave).astype(np.int16)


def words(dice: np.random.Generator, label: int) -> str:
    return " ".join(dice.choice([*"abcdefgh", ("stone", "water")[label]], 12)) + (" stone", " water")[label]


def cells(dice: np.random.Generator, label: int) -> np.ndarray:
    code = dice.integers(0, 4)
    return np.array([dice.normal(2 * label - 1, 0.3) * (1 if code % 2 else -1), code], np.float32)


@pytest.mark.parametrize(
    ("kind", "make", "name"),
    [
        ("image", striped, "HOG and colors"),
        ("audio", tone, "MFCC"),
        ("text", words, "TF-IDF"),
        ("table", cells, ""),
    ],
)
def test_the_strong_model_of_each_kind_finds_what_is_there(kind: str, make: Any, name: str) -> None:
    dataset = Prepared(kind, make)
    found = strong.strong(dataset, CLASSIFY, 0)
    assert found.value >= 0.95
    assert found.name.startswith(name)
    assert np.array_equal(found.records["truth"], dataset.split("test").labels)
    assert found.value == np.mean(found.records["decided"] == found.records["truth"])


def test_numbers_are_answered_in_their_unit() -> None:
    dataset = Prepared("table", cells)
    for rows in dataset.rows.values():
        rows.labels = 100 + 20 * rows.inputs[:, 0]
    found = strong.strong(dataset, REGRESS, 0)
    assert found.value < 2
    assert found.records["said"].shape == (40, 1)
    assert found.records["scale"].tolist() == [1]


def test_the_better_model_is_chosen_and_learns_from_both_splits() -> None:
    dice = np.random.default_rng(0)
    rows = dice.normal(size=(400, 2))
    labels = (rows[:, 0] * rows[:, 1] > 0).astype(np.int64)  # no line tells them apart
    candidates = {"line": LogisticRegression, "tree": lambda: DecisionTreeClassifier(random_state=0)}
    model, name = strong.taught(candidates, [rows[:300], rows[300:]], [labels[:300], labels[300:]], 0)
    assert name == "tree"
    assert (model.predict(rows) == labels).all()  # those of validation too


# --- sets -------------------------------------------------------------------------------------------------


def options(tmp_path: Path, **others: Any) -> argparse.Namespace:
    given = {
        "work": tmp_path / "work",
        "debian": tmp_path / "debian",
        "seeds": [0],
        "minutes": None,
        "until": None,
    }
    return argparse.Namespace(**{**given, **others})


@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("languages", "asterisk-core-sounds-en-wav asterisk-core-sounds-es-wav"),
        ("drawings", "openclipart-png"),
        ("fashion", "dataset-fashion-mnist"),
    ],
)
def test_a_set_whose_package_is_missing_is_skipped_with_its_name(
    name: str, package: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert untouched.bench_set(name, options(tmp_path)) == []
    assert f"| {name} | skipped: apt-get install {package}" in capsys.readouterr().out
    assert not (tmp_path / "work" / "sets" / name).exists()


def test_the_largest_categories_are_taken_without_links_and_what_is_none(tmp_path: Path) -> None:
    source = tmp_path / "usr/share/openclipart/png"
    for place in range(12):
        folder = source / f"c{place:02d}" / "inner"
        folder.mkdir(parents=True)
        for number in range(place + 1):
            Image.new("L", (2, 2), number).save(folder / f"{number}.png")
        (folder.parent / "other.png").symlink_to("inner/0.png")
    (source / "unsorted").mkdir()
    for number in range(50):
        Image.new("L", (2, 2), number).save(source / "unsorted" / f"{number}.png")
    untouched.build_drawings(tmp_path / "out", tmp_path)
    counts = {path.name: len(list(path.rglob("*.png"))) for path in (tmp_path / "out").iterdir()}
    assert counts == {f"c{place:02d}": place + 1 for place in range(2, 12)}


def test_languages_are_folders_named_by_language(tmp_path: Path) -> None:
    for voice in untouched.VOICES.values():
        folder = tmp_path / "usr/share/asterisk/sounds" / voice / "digits"
        folder.mkdir(parents=True)
        (folder / "1.wav").write_bytes(b"RIFF")
    untouched.build_languages(tmp_path / "out", tmp_path)
    found = sorted(str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.wav"))
    assert found == [f"{name}/digits/1.wav" for name in ("en", "es", "fr", "it", "ru")]


def test_a_set_is_built_once_and_a_table_is_given_as_a_file(tmp_path: Path) -> None:
    path = untouched.built("wine", tmp_path, tmp_path)
    assert path.read_text(encoding="utf-8").count("\n") == 179
    path.write_text("mine", encoding="utf-8")
    assert untouched.built("wine", tmp_path, tmp_path).read_text(encoding="utf-8") == "mine"


# --- rows and verdicts ------------------------------------------------------------------------------------


def test_a_verdict_needs_an_interval_without_zero() -> None:
    assert [untouched.verdict(*one) for one in ((0.01, 0.2), (-0.1, 0.2), (-0.2, -0.01))] == [
        "ahead",
        "level",
        "behind",
    ]


def test_fewer_bits_than_xz_are_a_gain_and_the_network_s_interval_is_the_gap_s() -> None:
    other = strong.Strong("xz", 1.6)
    ours = {"value": 1.5, "low": 1.4, "high": 1.55}
    found = untouched.difference(Path(), "shipped", None, LANGUAGE, ours, other, 0)
    assert found == pytest.approx((0.1, 0.05, 0.2))


def test_what_ships_is_told_by_the_steps_that_led_to_it() -> None:
    def report(*steps: str) -> dict[str, Any]:
        other = {"chosen": False, "steps": [{"step": "simple"}]}
        return {"contract": {"candidates": [other, {"chosen": True, "steps": [{"step": one} for one in steps]}]}}

    assert untouched.what_ships(report("simple"), "shipped") == "simple model"
    assert untouched.what_ships(report("prune", "quantize"), "shipped") == "network"
    assert untouched.what_ships({}, "shipped") == "network"
    assert untouched.what_ships(report("simple"), "parent") == "nothing; the parent is told"


def test_rows_set_aside_are_told_with_their_reasons() -> None:
    data = {"rows": 12, "kept": 8, "classes": ["a", "b"], "class_counts": {"test": [6, 2]}}
    data |= {"quarantined": {"silent": 2}, "duplicates": 1, "leaks": 0}
    assert untouched.sizes(data) == ["8 of 12", "2"]
    assert untouched.unevenness(data) == 3
    assert untouched.aside(data) == {"silent": 2, "copies": 1}
    assert untouched.sizes({"rows": 5, "kept": 5, "classes": [""]}) == ["5 of 5", "-"]


def test_a_failed_command_is_told_by_its_last_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(arguments: list[str], output: Path) -> tuple[int, float]:
        output.parent.mkdir(parents=True)
        output.write_text("error: no rows\n  → add some\n\n", encoding="utf-8")
        return 4, 1.0

    monkeypatch.setattr(untouched, "bessemer", refused)
    assert untouched.bench_set("wine", options(tmp_path)) == ["failed"]
    assert "| wine | init: exit code 4: → add some |" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_whole_row_from_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (verdict,) = untouched.bench_set("wine", options(tmp_path))
    (row,) = capsys.readouterr().out.splitlines()
    told = [cell.strip() for cell in row.strip("|").split("|")]
    assert len(told) == len([*untouched.HEADS, *untouched.COMPARED, "verdict", "min"])
    assert told[:4] == ["wine", "0", "178 of 178", "3"]
    assert verdict in told
    report = untouched.read_report(tmp_path / "work/runs/wine-0")
    assert told[4].startswith(f"{report['metrics']['shipped']['accuracy']['value']:.2%}")
