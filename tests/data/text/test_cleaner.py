"""Rows to clean texts."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bessemer.data.config import DataConfig
from bessemer.data.record import BROKEN, FILTERED, Clean, Raw, Rejected
from bessemer.data.text import cleaner as module
from bessemer.data.text.cleaner import TextCleaner
from bessemer.errors import UsageError

LICENSE = "Licensed under the Apache License, Version 2.0 (the License)"


def config(unit: str = "file", **text: Any) -> DataConfig:
    data = {"source": "text_folder", "path": "x", "unit": unit, "text": text, "dedup": {"near": False}}
    return DataConfig.model_validate(data)


def raw(value: Any, place: str = "") -> Raw:
    return Raw("a.txt", place, "label", "", value)


def clean(value: Any, unit: str = "file", place: str = "", **text: Any) -> list[Clean | Rejected]:
    return list(TextCleaner(config(unit, **text)).clean(raw(value, place)))


def test_paths_bytes_and_text(tmp_path: Path) -> None:
    text = "Grüße aus dem schönen München an alle"
    file = tmp_path / "a.txt"
    file.write_bytes(text.encode("cp1252"))
    for value in (file, text.encode("cp1252"), text):
        (one,) = clean(value)
        assert isinstance(one, Clean)
        assert one.payload == text.encode("utf-8")
        assert one.length == len(text)
        assert one.part == ""
        assert one.repairs == (() if isinstance(value, str) else ("decoded from cp1252",))
        assert len(one.signature) == 0


@pytest.mark.parametrize(
    ("value", "reason", "kind"),
    [
        (b"", "empty file", BROKEN),
        (" \n", "empty text", BROKEN),
        (b"\x7fELF\0\0\0", "binary, not text", BROKEN),
        (Path("/nonexistent/file.txt"), "cannot be read", BROKEN),
        (b"tiny", "too short", FILTERED),
        (b"?!-+" * 50, "mostly symbols", FILTERED),
        (np.zeros((2, 2, 1), np.uint8), "not text", BROKEN),
        (Rejected("no such column", "x"), "no such column", BROKEN),
    ],
)
def test_refused(value: Any, reason: str, kind: str) -> None:
    with pytest.raises(Rejected) as caught:
        clean(value)
    assert (caught.value.reason, caught.value.kind) == (reason, kind)


def test_large_files_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGEST", 100)
    file = tmp_path / "a.txt"
    file.write_bytes(b"a" * 101)
    monkeypatch.setattr(Path, "read_bytes", lambda self: pytest.fail("read"))
    for value in (file, b"a" * 101):
        with pytest.raises(Rejected, match="larger than 64 MiB") as caught:
            clean(value)
        assert caught.value.kind == FILTERED


def test_paragraphs_are_joined_until_long_enough() -> None:
    text = "Title\n\nThis paragraph is long enough to stand.\n\nAlso this one, which comes\nafter it.\n\nend"
    parts = clean(text, "paragraph")
    assert [p.part if isinstance(p, Clean) else p.reason for p in parts] == [
        "paragraph 1",
        "paragraph 2",
        "too short",
    ]
    assert isinstance(parts[0], Clean)
    assert parts[0].payload.startswith(b"Title\n\nThis")
    assert isinstance(parts[2], Rejected)
    assert parts[2].detail.startswith("paragraph 3")
    assert parts[2].kind == FILTERED


def test_lines_each_for_itself() -> None:
    parts = clean("This line is long enough.\n\nshort\n  And this one is as well.", "line")
    assert [p.part if isinstance(p, Clean) else p.detail for p in parts] == [
        "line 1",
        "line 2: 5 characters",
        "line 3",
    ]
    assert isinstance(parts[2], Clean)
    assert parts[2].payload == b"And this one is as well."


def test_rows_of_a_table_are_not_split() -> None:
    (one,) = clean("This line is long enough.\nThis one as well, I think.", "line", place="row 3")
    assert isinstance(one, Clean)


def test_boilerplate_is_surveyed_and_dropped(travel: Callable[[Any], Any]) -> None:
    rows = [raw(f"{LICENSE}\n\nDocument number {'abcdefghijkl'[i]} says what only it says.") for i in range(12)]
    cleaner = TextCleaner(config())
    assert cleaner.needs_survey
    cleaner.settle(cleaner.survey(row) for row in rows)
    assert not cleaner.needs_survey
    assert json.loads(json.dumps(cleaner.settled)) == cleaner.settled
    copy = travel(cleaner)
    (one,) = copy.clean(rows[0])
    assert one.payload == b"Document number a says what only it says."
    assert one.repairs == ("boilerplate lines dropped",)
    assert not TextCleaner(config(boilerplate=0)).needs_survey


def test_languages(monkeypatch: pytest.MonkeyPatch) -> None:
    german = "Das ist ein kurzer Text über das Wetter in der Stadt und auf dem Land."
    assert len(clean(german, languages=["de"])) == 1
    with pytest.raises(Rejected, match="other language") as caught:
        clean(german, languages=["en", "fr"])
    assert (caught.value.detail, caught.value.kind) == ("de", FILTERED)
    monkeypatch.setitem(sys.modules, "py3langid", None)
    with pytest.raises(UsageError, match=r"pip install 'bessemer\[language\]'"):
        clean(german, languages=["de"])
