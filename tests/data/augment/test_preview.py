"""The preview shows what training sees."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from bessemer.data.augment.image import augment
from bessemer.data.augment.preview import AFTER_FIRST, GAP, HEADING, image_sheet, png, sheet, tile
from bessemer.data.config import AugmentConfig

CONFIG = AugmentConfig(crop=2, rotate=10.0, noise=3.0)


@pytest.mark.parametrize("channels", [1, 3])
def test_rows_are_samples_and_columns_their_epochs(channels):
    images = np.random.default_rng(0).integers(0, 256, (3, 12, 16, channels), np.uint8)
    ids = np.array([5, 6, 7], np.uint64)
    page = image_sheet(images, CONFIG, ids, seed=4, epochs=2)
    assert page.dtype == np.uint8
    assert page.shape[2] == 3
    high, wide = 12 * 8, 16 * 8
    for number in range(3):
        y = HEADING + number * (high + GAP)
        expected = [images[number]]
        for epoch in range(2):
            one = slice(number, number + 1)
            expected.append(augment(images[one], CONFIG, ids[one], np.array([epoch]), 4)[0])
        for column, picture in enumerate(expected):
            x = GAP + column * (wide + GAP) + (AFTER_FIRST if column else 0)
            shown = page[y + 4 : y + high : 8, x + 4 : x + wide : 8]
            assert np.array_equal(shown, np.broadcast_to(picture, (12, 16, 3)))


@pytest.mark.parametrize(
    ("shape", "wanted"),
    [
        ((8, 8), (96, 96)),
        ((28, 28), (112, 112)),
        ((96, 200), (96, 200)),
        ((64, 100), (128, 200)),
        ((512, 512), (256, 256)),
    ],
)
def test_small_pictures_are_enlarged_by_whole_factors_and_large_ones_reduced(shape, wanted):
    assert tile(np.zeros(shape, np.uint8)).shape == (*wanted, 3)


def test_a_sheet_needs_no_headings_and_becomes_a_png():
    page = sheet([[np.zeros((96, 120), np.uint8), np.full((96, 120, 3), 9, np.uint8)]])
    with Image.open(io.BytesIO(png(page))) as image:
        assert image.format == "PNG"
        assert np.array_equal(np.asarray(image), page)
    assert page.shape == (96 + 2 * GAP, 2 * 120 + 3 * GAP + AFTER_FIRST, 3)
