"""`init` looks at data of every kind and writes a recipe that loads and fits it."""

from __future__ import annotations

import gzip
import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from bessemer.data.audio.starter import LEAST_SOUND_STEPS, audio_epochs
from bessemer.errors import DataError, UsageError
from bessemer.prepare.prepare import prepare
from bessemer.recipe import Recipe, load_recipe
from bessemer.starter import write_recipe

CLASSES = ("ape", "bee", "cat")
WORDS = ["".join(letters) for letters in np.random.default_rng(5).choice(list("aeioubdgklmnprst"), (300, 6))]


def write_image(path: Path, seed: int, size: tuple[int, int, int] = (20, 24, 3)) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, size, np.uint8)
    Image.fromarray(pixels if size[2] == 3 else pixels[..., 0]).save(path)


def body(seed: int, words: int = 50) -> str:
    return " ".join(np.random.default_rng(seed).choice(WORDS, words))


def write_sound(path: Path, seed: int, seconds: float = 0.5) -> None:
    wave = np.random.default_rng(seed).normal(0, 0.1, round(16_000 * seconds))
    soundfile.write(path, wave, 16_000, subtype="PCM_16")


def folder(root: Path, suffix: str, write: Callable[[Path, int], object], count: int = 8) -> Path:
    """A folder per class."""
    for place, name in enumerate(CLASSES):
        (root / name).mkdir(parents=True)
        for index in range(count):
            write(root / name / f"{index}{suffix}", 100 * place + index)
    return root


def write_text(path: Path, seed: int) -> None:
    path.write_text(body(seed), encoding="utf-8")


def zipped(root: Path) -> Path:
    path = root.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(root.rglob("*.*")):
            archive.write(file, file.relative_to(root.parent))
    return path


def text_table(path: Path) -> Path:
    rows = "".join(f'{i},"{body(i)}",{CLASSES[i % 3]}\n' for i in range(24))
    path.write_text("id,message,kind\n" + rows, encoding="utf-8")
    return path


def json_table(path: Path) -> Path:
    rows = [{"q": body(i), "label": CLASSES[i % 3], "split": ["train", "test"][i % 4 == 0]} for i in range(48)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def manifest(root: Path, suffix: str, write: Callable[[Path, int], object]) -> Path:
    """A table that names the files of one flat folder."""
    (root / "files").mkdir(parents=True)
    lines = ["file,label"]
    for index in range(24):
        write(root / "files" / f"{index}{suffix}", index)
        lines.append(f"files/{index}{suffix},{CLASSES[index % 3]}")
    (root / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root


def idx(root: Path) -> Path:
    root.mkdir()
    generator = np.random.default_rng(0)
    for prefix, count in (("train", 40), ("t10k", 12)):
        for kind, array in (
            ("images-idx3", generator.integers(0, 256, (count, 9, 9), np.uint8)),
            ("labels-idx1", np.arange(count, dtype=np.uint8) % 4),
        ):
            head = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}i", *array.shape)
            with gzip.open(root / f"{prefix}-{kind}-ubyte.gz", "wb") as file:
                file.write(head + array.tobytes())
    return root


KINDS: dict[str, tuple[Callable[[Path], Path], str, str, str]] = {
    "images": (lambda at: folder(at / "x", ".png", write_image), "image", "image_folder", "24 images of 3"),
    "zipped images": (
        lambda at: zipped(folder(at / "x", ".png", write_image)),
        "image",
        "image_folder",
        "24 images of 3 classes, 20x24 RGB",
    ),
    "idx": (lambda at: idx(at / "x"), "image", "idx", "52 images of 4 classes, 9x9 gray"),
    "table of images": (lambda at: manifest(at / "x", ".png", write_image), "image", "table", "24 images of 3"),
    "texts": (lambda at: folder(at / "x", ".txt", write_text), "text", "text_folder", "24 texts of 3 classes"),
    "zipped texts": (
        lambda at: zipped(folder(at / "x", ".txt", write_text)),
        "text",
        "text_folder",
        "24 texts of 3 classes",
    ),
    "CSV": (lambda at: text_table(at / "x.csv"), "text", "table", "24 texts of 3 classes"),
    "JSON Lines": (lambda at: json_table(at / "x.jsonl"), "text", "table", "48 texts of 3 classes"),
    "sounds": (
        lambda at: folder(at / "x", ".wav", write_sound),
        "audio",
        "audio_folder",
        "24 recordings of 3 classes, clips of 0.5 s",
    ),
    "zipped sounds": (
        lambda at: zipped(folder(at / "x", ".wav", write_sound)),
        "audio",
        "audio_folder",
        "24 recordings of 3 classes",
    ),
    "table of sounds": (lambda at: manifest(at / "x", ".wav", write_sound), "audio", "table", "24 recordings"),
}


def started(data: Path, at: Path) -> Recipe:
    write_recipe(data, at / "recipe.yaml")
    return load_recipe(at / "recipe.yaml")


@pytest.mark.parametrize("kind", KINDS)
def test_the_recipe_loads_and_prepares_what_was_found(tmp_path: Path, kind: str) -> None:
    make, modality, source, found = KINDS[kind]
    (tmp_path / "data").mkdir()
    data = make(tmp_path / "data")
    said = write_recipe(data, tmp_path / "recipe.yaml")
    assert said.startswith(found)
    assert said.endswith(f"Next: bessemer run {tmp_path / 'recipe.yaml'}")
    recipe = load_recipe(tmp_path / "recipe.yaml")
    assert (recipe.name, recipe.data.modality, recipe.data.source) == ("x", modality, source)
    quick = recipe.data.model_copy(update={"label_check": recipe.data.label_check.model_copy(update={"folds": 0})})
    (tmp_path / "out").mkdir()
    about = prepare(quick, recipe.seed, tmp_path / "out", workers=1)
    assert about["kept"] >= about["rows"] == int(said.split()[0])
    assert all(about["splits"].values())


# --- what the recipe says -------------------------------------------------------------------------------


def test_columns_of_a_table_are_named(tmp_path: Path) -> None:
    columns = started(text_table(tmp_path / "mail.csv"), tmp_path).data.columns
    assert columns is not None
    assert (columns.text, columns.label, columns.split) == ("message", "kind", None)
    (tmp_path / "other").mkdir()
    columns = started(json_table(tmp_path / "other" / "q.jsonl"), tmp_path / "other").data.columns
    assert columns is not None
    assert (columns.text, columns.label, columns.split) == ("q", "label", "split")
    assert "the data brings test, train" in (tmp_path / "other" / "recipe.yaml").read_text()


def test_the_comment_on_top_tells_the_classes(tmp_path: Path) -> None:
    data = folder(tmp_path / "x", ".png", write_image)
    for index in range(5):
        write_image(data / "bee" / f"more{index}.png", 900 + index)
    (data / "ape" / "0.png").unlink()
    started(data, tmp_path)
    head = (tmp_path / "recipe.yaml").read_text(encoding="utf-8").split("\n")[:2]
    assert head[0] == "# 28 images of 3 classes, at 20x24."
    assert head[1] == "# The largest class is 'bee' with 13, the smallest 'ape' with 7."


def test_how_the_files_were_read_is_printed_and_stands_in_the_recipe(tmp_path: Path) -> None:
    lines = [f"{'xy'[i % 2]}\t{body(i, 20)}" for i in range(40)]
    (tmp_path / "sms.tsv").write_text("\n".join(lines))
    said = write_recipe(tmp_path / "sms.tsv", tmp_path / "r.yaml")
    note = "sms.tsv: its first row seems to be data, not a header"
    assert f"\n{note}" in said
    assert f"\n# {note}" in (tmp_path / "r.yaml").read_text()


def test_lines_of_one_file_a_class_are_counted(tmp_path: Path) -> None:
    for seed, label in enumerate(("good", "bad")):
        (tmp_path / "set" / label).mkdir(parents=True)
        lines = [body(100 * seed + i, 12) for i in range(30 + 10 * seed)]
        (tmp_path / "set" / label / "all.txt").write_text("\n".join(lines) + "\n")
    said = write_recipe(tmp_path / "set", tmp_path / "r.yaml")
    assert said.startswith("70 texts of 2 classes")
    assert "\nEach line of a file is a sample.\n" in said
    assert "with 40, the smallest 'good' with 30." in (tmp_path / "r.yaml").read_text()


@pytest.mark.parametrize(("channels", "flip"), [(1, "none"), (3, "horizontal")])
def test_gray_images_are_not_mirrored(tmp_path: Path, channels: int, flip: str) -> None:
    data = folder(tmp_path / "x", ".png", lambda path, seed: write_image(path, seed, (20, 20, channels)))
    recipe = started(data, tmp_path)
    assert recipe.augment.flip == flip
    assert recipe.data.size == [20, 20]


@pytest.mark.parametrize(("side", "stem", "strides"), [(9, "small", [1, 2, 2]), (32, "small", [2, 2, 2])])
def test_small_images_are_not_shrunk_away(tmp_path: Path, side: int, stem: str, strides: list[int]) -> None:
    data = folder(tmp_path / "x", ".png", lambda path, seed: write_image(path, seed, (side, side, 1)))
    recipe = started(data, tmp_path)
    assert (recipe.model.stem, recipe.model.strides) == (stem, strides)


def test_large_images_start_with_a_coarse_stem_and_bounded_size(tmp_path: Path) -> None:
    data = folder(
        tmp_path / "x",
        ".jpg",
        lambda path, seed: write_image(path, seed, (300 + seed, 400 + seed % 90, 3)),
        4,
    )
    recipe = started(data, tmp_path)
    assert recipe.model.stem == "large"
    assert recipe.data.size is not None
    assert max(recipe.data.size) == 224


def test_rare_classes_are_set_aside_only_where_most_classes_are_large(tmp_path: Path) -> None:
    data = folder(tmp_path / "x", ".png", write_image)
    (data / "dog").mkdir()
    write_image(data / "dog" / "0.png", 901)
    assert started(data, tmp_path).data.min_class == 5
    few = folder(tmp_path / "few", ".png", write_image, count=4)
    (tmp_path / "other").mkdir()
    assert started(few, tmp_path / "other").data.min_class == 1


def test_few_recordings_are_cut_into_clips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = folder(tmp_path / "x", ".wav", lambda path, seed: write_sound(path, seed, 2.0 + seed % 3))
    audio = started(data, tmp_path).data.audio
    assert (audio.windows, audio.seconds, audio.rate) == (True, 2.0, 16_000)
    monkeypatch.setattr("bessemer.data.audio.FEW_RECORDINGS", 10)
    (tmp_path / "other").mkdir()
    audio = started(data, tmp_path / "other").data.audio
    assert (audio.windows, audio.seconds) == (False, 4.0)


@pytest.mark.parametrize(
    ("clips", "seconds", "epochs", "batch"),
    [(60, 1.0, 670, 16), (300, 1.4, 134, 16), (999, 1.0, 41, 16), (1000, 1.0, 40, 32), (4200, 1.4, 15, 32)],
)
def test_few_clips_are_seen_often_enough(clips: int, seconds: float, epochs: int, batch: int) -> None:
    assert audio_epochs(clips, seconds) == (epochs, batch)
    assert batch == 32 or epochs * round(0.72 * clips) / batch >= LEAST_SOUND_STEPS


@pytest.mark.parametrize(("words", "longest"), [(20, 256), (250, 512), (3000, 2048)])
def test_texts_are_cut_where_most_of_them_end(tmp_path: Path, words: int, longest: int) -> None:
    data = folder(tmp_path / "x", ".txt", lambda path, seed: path.write_text(body(seed, words)))
    assert started(data, tmp_path).data.text.max_tokens == longest


@pytest.mark.parametrize(
    ("name", "run"), [("Bilder, roh", "Bilder__roh"), ("größe", "gr__e"), ("#1: yes", "1__yes"), ("数据", "run")]
)
def test_any_name_of_a_folder_gives_a_recipe(tmp_path: Path, name: str, run: str) -> None:
    recipe = started(folder(tmp_path / name, ".png", write_image), tmp_path)
    assert recipe.name == run
    assert recipe.data.path == str(tmp_path / name)


def test_class_names_of_any_letters_stand_in_the_comment(tmp_path: Path) -> None:
    rows = [{"text": body(i), "label": ["a\nname: evil", "b # c", "ü: d"][i % 3]} for i in range(24)]
    path = tmp_path / "t.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    assert started(path, tmp_path).name == "t"


def test_relative_data_is_found_from_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder(tmp_path / "x", ".png", write_image)
    (tmp_path / "recipes").mkdir()
    monkeypatch.chdir(tmp_path)
    assert started(Path("x"), tmp_path / "recipes").data.path == str(tmp_path / "x")


# --- what was decided is said ---------------------------------------------------------------------------


def labelled(at: Path, labels: list[object]) -> Path:
    rows = [{"text": body(row, 15), "label": labels[row % len(labels)]} for row in range(60)]
    at.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return at


def told(data: Path, at: Path, numbers: bool | None = None) -> tuple[str, Recipe]:
    said = write_recipe(data, at / "recipe.yaml", force=True, numbers=numbers)
    comments = (at / "recipe.yaml").read_text(encoding="utf-8").split("name:")[0].replace("\n# ", " ")
    for note in said.split("\n")[1:-1]:
        assert note in comments
    return said, load_recipe(at / "recipe.yaml")


def test_labels_that_differ_in_case_are_one_class_and_told(tmp_path: Path) -> None:
    said, recipe = told(labelled(tmp_path / "t.jsonl", ["Spam", "ham", "spam", "Ham", "spam", "ham "]), tmp_path)
    assert "60 texts of 2 classes" in said
    assert "'Ham' and 'ham' differ in case or blanks alone and are one class: data.merge_alike" in said.replace(
        "'Spam' and 'spam', ", ""
    )
    assert recipe.data.merge_alike
    said, recipe = told(labelled(tmp_path / "t.jsonl", list("aAbBcCdD")), tmp_path)
    assert "60 texts of 8 classes" in said
    assert "stay apart" in said
    assert not recipe.data.merge_alike


@pytest.mark.parametrize("comma", [True, False])
def test_scores_of_texts_are_numbers_to_be_told(tmp_path: Path, comma: bool) -> None:
    scores = [f"{row / 7 - 3:.4f}" for row in range(60)]
    data = labelled(tmp_path / "t.jsonl", [score.replace(".", ",") if comma else score for score in scores])
    said, recipe = told(data, tmp_path)
    assert "60 texts with numbers from -3 to 5.4286" in said
    assert "the number itself is told" in said
    assert recipe.task == "regress"
    assert recipe.data.columns is not None
    assert recipe.data.columns.decimal == ("," if comma else None)
    (tmp_path / "out").mkdir()
    about = prepare(recipe.data, 0, tmp_path / "out", workers=1, numbers=True)
    assert about["kept"] == 60
    assert about["numbers"][0]["name"] == "label"


def test_classes_with_decimal_commas_need_no_decimal_mark(tmp_path: Path) -> None:
    rows = "".join(f"{row * 37 % 50};{row * 11 % 40};{'0,5' if row % 2 else '1,5'}\n" for row in range(60))
    (tmp_path / "t.csv").write_text("width;height;target\n" + rows, encoding="utf-8")
    recipe = started(tmp_path / "t.csv", tmp_path)
    assert recipe.task == "classify"
    assert recipe.data.kind == "table"


def test_ratings_are_classes_unless_numbers_are_asked_for(tmp_path: Path) -> None:
    data = labelled(tmp_path / "t.jsonl", [1, 2, 3, 4, 5])
    said, recipe = told(data, tmp_path)
    assert "Column 'label' holds 5 whole numbers, taken as classes; init --task regress" in said
    assert recipe.task == "classify"
    assert told(data, tmp_path, numbers=True)[1].task == "regress"
    halves = labelled(tmp_path / "h.jsonl", [0.5, 1, 1.5, 2])
    assert told(halves, tmp_path)[1].task == "regress"
    assert told(halves, tmp_path, numbers=False)[1].task == "classify"
    with pytest.raises(DataError, match="its labels are no numbers, such as 'a'"):
        told(labelled(tmp_path / "a.jsonl", ["a", "b"]), tmp_path, numbers=True)


def test_numbers_of_classes_are_classes_however_many(tmp_path: Path) -> None:
    rows = [{"text": body(row, 15), "label": row % 40} for row in range(200)]
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    assert told(tmp_path / "t.jsonl", tmp_path)[1].task == "classify"


def test_rows_without_a_label_and_names_of_nothing_are_told(tmp_path: Path) -> None:
    said, _ = told(labelled(tmp_path / "t.jsonl", ["a", "b", None, "nan"]), tmp_path)
    assert "15 of 60 texts have no label, or several, and are set aside" in said
    assert "'nan': a class here, since the file holds it as text" in said


# --- refusals -------------------------------------------------------------------------------------------


def test_a_recipe_is_replaced_only_when_forced(tmp_path: Path) -> None:
    data = folder(tmp_path / "x", ".png", write_image)
    out = tmp_path / "recipe.yaml"
    out.write_text("mine")
    with pytest.raises(UsageError, match="is there already") as error:
        write_recipe(data, out)
    assert "--force" in error.value.remedy
    assert out.read_text() == "mine"
    write_recipe(data, out, force=True)
    assert load_recipe(out).name == "x"


def test_a_recipe_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    data = folder(tmp_path / "x", ".png", write_image)
    with pytest.raises(UsageError, match="cannot be written: No such file"):
        write_recipe(data, tmp_path / "absent" / "recipe.yaml")


def test_data_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file or folder"):
        write_recipe(tmp_path / "absent", tmp_path / "r.yaml")
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(DataError, match="not a kind of file that is known"):
        write_recipe(tmp_path / "notes.txt", tmp_path / "r.yaml")
    broken = folder(tmp_path / "x", ".png", lambda path, _: path.write_bytes(b"broken"))
    with pytest.raises(DataError, match="none of its 24 files can be read"):
        write_recipe(broken, tmp_path / "r.yaml")
    table = tmp_path / "t.csv"
    table.write_text("message,kind\n" + "".join(f"{body(i)},\n" for i in range(9)), encoding="utf-8")
    with pytest.raises(DataError, match="no column that could be the class"):
        write_recipe(table, tmp_path / "r.yaml")
    assert not (tmp_path / "r.yaml").exists()


@pytest.mark.parametrize(
    ("label", "problem"), [("", "no row in it has a label"), ("a", r"only one class in it \(a\)")]
)
def test_fewer_than_two_classes_are_refused(tmp_path: Path, label: str, problem: str) -> None:
    rows = "".join(f"{body(i)},{label}\n" for i in range(9))
    (tmp_path / "t.csv").write_text("message,label\n" + rows, encoding="utf-8")
    with pytest.raises(DataError, match=problem):
        write_recipe(tmp_path / "t.csv", tmp_path / "r.yaml")
