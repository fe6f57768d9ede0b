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
from bessemer.data.text import TEXT
from bessemer.data.text import cleaner as module
from bessemer.data.text.cleaner import TextCleaner
from bessemer.data.text.read import clean_reader
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
        clean(value, min_characters=20, quality="drop")
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
    parts = clean(text, "paragraph", min_characters=20)
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
    parts = clean("This line is long enough.\n\nshort\n  And this one is as well.", "line", min_characters=20)
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
    assert not TextCleaner(config(boilerplate=0, html="keep")).needs_survey


def test_languages(monkeypatch: pytest.MonkeyPatch) -> None:
    german = "Das ist ein kurzer Text über das Wetter in der Stadt und auf dem Land."
    assert len(clean(german, languages=["de"])) == 1
    with pytest.raises(Rejected, match="other language") as caught:
        clean(german, languages=["en", "fr"])
    assert (caught.value.detail, caught.value.kind) == ("de", FILTERED)
    monkeypatch.setitem(sys.modules, "py3langid", None)
    with pytest.raises(UsageError, match=r"pip install 'bessemer\[language\]'"):
        clean(german, languages=["de"])


# --- what the set decides --------------------------------------------------------------------------------


def looked(values: list[str], labels: list[str] | None = None, **text: Any) -> TextCleaner:
    """A cleaner that has looked at these texts."""
    made = TextCleaner(config(**text))
    labels = labels or ["label"] * len(values)
    made.settle(made.survey(Raw("a", "", label, "", value)) for value, label in zip(values, labels, strict=True))
    return made


def text_of(made: TextCleaner, value: str) -> str:
    (one,) = made.clean(raw(value))
    assert isinstance(one, Clean)
    return one.payload.decode()


@pytest.mark.parametrize(
    "text", ["yes please", "a", "7", "好", "👍", "?!", ":-)", "Memory loss?", "....", "ok " * 400]
)
def test_no_text_of_a_class_is_dropped_for_being_short_or_odd(text: str) -> None:
    (one,) = clean(text)
    assert isinstance(one, Clean)
    assert one.payload == text.strip().encode() or text.startswith("ok")


def test_what_is_odd_is_listed_and_dropped_where_that_is_asked_for() -> None:
    noise = "?!-+" * 50
    (one,) = clean(noise)
    assert isinstance(one, Clean)
    assert one.repairs == ("kept as it is, though odd: mostly symbols",)
    assert [got.repairs for got in clean(noise, quality="off")] == [()]
    with pytest.raises(Rejected, match="mostly symbols"):
        clean(noise, quality="drop")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Good.<br /><br />Not bad.", "Good.\n\nNot bad."),
        ("Good.<br>Not bad.<BR/>Fine.", "Good.\nNot bad.\nFine."),
        ("<p>Good.</p>", "Good."),
        ("It was <i>good</i> & I <b>liked</b> it", "It was good & I liked it"),
        ('See <a href="http://x.org/?a=1&b=2">this</a> and x < 3 > y', "See this and x < 3 > y"),
        ("one <3 two <br/> three", "one <3 two\nthree"),
    ],
)
def test_few_tags_go_as_many_do(text: str, wanted: str) -> None:
    plain = [f"A text that has no tags, number {i}" for i in range(9)]
    made = looked([text, *plain])
    assert made.settled["tags"] == "strip"
    assert text_of(made, text) == wanted
    assert text_of(made, plain[0]) == plain[0]


@pytest.mark.parametrize(
    "text",
    [
        "print('<p>')\nprint('</p>')",
        "How does `<br />` differ from `<p></p>` in a page?",
        "Map<T, Set<T>> m = new Map<i>();",
        "if (a <b && c> d) return;",
        'The "<b>" and "</b>" tags make text bold.',
    ],
)
def test_texts_about_tags_and_code_keep_them(text: str) -> None:
    assert text_of(looked([text] * 5), text) == text
    mixed = looked(["Good.<br />Bad."] * 20 + [text])
    assert text_of(mixed, text) == text


def test_predict_takes_the_same_tags_out(tmp_path: Path) -> None:
    made = looked(["Good.<br />Bad, but long enough.", "and one without"])
    about = {"html": "auto", "white_space": "normalize", **made.settled}
    (tmp_path / "a.txt").write_text("Fine.<br />Well.")
    assert clean_reader(about)(tmp_path / "a.txt") == text_of(made, "Fine.<br />Well.") == "Fine.\nWell."


REASON = "Reason for contact: I want to return an item that I bought"


@pytest.mark.parametrize(
    ("share", "stays"),
    [((1.0, 0.0), True), ((0.9, 0.4), True), ((1.0, 1.0), False), ((0.5, 0.5), False), ((0.8, 0.75), False)],
)
def test_a_line_goes_only_where_it_says_nothing_of_the_class(share: tuple[float, float], stays: bool) -> None:
    texts, labels = [], []
    for i in range(200):
        label = i % 2
        body = f"what only this text says, {chr(97 + i // 2 % 26) * 9} {chr(97 + i // 52) * 9}"
        texts.append(f"{REASON}\n{body}" if (i // 2) % 20 < 20 * share[label] else body)
        labels.append(f"class {label}")
    made = looked(texts, labels)
    assert (REASON in text_of(made, texts[0])) == stays
    assert (made.settled.get("telling_lines", 0) == 1) == stays


def test_lines_of_few_of_many_classes_and_lines_that_go_with_a_number_stay() -> None:
    def body(i: int) -> str:
        return f"what only this text says, {chr(97 + i % 26) * 9} {chr(97 + i // 26) * 9}"

    texts = [f"{REASON}\n{body(i)}" if i % 10 < 3 else body(i) for i in range(300)]
    assert REASON in text_of(looked(texts, [str(i % 10) for i in range(300)]), texts[0])
    prices = [f"{REASON}\n{body(i)}" if i % 2 else body(i) for i in range(300)]
    assert REASON in text_of(looked(prices, [f"{100 * (1 + i % 2) + i % 5}.5" for i in range(300)]), prices[1])
    apart = looked(prices, [f"{i * 7919 % 300}.5" for i in range(300)])
    assert REASON not in text_of(apart, prices[1])


def test_what_was_decided_is_told() -> None:
    made = looked([f"{REASON}\n<br />own {chr(97 + i) * 20}" for i in range(12)])
    assert TEXT.notes(made.settled) == [
        "1 lines that stand in many texts, whatever their class, are dropped: data.text.boilerplate.",
        "12 texts have tags such as <br />: they are taken out, line breaks kept.",
    ]
