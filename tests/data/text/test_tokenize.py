"""Tokenizers trained and loaded."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers

from bessemer.data.text.config import TokenizerConfig
from bessemer.data.text.tokenize import TextEncoder, load_tokenizer, train_tokenizer
from bessemer.errors import DataError

TEXTS = [f"The quick brown fox number {i} jumps over the lazy dog, naïve {i * 7} times." for i in range(200)]
BPE = train_tokenizer(TEXTS, TokenizerConfig(vocabulary=400))
WORDPIECE = train_tokenizer(TEXTS, TokenizerConfig(kind="wordpiece", vocabulary=400, lowercase=True))
ENDED = train_tokenizer(TEXTS, TokenizerConfig(vocabulary=400))
ENDED.add_end()
SCRIPT = """
from bessemer.data.text.config import TokenizerConfig
from bessemer.data.text.tokenize import train_tokenizer
texts = [f"{w} fox {i} {w * 2}, naïve" for i in range(3000) for w in ("quick", "lazy", "brown", "été")]
print(train_tokenizer(iter(texts), TokenizerConfig(kind=KIND, vocabulary=1000)).to_json())
"""


@given(st.text())
def test_byte_level_gives_back_any_text(text: str) -> None:
    ids = BPE.encode(text)
    assert ids.dtype == np.int32
    assert BPE.decode(ids) == text
    assert not len(ids) or (ids.min() > 2 and ids.max() < BPE.vocabulary)


@given(
    st.lists(st.sampled_from(["fox", " ", "\n", "   ", "x" * 50, "naïve", "…", "12", "-" * 40])),
    st.integers(1, 20),
)
def test_cut_texts_begin_like_whole_ones(words: list[str], most: int) -> None:
    text = "".join(words) * 5
    for encoder in (BPE, WORDPIECE):
        assert encoder.encode(text, most).tolist() == encoder.encode(text).tolist()[:most]


def test_names_of_special_tokens_in_a_text_are_plain_letters(travel: Callable[[Any], Any]) -> None:
    text = "a [PAD] and [MASK] or [UNK]"
    for encoder in (BPE, travel(BPE)):
        ids = encoder.encode(text)
        assert ids.min() > 2
        assert encoder.decode(ids) == text
    assert not {0, 2} & set(WORDPIECE.encode(text).tolist())


def test_batches_equal_single_texts() -> None:
    texts = [*TEXTS[:5], "", "x" * 10_000]
    for encoder in (BPE, WORDPIECE):
        for text, ids in zip(texts, encoder.encode_batch(texts, 12), strict=True):
            assert ids.tolist() == encoder.encode(text, 12).tolist()
            assert len(ids) <= 12


@pytest.mark.parametrize("kind", ["bpe", "wordpiece"])
def test_any_number_of_threads_learns_the_same(kind: str) -> None:
    out = []
    for parallel in ("false", "true", "true"):
        env = {**os.environ, "TOKENIZERS_PARALLELISM": parallel, "RAYON_NUM_THREADS": "3"}
        script = SCRIPT.replace("KIND", repr(kind))
        out.append(subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, check=True).stdout)
    assert out[0] == out[1] == out[2]


def test_special_tokens_and_small_corpora() -> None:
    for encoder in (BPE, WORDPIECE):
        assert (encoder.pad, encoder.mask) == (0, 2)
        assert encoder.vocabulary <= 400
    tiny = train_tokenizer(["abc def"], TokenizerConfig())
    assert tiny.vocabulary == 3 + 256


def test_wordpiece_lowers_case_and_keeps_accents() -> None:
    assert WORDPIECE.decode(WORDPIECE.encode("The NAÏVE Fox")) == "the naïve fox"
    assert BPE.decode(np.array([0, *BPE.encode("fox"), 2, 0])) == "fox"


def test_texts_are_streamed() -> None:
    def texts() -> Iterator[str]:
        yield from TEXTS

    assert train_tokenizer(texts(), TokenizerConfig(vocabulary=400)).to_json() == BPE.to_json()
    with pytest.raises(DataError, match="no text"):
        train_tokenizer(iter([]), TokenizerConfig())


def test_saved_loaded_and_pickled(tmp_path: Path, travel: Callable[[Any], Any]) -> None:
    file = tmp_path / "tokenizer.json"
    file.write_text(BPE.to_json(), encoding="utf-8")
    copies = [load_tokenizer(file), travel(BPE)]
    for copy in copies:
        assert copy.to_json() == BPE.to_json()
        assert copy.encode("brown fox").tolist() == BPE.encode("brown fox").tolist()


def foreign(vocabulary: dict[str, int]) -> Tokenizer:
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="a"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return tokenizer


def test_foreign_tokenizers_get_a_padding_and_a_mask(tmp_path: Path) -> None:
    file = tmp_path / "tokenizer.json"
    foreign({"a": 0, "b": 1}).save(str(file))
    encoder = load_tokenizer(file)
    assert encoder.encode("a b").tolist() == [1, 2]
    assert (encoder.pad, encoder.mask, encoder.vocabulary) == (0, 3, 4)
    assert encoder.decode(np.array([1, 2, 0])) == "a b"
    foreign({"[PAD]": 0, "a": 1, "[MASK]": 2}).save(str(file))
    encoder = load_tokenizer(file)
    assert (encoder.encode("a").tolist(), encoder.mask, encoder.vocabulary) == ([1], 2, 3)


def test_padding_and_cutting_of_a_file_are_switched_off(tmp_path: Path) -> None:
    tokenizer = Tokenizer.from_str(BPE.to_json())
    tokenizer.enable_padding(length=99)
    tokenizer.enable_truncation(2)
    assert len(TextEncoder(tokenizer).encode(TEXTS[0])) == len(BPE.encode(TEXTS[0]))


@pytest.mark.parametrize("content", ["", "{", json.dumps({"model": {}}), "[1, 2]"])
def test_files_that_are_no_tokenizer(content: str, tmp_path: Path) -> None:
    file = tmp_path / "tokenizer.json"
    file.write_text(content)
    with pytest.raises(DataError, match=r"tokenizer\.json: not a tokenizer"):
        load_tokenizer(file)
    with pytest.raises(DataError, match="cannot be read"):
        load_tokenizer(tmp_path / "absent.json")


@given(st.text())
def test_bytes_of_tokens_sum_to_those_of_the_text(text: str) -> None:
    assert ENDED.byte_lengths()[ENDED.encode(text)].sum() == len(text.encode("utf-8"))
    assert ENDED.end not in ENDED.encode(text + "[END]")


def test_an_end_is_added_once_and_stands_for_no_byte() -> None:
    encoder = TextEncoder(Tokenizer.from_str(BPE.to_json()))
    assert encoder.end is None
    before = encoder.vocabulary
    assert encoder.add_end() == encoder.add_end() == encoder.end == before
    assert encoder.vocabulary == before + 1 == len(encoder.byte_lengths())
    assert encoder.byte_lengths()[[0, 1, 2, before]].tolist() == [0, 0, 0, 0]
    assert TextEncoder(Tokenizer.from_str(encoder.to_json())).end == before


@pytest.mark.parametrize(
    "config", [TokenizerConfig(kind="wordpiece", vocabulary=400), TokenizerConfig(vocabulary=400, lowercase=True)]
)
def test_bytes_are_told_only_where_text_comes_back_exactly(config: TokenizerConfig) -> None:
    with pytest.raises(DataError, match="to the last byte"):
        train_tokenizer(TEXTS, config).byte_lengths()
