"""Documents without labels."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from bessemer.data.config import ColumnsConfig, SourceConfig
from bessemer.data.record import DOCUMENT, Raw
from bessemer.errors import DataError
from bessemer.prepare.source import open_source
from bessemer.prepare.source.documents import cut


def rows(**settings: object) -> list[Raw]:
    source = open_source(SourceConfig(**settings), labelled=False)  # type: ignore[arg-type]
    return [raw for task in source.tasks() for raw in source.read(task)]


def tree(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"the text of {name}")
    return root


def test_every_text_file_of_any_tree_is_a_document(tmp_path: Path) -> None:
    found = rows(source="text_folder", path=str(tree(tmp_path / "x", "a.txt", "b/c.md", "b/d/e.py", "b/f.png")))
    assert [raw.origin for raw in found] == ["a.txt", "b/c.md", "b/d/e.py"]
    assert {(raw.label, raw.split) for raw in found} == {(DOCUMENT, "")}


def test_outer_folders_may_be_splits(tmp_path: Path) -> None:
    found = rows(
        source="text_folder", path=str(tree(tmp_path / "x", "train/a.txt", "train/b/c.txt", "test/d.txt"))
    )
    assert {raw.origin: raw.split for raw in found} == {
        "train/a.txt": "train",
        "train/b/c.txt": "train",
        "test/d.txt": "test",
    }
    found = rows(source="text_folder", path=str(tree(tmp_path / "y", "train/a.txt", "test/b.txt", "c.txt")))
    assert {raw.split for raw in found} == {""}  # a loose file: these are just names


def test_an_archive_is_a_tree(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("a.txt", "one")
        archive.writestr("b/c.txt", "two")
    found = rows(source="text_folder", path=str(tmp_path / "x.zip"))
    assert sorted(bytes(raw.value) for raw in found) == [b"one", b"two"]


def test_a_long_file_is_cut_at_line_ends_and_nothing_is_lost(tmp_path: Path) -> None:
    text = "".join(f"line {number}\n" + "\n" * (number % 3) for number in range(20_000))
    (tmp_path / "x.txt").write_text(text)
    found = rows(source="text_folder", path=str(tmp_path / "x.txt"))
    assert "".join(str(raw.value) for raw in found) == text
    assert 50 < len(found) <= 200
    assert found[3].place == "piece 4"
    assert all(str(raw.value).endswith("\n") for raw in found)


@pytest.mark.parametrize("text", ["", "a", "a\n", "\n\n", "no end " * 3000, "x\n" * 3000])
def test_pieces_are_the_text(text: str) -> None:
    assert "".join(cut(text)) == text


def test_a_table_needs_no_label(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("body\nfirst text\nsecond text\n")
    found = rows(source="table", path=str(tmp_path / "x.csv"), columns=ColumnsConfig(text="body"))
    assert [(raw.label, raw.value) for raw in found] == [(DOCUMENT, "first text"), (DOCUMENT, "second text")]


def test_the_standard_library_has_its_sources_and_not_its_tests() -> None:
    names = [raw.origin for raw in rows(source="stdlib")]
    assert {"json/decoder.py", "os.py"} <= set(names)
    assert not [name for name in names if "/tests/" in name or "site-packages" in name or not name.endswith(".py")]
    assert len(names) == len(set(names))


def test_a_folder_without_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no text file in it"):
        rows(source="text_folder", path=str(tmp_path))
