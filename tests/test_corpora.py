"""The builder of dirtied corpora plants what it says, twice the same; and plants are counted rightly."""

from __future__ import annotations

import gzip
import io
import json
import shutil
import struct
import sys
import wave
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import soundfile
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1] / "bench"))

import corpora
import dirt
import plants

SCHEMA = pa.schema(
    [
        *(("row", pa.int64()), ("origin", pa.string()), ("place", pa.string()), ("label", pa.string())),
        *(("split", pa.string()), ("id", pa.uint64()), ("state", pa.string()), ("reason", pa.string())),
        *(("repairs", pa.list_(pa.string())), ("survivor", pa.int64())),
    ]
)


# --- builders -------------------------------------------------------------------------------------------


def write_idx(path: Path, array: np.ndarray) -> None:
    with gzip.open(path, "wb") as file:
        file.write(bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}i", *array.shape) + array.tobytes())


@pytest.fixture(scope="module")
def clothes(tmp_path_factory):
    """60 training and 30 test images as IDX files, and what was built of them."""
    folder = tmp_path_factory.mktemp("idx")
    generator = np.random.default_rng(0)
    for prefix, count in (("train", 80), ("t10k", 30)):
        write_idx(folder / f"{prefix}-images-idx3-ubyte.gz", generator.integers(0, 256, (count, 28, 28), np.uint8))
        write_idx(folder / f"{prefix}-labels-idx1-ubyte.gz", np.arange(count, dtype=np.uint8) % 10)
    corpora.build_fashion(folder / "fashion", folder, (7, 3))
    return folder


@pytest.fixture(scope="module")
def documents(tmp_path_factory):
    """Documents of 80 words in three classes."""
    root = tmp_path_factory.mktemp("text") / "documents"
    generator = np.random.default_rng(0)
    words = ["".join(generator.choice(list("abcdefghij"), 6)) for _ in range(500)]
    for number in range(90):
        folder = root / f"class{number % 3}"
        folder.mkdir(parents=True, exist_ok=True)
        text = " ".join(generator.choice(words, 80)) + "\n"
        (folder / f"{number:03d}.txt").write_text(text, encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def tones(tmp_path_factory):
    """Short noises in three classes."""
    root = tmp_path_factory.mktemp("sound") / "tones"
    generator = np.random.default_rng(0)
    for number in range(60):
        folder = root / f"class{number % 3}"
        folder.mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / f"{number:03d}.wav", generator.normal(0, 0.1, 4410), 22_050, subtype="PCM_16")
    return root


def test_fashion_is_the_first_images_of_each_class(clothes):
    built = clothes / "fashion"
    assert len(list(built.glob("train/*/*.png"))) == 70
    assert len(list(built.glob("test/*/*.png"))) == 30
    images = corpora.read_idx(clothes / "train-images-idx3-ubyte.gz")
    with Image.open(built / "train" / "coat" / "00014.png") as image:
        assert np.array_equal(np.asarray(image), images[14])


def test_the_library_is_packages_without_their_tests(tmp_path):
    root = tmp_path / "lib"
    for name in ("one.py", "pack/a.py", "pack/deep/b.py", "pack/test/c.py", "site-packages/x/d.py", "test/e.py"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("x = 1\n", encoding="utf-8")
    corpora.build_stdlib(tmp_path / "out", root)
    built = sorted(str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.py"))
    assert built == ["pack/a.py", "pack/deep/b.py"]


def test_documentation_strings_stand_in_folders_by_package(tmp_path):
    root = tmp_path / "lib" / "pack"
    root.mkdir(parents=True)
    source = '"""A module about something."""\nclass A:\n    def go(self):\n        """Goes where it is told."""\n'
    (root / "a.py").write_text(source, encoding="utf-8")
    (root / "old.py").write_text("print 'python 2'\n", encoding="utf-8")
    (root.parent / "lone.py").write_text('"""Only one text, so no class of its own."""\n', encoding="utf-8")
    corpora.build_docstrings(tmp_path / "out", root.parent, least=2)
    built = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.txt")}
    assert built == {"pack/a.txt", "pack/a.A.go.txt"}
    assert (tmp_path / "out/pack/a.A.go.txt").read_text(encoding="utf-8") == "Goes where it is told.\n"


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="needs espeak-ng")
def test_speech_is_spoken_the_same_each_time(tmp_path):
    for name in ("one", "two"):
        corpora.build_speech(tmp_path / name, ["yes", "no"], limit=2)
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.wav"))
    assert len(files) == 4
    assert all((tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes() for file in files)


@pytest.mark.parametrize(
    ("build", "package"),
    [
        (lambda path: corpora.build_speech(path), "espeak-ng"),
        (lambda path: corpora.build_fashion(path, path / "none"), "dataset-fashion-mnist"),
    ],
)
def test_a_missing_package_is_named(build, package, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(corpora.MissingPackageError, match=f"apt-get install {package}"):
        build(tmp_path)


# --- dirt -----------------------------------------------------------------------------------------------


def contents(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def dirtied(source: Path, out: Path, modality: str, seed: int = 0) -> tuple[dict, dict[str, bytes]]:
    """The ledger as written, and the files."""
    dirt.dirty_copy(source, out, modality, seed)
    ledger = json.loads(out.with_name(f"{out.name}.plants.json").read_text(encoding="utf-8"))
    return ledger, contents(out)


@pytest.fixture(scope="module")
def dirty_images(clothes, tmp_path_factory):
    return dirtied(clothes / "fashion", tmp_path_factory.mktemp("d") / "dirty", "image")


@pytest.fixture(scope="module")
def dirty_texts(documents, tmp_path_factory):
    return dirtied(documents, tmp_path_factory.mktemp("d") / "dirty", "text")


@pytest.fixture(scope="module")
def dirty_sounds(tones, tmp_path_factory):
    return dirtied(tones, tmp_path_factory.mktemp("d") / "dirty", "audio")


def of_kind(dirty: tuple[dict, dict[str, bytes]], kind: str) -> list[tuple[bytes, dict, str]]:
    """Content, ledger entry and path of the plants of a kind: at least two."""
    ledger, files = dirty
    found = [(files[path], plant, path) for path, plant in ledger["plants"].items() if plant["kind"] == kind]
    assert len(found) >= 2
    return found


@pytest.mark.parametrize("modality", ["image", "text", "audio"])
def test_the_same_seed_plants_the_same(modality, clothes, documents, tones, request, tmp_path):
    source = {"image": clothes / "fashion", "text": documents, "audio": tones}[modality]
    first = request.getfixturevalue(
        {"image": "dirty_images", "text": "dirty_texts", "audio": "dirty_sounds"}[modality]
    )
    assert dirtied(source, tmp_path / "again", modality) == first
    assert dirtied(source, tmp_path / "other", modality, seed=1)[0]["plants"] != first[0]["plants"]


@pytest.mark.parametrize(("modality", "name"), [("image", "dirty_images"), ("text", "dirty_texts")])
def test_all_that_is_not_in_the_ledger_is_untouched(modality, name, clothes, documents, request):
    ledger, files = request.getfixturevalue(name)
    original = contents(clothes / "fashion" if modality == "image" else documents)
    assert set(ledger["plants"]) <= set(files)
    assert len(files) == ledger["files"]
    rest = {path: raw for path, raw in files.items() if path not in ledger["plants"]}
    assert rest
    assert all(original[path] == raw for path, raw in rest.items())
    moved = {plant["of"] for plant in ledger["plants"].values()}
    assert set(original) - set(files) <= moved


def pixels(raw: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(raw)) as image:
        return np.asarray(image.convert("L"))


def test_image_plants_are_what_they_say(dirty_images, clothes):
    original = contents(clothes / "fashion")
    modes = {"CMYK": "CMYK", "palette": "P", "alpha channel": "RGBA", "16 bits": "I;16"}
    for kind, mode in modes.items():
        for raw, plant, _ in of_kind(dirty_images, kind):
            with Image.open(io.BytesIO(raw)) as image:
                assert image.mode == mode
                if mode in ("P", "RGBA"):
                    assert np.array_equal(pixels(raw), pixels(original[plant["of"]]))
                if mode == "I;16":
                    assert np.array_equal(np.asarray(image) // 257, pixels(original[plant["of"]]))
    assert all(raw == b"" for raw, _, _ in of_kind(dirty_images, "0 bytes"))
    assert all(len(np.unique(pixels(raw))) == 1 for raw, _, _ in of_kind(dirty_images, "blank"))
    assert all(pixels(raw).shape == (2, 2) for raw, _, _ in of_kind(dirty_images, "tiny (2x2)"))
    assert all(pixels(raw).shape == (56, 56) for raw, _, _ in of_kind(dirty_images, "near copy: twice the size"))
    for raw, plant, _ in of_kind(dirty_images, "truncated"):
        assert original[plant["of"]].startswith(raw)
        assert len(raw) < len(original[plant["of"]])


def test_turning_back_what_exif_says_gives_the_original(dirty_images, clothes):
    original = contents(clothes / "fashion")
    from PIL import ImageOps

    for raw, plant, _ in of_kind(dirty_images, "turned, with EXIF"):
        with Image.open(io.BytesIO(raw)) as image:
            upright = np.asarray(ImageOps.exif_transpose(image).convert("L")).astype(int)
        assert np.abs(upright - pixels(original[plant["of"]])).mean() < 12
        assert np.abs(np.rot90(upright) - pixels(original[plant["of"]])).mean() > 40


def test_a_bomb_is_small_and_would_unpack_to_much(dirty_images):
    raw, _, _ = of_kind(dirty_images, "decompression bomb")[0]
    assert len(raw) < 200_000
    assert struct.unpack(">II", raw[16:24]) == (30_000, 30_000)


def test_test_files_are_copied_to_training(dirty_images):
    for raw, plant, path in of_kind(dirty_images, "test file in training"):
        assert plant["of"].startswith("test/")
        assert path.startswith("train/")
        assert raw == dirty_images[1][plant["of"]]


@pytest.mark.parametrize("name", ["dirty_images", "dirty_texts", "dirty_sounds"])
def test_wrong_labels_are_moved_files(name, request):
    for _, plant, path in of_kind(request.getfixturevalue(name), "wrong label"):
        assert dirt.class_of(path) == plant["given"] != plant["right"] == dirt.class_of(plant["of"])
        assert dirt.split_of(path) != "test"


def test_text_plants_are_what_they_say(dirty_texts, documents):
    original = contents(documents)
    for kind, encoding in {"Latin-1": "latin-1", "Windows-1252": "cp1252", "UTF-16": "utf-16"}.items():
        for raw, plant, _ in of_kind(dirty_texts, kind):
            assert raw.decode(encoding) == plant["truth"]
            with pytest.raises(UnicodeDecodeError):
                raw.decode("utf-8")
    for kind in ("HTML page", "repeated license header"):
        for raw, plant, _ in of_kind(dirty_texts, kind):
            assert original[plant["of"]].strip() in raw
    for raw, plant, _ in of_kind(dirty_texts, "control characters"):
        assert any(byte in raw for byte in b"\x01\x02\x07\x08\x0b\x0e\x1a\x7f\x1b\xe2")
        assert len(raw) > len(original[plant["of"]])
    assert all(not raw.strip() for raw, _, _ in of_kind(dirty_texts, "white space only"))
    assert all(len(set(raw.splitlines())) == 1 for raw, _, _ in of_kind(dirty_texts, "one line repeated"))


def test_mojibake_is_mended_by_ftfy(dirty_texts):
    from ftfy import fix_text

    for rounds in ("one round", "two rounds"):
        for raw, plant, _ in of_kind(dirty_texts, f"mojibake, {rounds}"):
            assert raw.decode() != plant["truth"]
            assert fix_text(raw.decode(), uncurl_quotes=False) == plant["truth"]


def test_near_copies_of_texts_share_four_fifths_of_their_word_5_grams(dirty_texts, documents):
    original = contents(documents)

    def grams(raw: bytes) -> set[tuple[str, ...]]:
        words = raw.decode().split()
        return {tuple(words[i : i + 5]) for i in range(len(words) - 4)}

    for raw, plant, _ in of_kind(dirty_texts, "near copy: words changed"):
        copy, source = grams(raw), grams(original[plant["of"]])
        assert 0.8 <= len(copy & source) / len(copy | source) < 1


def test_sound_plants_are_what_they_say(dirty_sounds, tones):
    for kind, rate in {"8 kHz": 8000, "44.1 kHz": 44_100, "silent": 22_050}.items():
        for raw, _, _ in of_kind(dirty_sounds, kind):
            with wave.open(io.BytesIO(raw)) as file:
                assert file.getframerate() == rate
                assert abs(file.getnframes() / rate - 0.2) < 0.01
    for raw, _, _ in of_kind(dirty_sounds, "silent"):
        assert np.abs(soundfile.read(io.BytesIO(raw), dtype="int16")[0]).max() <= 1
    for raw, _, _ in of_kind(dirty_sounds, "clipped"):
        assert np.mean(np.abs(soundfile.read(io.BytesIO(raw))[0]) > 0.999) > 0.2
    assert all(soundfile.info(io.BytesIO(raw)).channels == 2 for raw, _, _ in of_kind(dirty_sounds, "stereo"))
    for raw, plant, path in of_kind(dirty_sounds, "exact copy as FLAC"):
        assert path.endswith(".flac")
        assert np.array_equal(soundfile.read(io.BytesIO(raw))[0], soundfile.read(tones / plant["of"])[0])


# --- counting -------------------------------------------------------------------------------------------


def fake_run(folder: Path, rows: list[dict], issues: list[dict]) -> Path:
    """A run of which the prepare stage says this."""
    stage = folder / "stages" / "prepare-0a0a0a0a"
    stage.mkdir(parents=True)
    blank = {"place": "", "label": "a", "split": "", "id": 0, "reason": None, "repairs": [], "survivor": -1}
    full = [{**blank, "row": number, "state": "kept", **row} for number, row in enumerate(rows)]
    with pa.OSFile(str(stage / "rows.arrow"), "wb") as file, pa.ipc.new_file(file, SCHEMA) as out:
        out.write_table(pa.Table.from_pylist(full, SCHEMA))
    report = {"stages": [{"stage": "prepare", "hash": "0a0a0a0a"}], "data": {"label_issues": issues}}
    (folder / "report.json").write_text(json.dumps(report), encoding="utf-8")
    return folder


ROWS = [
    {"origin": "a/broken.png", "state": "quarantined", "reason": "cut off"},
    {"origin": "a/broken2.png"},
    {"origin": "a/1.png", "state": "duplicate", "survivor": 3},
    {"origin": "a/1-copy.png"},
    {"origin": "a/2.png"},
    {"origin": "a/2-copy.png"},
    {"origin": "train/leak.png", "state": "leak", "survivor": 7},
    {"origin": "test/leak.png", "split": "test"},
    {"origin": "a/wide.png", "id": 7, "repairs": ["16 bits to 8"]},
    {"origin": "b/moved.png", "split": "train"},
    {"origin": "b/moved2.png", "split": "train"},
    {"origin": "b/moved3.png", "split": "test"},
    {"origin": "b/good.png", "split": "train"},
    {"origin": "b/alarm.png", "state": "quarantined", "reason": "blank"},
    {"origin": "b/natural.png", "state": "quarantined", "reason": "blank"},
]
LEDGER = {
    "corpus": "made",
    "files": len(ROWS),
    "plants": {
        "a/broken.png": {"kind": "truncated", "of": "a/broken.png"},
        "a/broken2.png": {"kind": "truncated", "of": "a/broken2.png"},
        "a/1-copy.png": {"kind": "near copy: JPEG", "of": "a/1.png"},
        "a/2-copy.png": {"kind": "near copy: JPEG", "of": "a/2.png"},
        "train/leak.png": {"kind": "test file in training", "of": "test/leak.png"},
        "a/wide.png": {"kind": "16 bits", "of": "a/wide.png"},
        **{
            f"b/moved{n}.png": {"kind": "wrong label", "of": f"a/moved{n}.png", "given": "b", "right": "a"}
            for n in ("", 2, 3)
        },
    },
}
ISSUES = [
    {"path": "b/moved.png", "given": "b", "suggested": "a", "confidence": 0.9},
    {"row": 12, "given": "b", "suggested": "a", "confidence": 0.8},
]


@pytest.fixture
def run(tmp_path):
    return plants.load(fake_run(tmp_path / "run", ROWS, ISSUES))


def test_found_and_missed_are_counted(run):
    counts = {
        kind: (one.planted, sum(one.found.values())) for kind, one in plants.tally(LEDGER, run, None).items()
    }
    assert counts == {
        "truncated": (2, 1),
        "near copy: JPEG": (2, 1),
        "test file in training": (1, 1),
        "16 bits": (1, 1),
    }


def test_a_repaired_file_must_be_as_its_original(run, tmp_path):
    for number, expected in ((7, 1), (8, 0)):
        rows = [{"origin": "a/wide.png", "id": number}, {"origin": "b/natural.png", "state": "quarantined"}]
        clean = plants.load(fake_run(tmp_path / str(number), rows, []))
        assert sum(plants.tally(LEDGER, run, clean)["16 bits"].found.values()) == expected


def test_wrong_labels_count_where_they_are_in_training(run):
    assert plants.labels(LEDGER, run) == {
        **{"planted": 3, "in training": 2, "listed": 2, "found": 1},
        "with the right suggestion": 1,
    }


def test_what_is_set_aside_without_a_plant_is_an_alarm_unless_it_is_so_untouched(run, tmp_path):
    assert plants.untouched(LEDGER, run, None)[1] == {"blank": 2}
    rows = [{"origin": "b/natural.png", "state": "quarantined", "reason": "blank"}, {"origin": "b/alarm.png"}]
    clean = plants.load(fake_run(tmp_path / "clean", rows, []))
    assert plants.untouched(LEDGER, run, clean)[1] == {"blank": 1}


def test_texts_are_compared_with_what_was_meant(tmp_path):
    truth = "Zürich liegt am Übergang zwischen See und Fluß, und die Bäume blühen schön in jedem Jahr.\n"
    ledger = {"plants": {"a/x.txt": {"kind": "Latin-1", "of": "a/x.txt", "truth": truth}}}
    for name, number, expected in (("right", plants.text_id(truth, []), 1), ("wrong", 5, 0)):
        run = plants.load(fake_run(tmp_path / name, [{"origin": "a/x.txt", "id": number}], []))
        assert sum(plants.tally(ledger, run, None)["Latin-1"].found.values()) == expected


def test_the_table_is_printed(run, tmp_path, capsys):
    plants.print_tables(LEDGER, run, None)
    printed = capsys.readouterr().out
    assert "| truncated | 2 | 1 | cut off (1) | 1 | kept (1) |" in printed
    assert "| wrong label | 2 (of 3, in training) | 1 | 1 listed, 1 with the right suggestion | 1 |" in printed
    assert "2 set aside" in printed


def test_a_folder_that_is_no_run_is_said_so(tmp_path):
    (tmp_path / "report.json").write_text('{"data": {}}', encoding="utf-8")
    with pytest.raises(SystemExit, match="is it the folder of a run"):
        plants.load(tmp_path)
