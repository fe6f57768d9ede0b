"""What `init` finds in folders and files, and what it says where it finds nothing."""

from __future__ import annotations

import io
import json
import struct
import tarfile
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from bessemer.data.config import ColumnsConfig, DataConfig
from bessemer.data.kind import Kind
from bessemer.data.kinds import KINDS, sniff
from bessemer.data.record import Rejected
from bessemer.errors import DataError
from bessemer.prepare.source import open_source
from bessemer.prepare.source.common import KIND_OF_SUFFIX
from bessemer.prepare.source.detect import detect

PNG, WAV = b"\x89PNG\r\n\x1a\n" + bytes(8), b"RIFF\0\0\0\0WAVEfmt "
HEADS = {"image": PNG, "audio": WAV, "text": b"some words, and some more\n"}
SUFFIXES = {"image": ".png", "audio": ".wav", "text": ".txt"}


def add(root: Path, content: bytes, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)


def found(path: Path) -> dict:
    """What is detected; it must open, too."""
    values = detect(path)
    open_source(DataConfig.model_validate(values))
    return values


def refused(path: Path) -> str:
    with pytest.raises(DataError) as error:
        detect(path)
    assert error.value.remedy
    return error.value.problem


@pytest.mark.parametrize("kind", ["image", "audio", "text"])
@pytest.mark.parametrize("with_suffix", [True, False])
def test_a_folder_per_class_by_the_kind_of_most_files(tmp_path, kind, with_suffix):
    suffix = SUFFIXES[kind] if with_suffix else ""
    add(tmp_path, HEADS[kind], *(f"{name}/{i}{suffix}" for name in "ab" for i in range(3)))
    add(tmp_path, b"x", "a/other.pyc", "b/table.csv", "README.md", ".git/x")
    assert found(tmp_path) == {"source": f"{kind}_folder", "path": str(tmp_path)}


@pytest.mark.parametrize("suffix", [".py", ".html", ".md", ".rst", ".log", ".tex"])
def test_sources_and_markup_are_text(tmp_path, suffix):
    add(tmp_path, b"x", f"a/1{suffix}", f"b/1{suffix}", "b/logo.png")
    assert found(tmp_path)["source"] == "text_folder"


@pytest.mark.parametrize("kind", ["image", "audio", "text"])
@pytest.mark.parametrize("packing", ["zip", "tar", "tgz"])
@pytest.mark.parametrize("with_suffix", [True, False])
@pytest.mark.parametrize("as_file", [True, False])
def test_archives(tmp_path, kind, packing, with_suffix, as_file):
    names = [f"set/{name}/{i}{SUFFIXES[kind] if with_suffix else ''}" for name in "ab" for i in range(3)]
    path = tmp_path / f"set.{packing}"
    if packing == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name in names:
                archive.writestr(name, HEADS[kind])
    else:
        with tarfile.open(path, "w:gz" if packing == "tgz" else "w") as archive:
            for name in names:
                info = tarfile.TarInfo(name)
                info.size = len(HEADS[kind])
                archive.addfile(info, io.BytesIO(HEADS[kind]))
    where = path if as_file else tmp_path
    assert found(where) == {"source": f"{kind}_folder", "path": str(where)}


@pytest.mark.parametrize("side", ["{}.jpg.json", "{}.json", "{}.xml", "{}.txt"])
def test_texts_beside_images_of_the_same_name_describe_them(tmp_path, side):
    add(tmp_path, PNG, *(f"{name}/{i}.jpg" for name in "ab" for i in range(4)))
    add(tmp_path, HEADS["text"], *(f"{name}/{side.format(i)}" for name in "ab" for i in range(4)))
    add(tmp_path, b"{}", "a/metadata.json", "b/metadata.json", "README.txt", "album.json")
    assert found(tmp_path)["source"] == "image_folder"


def test_texts_with_a_picture_each_are_no_descriptions_of_other_names(tmp_path):
    add(tmp_path, HEADS["text"], *(f"{name}/{i}.txt" for name in "ab" for i in range(4)))
    add(tmp_path, PNG, *(f"{name}/figure{i}.png" for name in "ab" for i in range(3)))
    assert found(tmp_path)["source"] == "text_folder"


def test_class_folders_that_are_links_are_read_and_the_recipe_says_so(tmp_path):
    add(tmp_path, PNG, *(f"set/a/{i}.png" for i in range(3)), *(f"else/b/{i}.png" for i in range(3)))
    (tmp_path / "set" / "b").symlink_to(tmp_path / "else" / "b")
    values = found(tmp_path / "set")
    assert values == {"source": "image_folder", "path": str(tmp_path / "set"), "links": "follow"}
    source = open_source(DataConfig.model_validate(values))
    assert {row.label for task in source.tasks() for row in source.read(task)} == {"a", "b"}
    assert "Links that lead out of the folder are followed: 1 (first: b to " in source.notes[-1]


def test_a_run_and_a_recipe_in_the_data_are_not_data(tmp_path):
    recipe = b"data:\n  source: text_folder\n"
    add(tmp_path, HEADS["text"], *(f"{name}/{i}.txt" for name in "ab" for i in range(3)))
    add(tmp_path, recipe, "recipe.yaml", "runs/x/recipe.yaml", "runs/x/log.jsonl", "runs/x/report.html")
    source = open_source(DataConfig.model_validate(found(tmp_path)))
    assert len([row for task in source.tasks() for row in source.read(task)]) == 6
    assert source.ignored == {"bessemer's own runs and recipes": 2}


def test_idx_files_by_folder_or_by_one_of_them(tmp_path):
    images = bytes([0, 0, 8, 3]) + struct.pack(">III", 2, 2, 2) + bytes(8)
    add(tmp_path, images, "train-images-idx3-ubyte")
    add(tmp_path, bytes([0, 0, 8, 1]) + struct.pack(">I", 2) + b"\0\1", "train-labels-idx1-ubyte")
    assert found(tmp_path) == {"source": "idx", "path": str(tmp_path)}
    assert found(tmp_path / "train-images-idx3-ubyte") == {"source": "idx", "path": str(tmp_path)}


CSV = "id,headline,topic,part\n" + "".join(
    f"{i},a longer text number {i},{'xy'[i % 2]},train\n" for i in range(20)
)


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_a_text_table_alone_in_its_folder_or_by_itself(tmp_path, suffix):
    rows = [
        {"id": i, "headline": f"a longer text number {i}", "topic": "xy"[i % 2], "part": "train"}
        for i in range(20)
    ]
    path = tmp_path / f"t{suffix}"
    if suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        path.write_text(CSV.replace(",", "\t") if suffix == ".tsv" else CSV)
    columns = {"text": "headline", "label": "topic", "split": "part"}
    assert found(path) == {"source": "table", "path": str(path), "columns": columns}
    assert found(tmp_path) == found(path)


def test_a_label_without_a_name_is_the_column_of_fewest_values(tmp_path):
    lines = [f"{i},{'abc'[i % 3]},{i % 7},words about {i}" for i in range(50)]
    (tmp_path / "t.csv").write_text("\n".join(["key,what,n,body", *lines]))
    assert found(tmp_path / "t.csv")["columns"] == {"text": "body", "label": "what"}


def test_a_folder_of_tables(tmp_path):
    for name in ("train", "test"):
        (tmp_path / f"{name}.csv").write_text(CSV)
    assert found(tmp_path)["path"] == str(tmp_path)


@pytest.mark.parametrize("kind", ["image", "audio"])
def test_a_manifest_beside_the_files_that_it_names(tmp_path, kind):
    names = [f"files/{i}{SUFFIXES[kind]}" for i in range(6)]
    add(tmp_path, HEADS[kind], *names)
    lines = [f"{name},a long description of the file {name},{'xy'[i % 2]}" for i, name in enumerate(names)]
    (tmp_path / "list.csv").write_text("\n".join(["file,about,class", *lines]))
    columns = {kind: "file", "label": "class"}
    assert found(tmp_path) == {"source": "table", "path": str(tmp_path / "list.csv"), "columns": columns}


def test_a_table_beside_class_folders_that_names_no_files_is_passed_over(tmp_path):
    add(tmp_path, PNG, "a/1.png", "b/1.png")
    (tmp_path / "notes.csv").write_text(CSV)
    assert found(tmp_path)["source"] == "image_folder"


def test_images_inside_a_parquet_file(tmp_path):
    images = [{"bytes": PNG, "path": f"{i}.png"} for i in range(4)]
    pq.write_table(pa.table({"image": images, "label": [0, 1, 0, 1]}), tmp_path / "t.parquet")
    assert found(tmp_path / "t.parquet")["columns"] == {"image": "image", "label": "label"}


def test_a_saved_data_set(tmp_path):
    data = pa.table({"idx": [1, 2], "text": ["some words", "more words"], "kind": [0, 1]})
    with (
        pa.OSFile(str(tmp_path / "data-00000-of-00001.arrow"), "wb") as file,
        pa.ipc.new_stream(file, data.schema) as writer,
    ):
        writer.write_table(data)
    features = {"kind": {"names": ["a", "b"], "_type": "ClassLabel"}}
    (tmp_path / "dataset_info.json").write_text(json.dumps({"features": features}))
    (tmp_path / "state.json").write_text(json.dumps({"_data_files": [{"filename": "data-00000-of-00001.arrow"}]}))
    columns = {"text": "text", "label": "kind"}
    assert found(tmp_path) == {"source": "dataset", "path": str(tmp_path), "columns": columns}


def test_what_cannot_be_told_is_refused_with_what_was_found(tmp_path):
    assert "no such folder" in refused(tmp_path / "none")
    assert "found: no files" in refused(tmp_path)
    add(tmp_path, b"\0\1\2", "a/x.bin", "a/y.mp4", "b/z")
    assert "found: 2 other, 1 unknown" in refused(tmp_path)
    assert "not a kind of file that is known" in refused(tmp_path / "b" / "z")
    (tmp_path / "u.csv").write_text("text\nonly words\n")
    assert "no column that could be the class" in refused(tmp_path / "u.csv")
    (tmp_path / "s.zip").write_bytes(b"PK no zip")
    assert "s.zip: damaged archive" in refused(tmp_path / "s.zip")


def test_a_table_without_header_is_read_and_told(tmp_path):
    body = "".join(f"{i}.5,a text of some words {i},{'xyx'[i % 3]}\n" for i in range(9))
    (tmp_path / "t.csv").write_text(body)
    values = found(tmp_path / "t.csv")
    assert values["columns"] == {"text": "column 2", "label": "column 3"}
    (note,) = open_source(DataConfig.model_validate(values)).notes
    assert note.startswith("t.csv: its first row seems to be data, not a header")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.json", json.dumps([{"body": f"some words of text {i}", "label": "xy"[i % 2]} for i in range(20)])),
        ("train.txt", "".join(f"__label__{'xy'[i % 2]} some words of text {i}\n" for i in range(20))),
        ("SMSCollection", "".join(f"{'xy'[i % 2]}\tsome words of text {i}\n" for i in range(20))),
    ],
)
def test_tables_are_told_by_what_they_hold(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    assert found(tmp_path / name)["source"] == "table"
    assert found(tmp_path / name)["columns"].keys() == {"text", "label"}


def test_a_table_alone_in_an_archive_is_a_table(tmp_path):
    with zipfile.ZipFile(tmp_path / "s.zip", "w") as archive:
        archive.writestr("set.csv", CSV)
        archive.writestr("README.md", "x")
    assert found(tmp_path / "s.zip")["columns"] == {"text": "headline", "label": "topic", "split": "part"}


def test_files_of_many_lines_hold_a_sample_in_each(tmp_path):
    lines = {name: "".join(f"{name} {i} is a sentence.\n" for i in range(30)) for name in ("good", "bad")}
    for name, text in lines.items():
        add(tmp_path / "folders", text.encode(), f"{name}/all.txt")
        add(tmp_path / "files", text.encode(), f"{name}.txt")
        add(tmp_path / "suffixes", text.encode(), f"polarity.{name}")
        add(tmp_path / "splits", text.encode(), f"train/{name}.txt", f"test/{name}.txt")
    add(tmp_path / "files", b"x", "README.md")
    for layout in ("folders", "files", "suffixes", "splits"):
        values = found(tmp_path / layout)
        assert (values["source"], values["unit"]) == ("text_folder", "line")
        source = open_source(DataConfig.model_validate(values))
        rows = [raw for task in source.tasks() for raw in source.read(task)]
        assert {raw.label for raw in rows if not isinstance(raw.value, Rejected)} == {"good", "bad"}
        assert {raw.split for raw in rows} == ({"train", "test"} if layout == "splits" else {""})


def test_one_book_of_each_author_is_cut_into_pieces(tmp_path):
    line = "it was the best of times. It was the worst of times, and we had all of it before us\n"
    add(tmp_path, (line * 400).encode(), "dickens/tale.txt", "melville/whale.txt")
    assert found(tmp_path)["unit"] == "piece"


def test_numbered_files_in_one_folder_are_no_classes(tmp_path):
    add(tmp_path, b"some words\n" * 30, *(f"doc{i}.txt" for i in range(9)))
    assert "no folders in it" in refused(tmp_path)


@pytest.mark.parametrize("name", ["a/1.png", "a.csv", "a/1.txt"])
def test_pointers_of_git_lfs_are_told(tmp_path, name):
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
    add(tmp_path, pointer, name, name.replace("a", "b"))
    assert "pointers of Git LFS" in refused(tmp_path)


def test_images_without_class_folders_are_refused(tmp_path):
    add(tmp_path, PNG, "1.png", "2.png")
    assert "no folders in it" in refused(tmp_path)


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (PNG, "image"),
        (b"\xff\xd8\xff\xe0", "image"),
        (b"RIFF....WEBPVP8 ", "image"),
        (WAV, "audio"),
        (b"fLaC\0\0", "audio"),
        ("schön".encode("latin-1"), "text"),
        (b"BM is how this text begins", "text"),
        ("UTF-16".encode("utf-16"), "text"),
        (b"", "unknown"),
        (b"a\0b", "unknown"),
        (b"\x80\4\x95\1\2\3", "unknown"),
    ],
)
def test_kinds_of_first_bytes(head, kind):
    assert sniff(head) == kind


# --- a kind that has no column and no source of its own ------------------------------------------------


class Toy(Kind):
    """A kind that only recognizes its files; it would decide, were it a kind of folder."""

    suffixes = frozenset({".toy"})
    decisive = True


@pytest.fixture
def toy_kind(monkeypatch):
    others = dict(KINDS)
    KINDS.clear()
    KINDS.update(toy=Toy(), **others)
    monkeypatch.setitem(KIND_OF_SUFFIX, ".toy", "toy")
    yield
    KINDS.clear()
    KINDS.update(others)


@pytest.mark.usefixtures("toy_kind")
def test_another_kind_leaves_columns_as_they_are():
    columns = ColumnsConfig(text="a")
    assert (columns.modality, columns.values) == ("text", ["a"])
    assert ColumnsConfig(value="a").modality is None
    with pytest.raises(ValidationError, match=r"one of columns\.image, columns\.audio, columns\.text, or"):
        ColumnsConfig(text="a", image="b")


@pytest.mark.usefixtures("toy_kind")
def test_files_of_a_kind_without_a_source_decide_nothing(tmp_path):
    add(tmp_path, b"x", *(f"{name}/{i}.toy" for name in "ab" for i in range(9)))
    assert "found: 18 toy" in refused(tmp_path)
    add(tmp_path, HEADS["text"], *(f"{name}/{i}.txt" for name in "ab" for i in range(3)))
    assert found(tmp_path) == {"source": "text_folder", "path": str(tmp_path)}


@pytest.mark.usefixtures("toy_kind")
def test_a_table_is_guessed_as_before(tmp_path):
    lines = [f"some words of row {i},{'ab'[i % 2]}" for i in range(20)]
    (tmp_path / "x.csv").write_text("\n".join(["body,label", *lines]))
    assert found(tmp_path / "x.csv")["columns"] == {"text": "body", "label": "label"}
