"""Signatures estimate what they claim to, and are the same everywhere."""

from __future__ import annotations

import hashlib
import random
import subprocess
import sys

import imagehash
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bessemer.data.image.signature import coarse, image_signature
from bessemer.data.text.signature import (
    PERMUTATIONS,
    grams,
    jaccard,
    minhashes,
    same_but_for_marks,
    text_signature,
    words,
)

LAW = settings(max_examples=60, deadline=None, derandomize=True)


def text_of(numbers: list[int]) -> str:
    return " ".join(f"word{number}" for number in numbers)


def estimate(one: str, other: str) -> float:
    return float((minhashes(text_signature(one)) == minhashes(text_signature(other))).mean())


def similar(similarity: float, grams_of_both: int, chance: random.Random) -> tuple[str, str]:
    """Two texts of which about this share of 5-grams is common: one goes on otherwise from some word on."""
    common = round(similarity * grams_of_both)
    apart = (grams_of_both - common) // 2
    start = [chance.randrange(10**9) for _ in range(common + 4)]
    ends = [[chance.randrange(10**9) for _ in range(apart)] for _ in range(2)]
    return text_of(start + ends[0]), text_of(start + ends[1])


@pytest.mark.parametrize("wanted", [0.3, 0.5, 0.8, 0.95])
def test_the_estimate_of_similarity_has_no_bias_and_the_theoretical_error(wanted):
    chance = random.Random(3)
    pairs = [similar(wanted, 200, chance) for _ in range(300)]
    errors = np.array([estimate(*pair) - jaccard(*pair) for pair in pairs])
    theory = np.sqrt(wanted * (1 - wanted) / PERMUTATIONS)
    assert abs(errors.mean()) < 4 * theory / np.sqrt(len(errors))
    assert np.sqrt((errors**2).mean()) < 1.15 * theory


def test_the_signature_of_a_text_is_pinned():
    """Another version of the hash would change which copies are found in data that was prepared before."""
    from rensa import RMinHash

    assert RMinHash.ALGORITHM_VERSION == 2
    signature = text_signature("The quick brown fox jumps over the lazy dog, 12 times a day: Ümläut!")
    assert signature.shape == (PERMUTATIONS // 2,)
    assert hashlib.sha256(signature.tobytes()).hexdigest()[:16] == "ef3d1089fab92c46"


def test_the_signature_is_the_same_in_a_process_with_another_hash_seed():
    code = "from bessemer.data.text.signature import text_signature as f; print(f('one two three four five six'"
    code += ").sum())"
    found = [
        subprocess.run([sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, check=True)
        for seed in ("1", "2")
    ]
    assert found[0].stdout == found[1].stdout != b""
    assert int(found[0].stdout) == int(text_signature("one two three four five six").sum())


@LAW
@given(numbers=st.lists(st.integers(0, 9), min_size=1, max_size=30))
def test_grams_are_all_runs_of_five_words(numbers):
    expected = {tuple(numbers[i : i + 5]) for i in range(len(numbers)) if i == 0 or i + 5 <= len(numbers)}
    assert set(grams(text_of(numbers))) == {text_of(list(run)) for run in expected}


@pytest.mark.parametrize(
    ("one", "other"),
    [("Hello, world!", "hello world"), ("A  b\nc", "a b c"), ("STRASSE zwei", "straße zwei"), ("??", "? ?")],
)
def test_case_punctuation_and_white_space_do_not_count(one, other):
    assert jaccard(one, other) == 1
    assert np.array_equal(text_signature(one), text_signature(other))


def test_texts_without_words_are_compared_by_their_characters():
    assert jaccard("+++", "---") == 0
    assert not np.array_equal(text_signature("+++"), text_signature("---"))


def test_scripts_without_spaces_are_words_of_one_character():
    text = "近似重复的文本应该被找到即使没有空格"
    assert words(text) == list(text)
    assert words("abc近似 def") == ["abc", "近", "似", "def"]
    assert 0.6 < jaccard(text * 1 + "一二三四五六七八九", text + "一二三四五六七八十") < 1


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("if a > b: stop", "If a > b, stop.", True),
        ("a>b", "a > b", True),
        ("It's “so” — they said…", "it's 'so', they said", True),
        ("Like self.assertTrue(a > b), nicer", "Like self.assertTrue(a < b), nicer", False),
        ("x = -1", "x = 1", False),
        ("room 17", "room 71", False),
        ("f(x)", "f[x]", False),
        ("3.5 kg", "35 kg", False),
    ],
)
def test_an_operator_or_a_number_is_no_mark_of_a_sentence(one, other, same):
    assert same_but_for_marks(one, other) is same


def picture(seed: int, height: int, width: int, channels: int) -> np.ndarray:
    """Smooth noise with an edge."""
    generator = np.random.default_rng(seed)
    small = generator.integers(0, 256, (9, 9, channels), np.uint8)
    planes = [
        Image.fromarray(small[..., c]).resize((width, height), Image.Resampling.BICUBIC) for c in range(channels)
    ]
    pixels = np.stack([np.asarray(plane) for plane in planes], axis=2).copy()
    pixels[height // 3 :, width // 4 : width // 2] //= 2
    return pixels


@pytest.mark.parametrize(("height", "width", "channels"), [(224, 224, 3), (100, 160, 3), (64, 64, 1), (48, 96, 3)])
def test_the_hash_of_an_image_is_near_that_of_imagehash(height, width, channels):
    """imagehash shrinks with another filter, so bits at the median may differ."""
    apart = []
    for seed in range(20):
        pixels = picture(seed, height, width, channels)
        ours = np.unpackbits(image_signature(pixels)[:1].view(np.uint8))
        flat = Image.fromarray(pixels if channels == 3 else pixels[..., 0])
        apart.append(int((ours != imagehash.phash(flat).hash.ravel()).sum()))
    assert max(apart) <= 6
    assert np.mean(apart) <= 2


def test_the_means_of_an_image_are_those_of_its_blocks():
    pixels = picture(1, 64, 32, 3)
    expected = pixels.reshape(8, 8, 8, 4, 3).mean(axis=(1, 3, 4))
    assert np.abs(coarse(image_signature(pixels)[None])[0].reshape(8, 8) - expected).max() <= 0.51
