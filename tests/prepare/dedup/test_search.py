"""Copies that are found equal those of a comparison of all with all."""

from __future__ import annotations

import io
import random
import time
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageEnhance

from bessemer.data.audio import AUDIO
from bessemer.data.config import DedupConfig
from bessemer.data.image import IMAGE
from bessemer.data.image.copies import (
    ROUNDING,
    ImageSearch,
    Picture,
    coarse_difference,
    overall_difference,
    part_masks,
    picture_difference,
)
from bessemer.data.image.signature import coarse, image_signature
from bessemer.data.text import TEXT
from bessemer.data.text.copies import banding
from bessemer.data.text.signature import jaccard, same_but_for_marks, text_signature, words
from bessemer.prepare.dedup import Copies, find_copies
from bessemer.prepare.dedup.search import LISTED, all_pairs, buckets

LAW = settings(max_examples=40, deadline=None, derandomize=True)
LEAST = 0.8


def ids_of(payloads: list[bytes]) -> np.ndarray:
    """Equal numbers for equal payloads, in no order."""
    numbers = {payload: number for number, payload in enumerate(sorted(set(payloads)))}
    mixed = np.random.default_rng(len(numbers)).choice(2**60, len(numbers), replace=False)
    return np.array([mixed[numbers[payload]] for payload in payloads], np.uint64)


def text_copies(texts: list[str], config: DedupConfig | None = None) -> Copies:
    payloads = [text.encode() for text in texts]
    signatures = np.stack([text_signature(text) for text in texts])
    return find_copies(ids_of(payloads), signatures, payloads.__getitem__, TEXT, config or DedupConfig(), {})


def image_copies(images: list[np.ndarray], config: DedupConfig | None = None) -> Copies:
    payloads = [image.tobytes() for image in images]
    signatures = np.stack([image_signature(image) for image in images])
    config = config or DedupConfig()
    height, width, channels = images[0].shape
    settled = {"size": [height, width], "gray": channels == 1}
    return find_copies(ids_of(payloads), signatures, payloads.__getitem__, IMAGE, config, settled)


def components(count: int, pairs: list[tuple[int, int]]) -> list[int]:
    """For each row the first row it is connected with."""
    root = list(range(count))
    for one, other in pairs:
        low, high = sorted((root[one], root[other]))
        root = [low if name == high else name for name in root]
    return root


def are_copies(one: str, other: str) -> bool:
    short = min(len(words(one)), len(words(other))) < 20
    return jaccard(one, other) >= LEAST and (not short or same_but_for_marks(one, other))


def fresh(chance: random.Random, count: int) -> list[str]:
    return [f"w{chance.randrange(10**6)}" for _ in range(count)]


def changed(text: list[str], places: int, chance: random.Random) -> list[str]:
    out = list(text)
    for place in chance.sample(range(len(text)), places):
        out[place] = f"x{chance.randrange(10**6)}"
    return out


# --- texts ----------------------------------------------------------------------------------------------


@LAW
@given(seed=st.integers(0, 10**6), count=st.integers(1, 24))
def test_clusters_of_texts_equal_those_of_comparing_all_with_all(seed, count):
    """Similarities away from the limit, where finding a pair is all but certain."""
    chance, texts = random.Random(seed), []
    for _ in range(count):
        if texts and chance.random() < 0.6:
            texts.append(changed(chance.choice(texts), chance.choice([0, 1, 1, 8]), chance))
        else:
            texts.append(fresh(chance, chance.choice([8, 120])))
    joined = [" ".join(text) for text in texts]
    pairs = [pair for pair in combinations(range(count), 2) if are_copies(joined[pair[0]], joined[pair[1]])]
    assert text_copies(joined).root.tolist() == components(count, pairs)


@LAW
@given(seed=st.integers(0, 10**6))
def test_permuting_the_rows_permutes_the_clusters(seed):
    chance = random.Random(seed)
    texts = [fresh(chance, 60) for _ in range(6)]
    texts += [changed(chance.choice(texts), chance.randrange(4), chance) for _ in range(14)]
    joined = [" ".join(text) for text in texts]
    order = np.array(chance.sample(range(len(joined)), len(joined)))
    straight, mixed = text_copies(joined), text_copies([joined[row] for row in order])
    assert straight.near == mixed.near
    assert [pair[0] for pair in straight.pairs] == [pair[0] for pair in mixed.pairs]
    same = straight.root[order][:, None] == straight.root[order]
    assert np.array_equal(mixed.root[:, None] == mixed.root, same)
    assert np.array_equal(mixed.root, same.argmax(axis=1))  # the first row names the cluster


@pytest.mark.parametrize("least", [0.5, 0.8, 0.9])
def test_planted_near_copies_are_found_and_nothing_else(least):
    chance = random.Random(1)
    texts = [fresh(chance, 104) for _ in range(300)]
    texts += [changed(text, chance.randrange(1, 7), chance) for text in texts[:200]]
    joined = [" ".join(text) for text in texts]
    found = text_copies(joined, DedupConfig(text_similarity=least))
    truth = {row for row in range(200) if jaccard(joined[row], joined[row + 300]) >= least}
    met = {row for row in range(200) if found.root[row + 300] == row}
    assert len(truth) > 20
    assert met <= truth
    assert len(met) >= 0.98 * len(truth)
    assert all(
        jaccard(joined[one], joined[other]) == similarity >= least for similarity, one, other in found.pairs
    )
    assert len(found.pairs) == found.near == len(met)


@given(similarity=st.floats(0.3, 1.0))
def test_bands_find_pairs_right_at_the_wanted_similarity(similarity):
    bands, size = banding(similarity)
    assert bands * size <= 128
    assert 1 - (1 - similarity**size) ** bands >= 0.995


def test_short_texts_that_differ_in_an_operator_are_no_copies():
    texts = [
        "Just like self.assertTrue(a > b), but with a nicer default message.",
        "Just like self.assertTrue(a < b), but with a nicer default message.",
        "just like self.assertTrue(a < b) but with a nicer default message",
    ]
    assert text_copies(texts).root.tolist() == [0, 1, 1]


def test_a_chain_of_near_copies_is_one_cluster():
    chance = random.Random(5)
    start = fresh(chance, 104)
    chain = [start]
    for step in range(6):
        chain.append([*chain[-1][: 15 * step], "new", *chain[-1][15 * step + 1 :]])
    joined = [" ".join(text) for text in chain]
    assert jaccard(joined[0], joined[-1]) < LEAST
    assert set(text_copies(joined).root.tolist()) == {0}


@pytest.mark.parametrize(("words_changed", "clusters"), [(1, 1), (40, 1000)])
def test_a_thousand_texts_of_one_template_are_quick(words_changed, clusters):
    chance = random.Random(2)
    start = fresh(chance, 200)
    texts = [" ".join(changed(start[:-20], words_changed, chance) + start[-20:]) for _ in range(1000)]
    began = time.process_time()
    found = text_copies(texts)
    assert time.process_time() - began < 5
    assert len(set(found.root.tolist())) == clusters


def test_exact_copies_need_no_signature():
    ids = np.array([7, 3, 7, 9, 3, 7], np.uint64)
    found = find_copies(ids, None, lambda row: b"", AUDIO, DedupConfig(), {})
    assert found.root.tolist() == [0, 1, 0, 3, 1, 0]
    assert (found.near, found.pairs) == (0, [])


def test_near_copies_are_not_searched_where_that_is_off():
    texts = ["Hello world", "hello, world"]
    assert text_copies(texts).root.tolist() == [0, 0]
    assert text_copies(texts, DedupConfig(near=False)).root.tolist() == [0, 1]


def test_no_rows_and_one_row():
    for count in (0, 1):
        found = find_copies(np.arange(count, dtype=np.uint64), None, lambda row: b"", TEXT, DedupConfig(), {})
        assert found.root.tolist() == list(range(count))


def test_a_memory_map_gives_the_same_as_an_array(tmp_path):
    chance = random.Random(9)
    texts = [fresh(chance, 50) for _ in range(50)]
    joined = [" ".join(text) for text in texts + [changed(text, 1, chance) for text in texts]]
    signatures = np.stack([text_signature(text) for text in joined])
    signatures.tofile(tmp_path / "signatures.bin")
    mapped = np.memmap(tmp_path / "signatures.bin", np.uint64, "r").reshape(-1, signatures.shape[1])
    found = [
        find_copies(
            np.arange(100, dtype=np.uint64), some, lambda row: joined[row].encode(), TEXT, DedupConfig(), {}
        ).root.tolist()
        for some in (signatures, mapped)
    ]
    assert found[0] == found[1]
    assert len(set(found[0])) < 70


def test_the_surest_and_the_least_sure_pairs_are_kept():
    copies = Copies(np.arange(10_000))
    for row in range(0, 8000, 2):
        copies.join(row, row + 1, row / 8000)
    copies.trim()
    similarities = [pair[0] for pair in copies.pairs]
    assert copies.near == 4000
    assert len(similarities) == LISTED
    assert similarities == sorted(similarities, reverse=True)
    assert (similarities[0], similarities[-1]) == (7998 / 8000, 0)


@LAW
@given(keys=st.lists(st.integers(0, 6), min_size=1, max_size=60))
def test_all_pairs_of_equal_keys_are_listed_once(keys):
    order, starts, sizes = buckets(np.array(keys, np.uint64))
    found = [
        tuple(sorted(pair))
        for one, other in all_pairs(starts, sizes)
        for pair in zip(order[one].tolist(), order[other].tolist(), strict=True)
    ]
    expected = [(one, other) for one, other in combinations(range(len(keys)), 2) if keys[one] == keys[other]]
    assert sorted(found) == expected


# --- images ---------------------------------------------------------------------------------------------


def photo(seed: int, side: int = 224) -> np.ndarray:
    """Smooth colored noise under rectangles, somewhat like a photograph in its frequencies."""
    generator = np.random.default_rng(seed)
    small = Image.fromarray(generator.integers(0, 256, (10, 10, 3), np.uint8))
    pixels = np.asarray(small.resize((side, side), Image.Resampling.BICUBIC), np.int16) // 2 + 50
    for _ in range(4):
        top, left = generator.integers(0, side - side // 4, 2)
        pixels[top : top + side // 4, left : left + side // 5] = generator.integers(0, 256, 3)
    return np.clip(pixels + generator.normal(0, 4, pixels.shape), 0, 255).astype(np.uint8)


def compressed(image: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file)


CHANGES = {
    "jpeg 90": lambda image: compressed(image, 90),
    "jpeg 60": lambda image: compressed(image, 60),
    "smaller and back": lambda image: image.resize((202, 202)).resize((224, 224)),
    "larger and back": lambda image: image.resize((246, 246)).resize((224, 224)),
    "darker": lambda image: ImageEnhance.Brightness(image).enhance(0.9),
    "less contrast": lambda image: ImageEnhance.Contrast(image).enhance(0.85),
    "cropped 1%": lambda image: image.crop((1, 1, 223, 223)).resize((224, 224)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_copies_of_images_are_found(change):
    images = [photo(seed) for seed in range(20)]
    images += [np.asarray(CHANGES[change](Image.fromarray(image))) for image in images]
    root = image_copies(images).root
    assert (root[:20] == np.arange(20)).all()
    assert (root[20:] == np.arange(20)).mean() >= 0.9
    assert np.isin(root[20:], [*range(20), *range(20, 40)]).all()
    stray = root[20:][root[20:] != np.arange(20)]
    assert (stray >= 20).all()


def test_different_pictures_are_not_copies():
    from sklearn.datasets import load_digits

    digits = np.round(load_digits().images / 16 * 255).astype(np.uint8)[..., None]
    assert image_copies(list(digits)).near == 0
    assert image_copies([photo(seed) for seed in range(150)]).near == 0


def shirt(color: tuple[int, int, int], printed: bool = False, side: int = 64) -> np.ndarray:
    image = np.full((side, side, 3), 255, np.uint8)
    image[side // 8 :, side // 4 : 3 * side // 4] = color
    image[side // 8 : side // 3, side // 10 : 9 * side // 10] = color
    if printed:
        image[side // 2 : side // 2 + 5, side // 2 - 3 : side // 2 + 3] = 255
    return image


def test_a_print_or_another_color_makes_another_picture():
    first = shirt((40, 60, 90))
    assert image_copies([first, np.where(first < 255, first + 1, first)]).near == 1
    assert image_copies([first, shirt((40, 60, 90), printed=True)]).near == 0
    assert image_copies([shirt((200, 40, 40)), shirt((40, 122, 40))]).near == 0  # of about the same gray


def test_faint_pictures_are_compared_by_their_contrast():
    """Two different patterns of a few gray levels differ by little of the full range."""
    patterns = [(128 + (photo(seed, 64).astype(np.int16) - 128) // 24).astype(np.uint8) for seed in (1, 2)]
    one, other = (Picture(pattern) for pattern in patterns)
    assert overall_difference(one, other) < 0.06
    assert picture_difference(one, other)[2] > 0.4


@LAW
@given(seed=st.integers(0, 10**6), side=st.sampled_from([8, 20, 28, 64]), channels=st.sampled_from([1, 3]))
def test_differences_are_symmetric_and_the_coarse_one_is_a_lower_bound(seed, side, channels):
    generator = np.random.default_rng(seed)
    one = photo(seed, side=max(side, 20))[:side, :side, :channels]
    other = one // np.uint8(generator.integers(1, 4)) + generator.integers(0, 15, one.shape, np.uint8)
    pictures = Picture(one), Picture(other)
    full = picture_difference(*pictures)
    assert full == pytest.approx(picture_difference(*pictures[::-1]), abs=1e-5)
    assert full[0] == pytest.approx(overall_difference(*pictures), abs=1e-3)
    means = [coarse(image_signature(image)[None]) for image in (one, other)]
    assert coarse_difference(*means)[0] <= full[0] + ROUNDING


@LAW
@given(most=st.integers(0, 16), seed=st.integers(0, 10**6))
def test_hashes_within_the_distance_share_a_key(most, seed):
    generator = np.random.default_rng(seed)
    one = generator.integers(0, 2**63, 1, np.uint64)[0]
    other = one
    for bit in generator.choice(64, generator.integers(0, most + 1), replace=False):
        other ^= np.uint64(1 << int(bit))
    assert any(one & mask == other & mask for mask in part_masks(most, 2 if most <= 9 else 1))


@LAW
@given(seed=st.integers(0, 10**6), most=st.sampled_from([2, 4, 12]))
def test_clusters_of_images_equal_those_of_comparing_all_with_all(seed, most):
    generator = np.random.default_rng(seed)
    images = [photo(seed + number, 32) for number in range(5)]
    for _ in range(10):
        source = images[generator.integers(len(images))].astype(np.int16)
        noise = generator.normal(0, generator.choice([2, 12, 30]), source.shape)
        images.append(np.clip(source + noise, 0, 255).astype(np.uint8))
    payloads = [image.tobytes() for image in images]
    signatures = np.stack([image_signature(image) for image in images])
    search = ImageSearch(signatures, np.arange(15), payloads.__getitem__, (32, 32, 3), most)
    pairs = [
        (one, other)
        for one, other in combinations(range(15), 2)
        if int(signatures[one, 0] ^ signatures[other, 0]).bit_count() <= most and search.similarity(one, other) > 0
    ]
    assert image_copies(images, DedupConfig(image_distance=most)).root.tolist() == components(15, pairs)


def test_a_thousand_almost_equal_images_are_quick():
    generator = np.random.default_rng(0)
    start = photo(0, 32)
    images = []
    for _ in range(1000):
        image = start.copy()
        top, left = generator.integers(0, 26, 2)
        image[top : top + 6, left : left + 6] = generator.integers(0, 256, 3)
        images.append(image)
    began = time.process_time()
    image_copies(images)
    assert time.process_time() - began < 15  # 4.7 s on a slow processor
