"""Rules of quality."""

from __future__ import annotations

import base64
import email.parser
import inspect
import json
import random
import textwrap
import zlib

import pytest

from bessemer.data.text import quality
from bessemer.data.text.config import TextConfig
from bessemer.data.text.quality import problem, unfit_length

CONFIG = TextConfig(min_characters=20)
WORDS = (
    inspect.cleandoc(zlib.__doc__ or "").split() + (json.__doc__ or "").split() + (random.__doc__ or "").split()
)
WORDS = [word for word in WORDS if word.isalpha()]
PROSE = " ".join(random.Random(0).choices(WORDS, k=400)) + "."


def lines(text: str) -> str:
    return "\n".join(textwrap.wrap(text, 60))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("short", "too short"),
        ("   " * 20, "empty text"),
        ("word " * 300_000, "too long"),
        ("#$%^ &*( @@@ !!!! " * 5, "mostly symbols"),
        ("-" * 100, "mostly symbols"),
        (base64.encodebytes(random.Random(1).randbytes(3000)).decode(), "low information: random or encoded data"),
        ("Buy cheap pills now! " * 200, "low information: repeats itself"),
        (
            PROSE.split(".")[0] + "\n\n" + "\n".join(["Share this story with all of your dear friends"] * 60),
            "repeated lines",
        ),
        ("\n".join(["x = 1"] * 19 + ["y = 2"] * 19), "repeated lines"),
        (
            " ".join(PROSE.split()[:60]) + " " + " ".join(["what a nice and sunny day it is"] * 20),
            "repeated words",
        ),
        (" ".join(word[:2] for word in PROSE.split()), "words too short or too long"),
        (" ".join(word * 3 for word in WORDS), "words too short or too long"),
        (PROSE.replace(" ", " # "), "too many symbols"),
        ("\n".join(f"- {line}" for line in textwrap.wrap(PROSE, 60)), "only bullet points"),
        ("\n".join(f"{line}…" for line in textwrap.wrap(PROSE, 200)), "lines cut off with an ellipsis"),
    ],
)
def test_reasons(text: str, reason: str) -> None:
    assert (unfit_length(text, CONFIG) or problem(text)) == reason


@pytest.mark.parametrize(
    "text",
    [
        PROSE,
        lines(PROSE),
        "A short sentence is fine.",
        "今天天气很好,我们去北京吧。这是一个测试文档,内容不多。",
        "今天天气很好我们去北京吧" * 3,
        "नमस्ते दुनिया, आप कैसे हैं? यह एक परीक्षण है।",
        "สวัสดีชาวโลก นี่คือการทดสอบ",
        "\n".join(f"{i},{i * i},{i**3}" for i in range(200)),
        "yes yes yes yes yes yes yes",
        inspect.getsource(email.parser),
        inspect.getsource(quality),
        inspect.getdoc(json) or "",
    ],
)
def test_what_passes(text: str) -> None:
    assert (unfit_length(text, CONFIG) or problem(text)) is None


def test_switched_off() -> None:
    assert unfit_length("-", CONFIG) == "too short"
    assert unfit_length("-", TextConfig()) is None
    assert unfit_length(" \n", TextConfig()) == "empty text"
    assert [TextConfig(quality=said).quality for said in (True, False)] == ["drop", "off"]


def test_shares_by_hand() -> None:
    assert quality.duplicate_shares(["ab", "c", "ab", "ab"]) == (0.5, 4 / 7)
    words = ["a", "bb", "a", "bb", "c"]
    assert quality.top_ngram_share(words, 2) == 6 / 7
    assert quality.duplicate_ngram_share(words, 2) == 3 / 7
    assert quality.duplicate_ngram_share(words, 5) == 0
    assert quality.top_ngram_share(["a"], 2) == 0
    assert quality.mean_word_length(["a", "bbb"]) == 2
    assert quality.alphabetic_share(["1", "é2"]) == 0.5
    assert quality.symbol_ratio("# title\na # b ... c", ["#", "title", "a", "#", "b", "...", "c"]) == 1 / 7
    assert quality.line_shares("- a\nb...\n\nc…\nd") == (0.25, 0.5)
    assert quality.visible_share("ab -") == 2 / 3
    assert quality.compression_ratio("a" * 10_000) > 100
