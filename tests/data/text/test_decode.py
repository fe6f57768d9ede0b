"""Bytes to text."""

from __future__ import annotations

import codecs
import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bessemer.data.record import BROKEN, Rejected
from bessemer.data.text.decode import decode

TEXTS = [
    ("latin-1", "Café à la crème, s'il vous plaît. Où êtes-vous allé hier ?"),
    ("latin-1", "Über die Straße läuft ein müder Bär."),
    ("latin-1", "El niño comió una piña en España."),
    ("latin-1", "Ação e coração são palavras do português."),
    ("cp1252", "“Smart quotes” – and dashes — cost 5 € in the café…"),
    ("cp1252", "It’s a naïve résumé."),
    ("cp1250", "Příliš žluťoučký kůň úpěl ďábelské ódy."),
    ("iso8859_2", "Zażółć gęślą jaźń. Łódź jest piękna."),
    ("cp1251", "Привет, как дела? Сегодня хорошая погода."),
    ("cp1251", "Москва — столица России. Здесь живёт много людей."),
    ("koi8-r", "Привет, как дела? Сегодня хорошая погода."),
    ("cp1253", "Καλημέρα κόσμε, τι κάνετε;"),
    ("shift_jis", "今日は天気がいいですね。東京へ行きましょう。"),
    ("shift_jis", "日本語のテキストです。"),
    ("euc-jp", "今日は天気がいいですね。東京へ行きましょう。"),
    ("gb18030", "今天天气很好,我们去北京吧。这是一个测试。"),
    ("big5", "今天天氣很好,我們去台北吧。這是一個測試。"),
    ("euc-kr", "안녕하세요. 오늘 날씨가 좋네요."),
]
CODE = "\ndef f(x): return x  # source code around a comment\n" * 20


@pytest.mark.parametrize(("encoding", "text"), TEXTS)
@pytest.mark.parametrize("around", ["", CODE])
def test_old_encodings_of_one_sentence(encoding: str, text: str, around: str) -> None:
    decoded, repairs = decode((text + around).encode(encoding))
    assert decoded == text + around
    assert len(repairs) == 1
    assert repairs[0].startswith("decoded from ")


@given(
    st.text(min_size=1).filter(str.strip).filter(lambda text: not any(ord(c) < 32 or ord(c) == 127 for c in text))
)
def test_utf8_is_taken_as_it_is(text: str) -> None:
    if text.startswith("\ufeff") or "\u0001" in text or not text.encode().strip():
        return
    assert decode(text.encode("utf-8")) == (text, ())


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
    ],
)
def test_marks(mark: bytes, encoding: str) -> None:
    text = "Grüße, 世界"
    assert decode(mark + text.encode(encoding)) == (text, (f"decoded from {encoding}",))


def test_utf8_mark_is_no_repair() -> None:
    assert decode(codecs.BOM_UTF8 + "Grüße".encode()) == ("Grüße", ())


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf16_without_mark(encoding: str) -> None:
    text = "A café in the old town, with a view."
    assert decode(text.encode(encoding)) == (text, (f"decoded from {encoding}",))


def test_utf8_with_a_pasted_line_and_a_cut_end() -> None:
    good = "Schöne Grüße aus München, Köln und Düsseldorf.\n" * 3
    raw = good.encode() + "Café".encode("latin-1") + b"\nund \xc3"
    text, repairs = decode(raw)
    assert text.startswith(good)
    assert "Café\n" in text
    assert repairs == ("wrong bytes in UTF-8 replaced",)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "empty file"),
        (b" \r\n\t ", "empty file"),
        (codecs.BOM_UTF8, "empty file"),
        (codecs.BOM_UTF16_LE, "empty file"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "binary, not text"),
        (b"text with a zero\0byte", "binary, not text"),
        (random.Random(1).randbytes(3000).replace(b"\0", b""), "binary, not text"),
        (codecs.BOM_UTF16_LE + b"\0\xd8" * 50, "binary, not text"),
    ],
)
def test_refused(raw: bytes, reason: str) -> None:
    with pytest.raises(Rejected) as caught:
        decode(raw)
    assert (caught.value.reason, caught.value.kind) == (reason, BROKEN)


def test_large_files_are_judged_by_a_sample() -> None:
    raw = ("Привет, как дела? Сегодня хорошая погода.\n" * 100_000).encode("cp1251")
    start = time.perf_counter()
    text, _ = decode(raw)
    assert time.perf_counter() - start < 2  # 0.1 s when nothing else runs; a full analysis takes minutes
    assert text.startswith("Привет")
