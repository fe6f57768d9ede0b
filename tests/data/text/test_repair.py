"""Repairs shared by training and prediction."""

from __future__ import annotations

import html.parser
import http.server
import pydoc
import unicodedata
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bessemer.data.text.repair import clean_text

WORDS = "<p> </p> <br> <html> &amp; &lt; &eacute; Ã© â€™ word The & < >"
ODD = ["\x00", "\u200b", "\u200d", "\r\n", "\n\n\n", "  ", "\t", "e\u0301", "\x1b[31m", "\ud800", "\u2028", "\x85"]
PIECES = st.sampled_from([*WORDS.split(), *ODD])
LAWFUL = st.one_of(st.text(), st.lists(PIECES, max_size=12).map("".join))


def pieces_only(text: str) -> bool:
    """Pages go through trafilatura, which other tests cover."""
    return "<html" not in text and "<!doctype" not in text


@given(LAWFUL.filter(pieces_only))
def test_twice_equals_once(text: str) -> None:
    once, _ = clean_text(text)
    assert clean_text(once) == (once, ())


@given(st.text())
def test_result_is_storable_and_normal(text: str) -> None:
    clean, repairs = clean_text(text, "keep")
    assert clean.encode("utf-8").decode("utf-8") == clean
    assert clean == unicodedata.normalize("NFC", clean)
    assert not any(unicodedata.category(c) == "Cc" and c not in "\t\n" for c in clean)
    assert "\n\n\n" not in clean
    assert all(line == line.rstrip() for line in clean.split("\n"))
    assert bool(repairs) == (clean != text.strip("\r\n"))


@pytest.mark.parametrize(
    ("text", "clean", "repair"),
    [
        ("Das ist fÃ¼r dich.", "Das ist für dich.", "mojibake repaired"),
        ("one fÃ¼r line\nand a proper für", "one für line\nand a proper für", "mojibake repaired"),
        ("Fish &amp; chips, caf&eacute;", "Fish & chips, café", "entities resolved"),
        ("a\x00b\u200bc\ufeff \x1b[31mred\x1b[0m", "abc red", "control characters removed"),
        ("cafe\u0301", "café", "Unicode normalized"),
        ("a\r\nb\rc  \n\n\n\nd\u00a0e", "a\nb\nc\n\nd e", "white space normalized"),
        (
            "Fine.<br /><br />The cast too.<br /><br />Ten of ten.",
            "Fine.\n\nThe cast too.\n\nTen of ten.",
            "HTML stripped",
        ),
    ],
)
def test_repairs_are_named_once(text: str, clean: str, repair: str) -> None:
    assert clean_text(text) == (clean, (repair,))


@pytest.mark.parametrize(
    "text",
    [
        "def f(a):\n    if a < 3 > 1:\n\treturn 'x'\n\n    return A",
        "use List<String> and Map<K, V>, x < y > z",
        "The <p> tag begins a paragraph and </p> ends it, <br> breaks a line.",
        "x² + ½ ﬁ Ｗide “quoted” — kept",
        "page = '<div><p>%s</p></div>' % text\nprint('<br>')\n\nclass A:\n    title = \"<h1>x</h1>\"",
        "# Title\n\n<p align='center'>\n<img>\n</p>\n<div>x</div>\n\nText",
        "s.replace('<', '&lt;')",
        "می\u200cخواهم 👨\u200d👩\u200d👧",
        "Column A   Column B\n1          2",
    ],
)
def test_what_is_left_alone(text: str) -> None:
    assert clean_text(text) == (text, ())


@pytest.mark.parametrize("module", [html.parser, http.server, pydoc])
def test_source_code_that_writes_html_is_not_html(module: ModuleType) -> None:
    text = Path(module.__file__ or "").read_text(encoding="utf-8")
    assert "HTML stripped" not in clean_text(text)[1]


@given(LAWFUL)
def test_white_space_may_be_kept_as_it_is(text: str) -> None:
    clean, _ = clean_text(text, "keep", "keep")
    assert clean_text(clean, "keep", "keep") == (clean, ())
    assert clean.encode("utf-8").decode("utf-8") == clean


SPACED = ["\n\n  def f():\r\n\treturn 1   \n\n\n\n\x0c\n", "a\rb", " \t ", "x\x0b\x0cy\u00a0\u2003z", "no end"]


@pytest.mark.parametrize("text", SPACED)
def test_kept_white_space_is_the_same(text: str) -> None:
    assert clean_text(text, "keep", "keep") == (text, ())
    assert clean_text(f"{text}\x00\u200b", "keep", "keep") == (text, ("control characters removed",))
