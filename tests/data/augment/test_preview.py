"""A sheet shows every picture, in its place."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from bessemer.data.augment.preview import AFTER_FIRST, GAP, HEADING, png, sheet, tile


@pytest.mark.parametrize("channels", [1, 3])
def test_rows_and_columns_stand_where_they_belong(channels):
    pictures = np.random.default_rng(0).integers(0, 256, (3, 2, 12, 16, channels), np.uint8)
    page = sheet(list(pictures), ["original", "epoch 0"])
    high, wide = 12 * 8, 16 * 8
    assert page.shape == (HEADING + 3 * (high + GAP), 2 * wide + 3 * GAP + AFTER_FIRST, 3)
    for row in range(3):
        for column in range(2):
            y = HEADING + row * (high + GAP)
            x = GAP + column * (wide + GAP) + (AFTER_FIRST if column else 0)
            shown = page[y : y + high, x : x + wide]
            assert np.array_equal(shown[4::8, 4::8], np.broadcast_to(pictures[row, column], (12, 16, 3)))
            assert (shown.reshape(12, 8, 16, 8, 3) == shown[::8, None, ::8, None].reshape(12, 1, 16, 1, 3)).all()


def test_headings_are_written_above_their_columns():
    tiles = [[np.zeros((96, 96), np.uint8)] * 2]
    plain, headed = sheet(tiles, [" ", " "]), sheet(tiles, [" ", "epoch 0"])
    ys, xs, _ = np.nonzero(plain != headed)
    assert ys.max() < HEADING
    assert xs.min() >= 96 + 2 * GAP + AFTER_FIRST


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
