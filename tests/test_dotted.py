"""Dotted paths: the right file, found while it is needed, and a part of the keys of what it made."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bessemer.artifact import Cache
from bessemer.dotted import find_named, load_dotted, modules_beside, source_digest, sources_named
from bessemer.errors import UsageError


@pytest.fixture(autouse=True)
def _no_trace() -> Iterator[None]:
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


def write(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    return folder


def test_two_folders_may_hold_modules_of_one_name(tmp_path: Path) -> None:
    first = write(tmp_path / "a", "minex.py", "X = 1\n")
    second = write(tmp_path / "b", "minex.py", "X = 2\n")
    for folder, expected in ((first, 1), (second, 2), (first, 1)):
        with modules_beside(folder):
            assert load_dotted("minex.X", "thing") == expected
        assert str(folder) not in sys.path


def test_a_file_that_changed_is_read_again(tmp_path: Path) -> None:
    folder = write(tmp_path / "a", "minex.py", "X = 1\n")
    with modules_beside(folder):
        assert load_dotted("minex.X", "thing") == 1
    write(folder, "minex.py", "X = 'another'\n")
    with modules_beside(folder):
        assert load_dotted("minex.X", "thing") == "another"


def test_what_stands_elsewhere_is_kept(tmp_path: Path) -> None:
    folder = write(tmp_path, "minex.py", "import json\nX = 1\n")
    module = sys.modules[__name__]
    with modules_beside(Path(__file__).parents[1]):  # a folder somewhere above this file
        pass
    with modules_beside(folder):
        load_dotted("minex.X", "thing")
    with modules_beside(tmp_path / "nothing"):
        assert sys.modules[__name__] is module
        assert "json" in sys.modules
        assert "minex" not in sys.modules


def test_the_source_is_a_part_of_the_key(tmp_path: Path) -> None:
    folder, cache = (
        write(tmp_path / "a", "minex.py", "def f():\n    import helper\nX = 1\n"),
        Cache(tmp_path / "run"),
    )
    write(folder, "helper.py", "Y = 1\n")
    write(folder, "unrelated.py", "Z = 1\n")
    settings = {"task": "minex.X", "steps": [[{"step": "minex.X"}]], "width": 3}

    def path() -> Path:
        with modules_beside(folder):
            load_dotted("minex.X", "thing")
            return cache.path("train", settings)

    before = path()
    assert path() == before
    write(folder, "unrelated.py", "Z = 2\n")
    assert path() == before
    write(folder, "helper.py", "Y = 2\n")  # imported by a function of it
    changed = path()
    assert changed != before
    write(folder, "minex.py", "X = 1  # nothing but a comment\n")
    assert path() not in (before, changed)


def test_our_own_names_and_other_words_have_no_source() -> None:
    load_dotted("bessemer.task.classify.task.Classification", "task")
    settings = {"a": "bessemer.task.classify.task.Classification", "b": "nets.Nothing", "c": [], "d": {"e": 1}}
    assert sources_named(settings) == {}


def test_files_that_import_each_other_have_a_digest(tmp_path: Path) -> None:
    folder = write(tmp_path, "a.py", "import b\n")
    write(folder, "b.py", "from a import x\n")
    assert source_digest(folder / "a.py") == source_digest(folder / "b.py")  # the same two files


class Base:
    """What is looked for."""


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("minex.Needs", "cannot be made without arguments"),
        ("minex.Other", "is no thing"),
        ("minex.Nothing", "has no 'Nothing'"),
        ("nowhere.X", "there is no module 'nowhere'"),
        ("..x", "names no thing"),
        ("x.", "names no thing"),
        ("word", "no thing 'word'"),
    ],
)
def test_what_cannot_be_taken_is_refused(tmp_path: Path, path: str, problem: str) -> None:
    text = f"from {__name__} import Base\nclass Needs(Base):\n    def __init__(self, x): ...\nclass Other: ...\n"
    with modules_beside(write(tmp_path, "minex.py", text)), pytest.raises(UsageError, match=problem):
        find_named(path, {}, "thing", Base)
