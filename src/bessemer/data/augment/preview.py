"""A sheet of pictures, samples beside their augmented selves, so that a person can look at the settings' work."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Picture = NDArray[np.uint8]
SMALLEST_TILE = 96  # pixels: smaller pictures are enlarged by a whole factor
LARGEST_TILE = 256  # larger ones are reduced
GAP, AFTER_FIRST, HEADING = 6, 12, 22
PAPER, INK = (255, 255, 255), (60, 60, 60)


def sheet(rows: Sequence[Sequence[Picture]], headings: Sequence[str] = ()) -> Picture:
    """Pictures (H, W), (H, W, 1) or (H, W, 3) in a grid, the first column set apart, under headings.

    Pictures of one column are to be of one size. Returns uint8 (height, width, 3).
    """
    tiles = [[tile(picture) for picture in row] for row in rows]
    top = HEADING if headings else GAP
    heights = [max(one.shape[0] for one in row) for row in tiles]
    widths = [max(row[column].shape[1] for row in tiles) for column in range(len(tiles[0]))]
    lefts = [GAP + sum(widths[:c]) + GAP * c + (AFTER_FIRST if c else 0) for c in range(len(widths))]
    page = np.full((top + sum(heights) + GAP * len(heights), lefts[-1] + widths[-1] + GAP, 3), PAPER, np.uint8)
    for number, row in enumerate(tiles):
        y = top + sum(heights[:number]) + GAP * number
        for x, one in zip(lefts, row, strict=True):
            page[y : y + one.shape[0], x : x + one.shape[1]] = one
    return _with_headings(page, headings, lefts)


def tile(picture: Picture) -> Picture:
    """One picture in color, each pixel enlarged to a square where it is small."""
    flat = picture[..., 0] if picture.ndim == 3 and picture.shape[2] == 1 else picture
    image = Image.fromarray(np.ascontiguousarray(flat)).convert("RGB")
    factor = -(-SMALLEST_TILE // min(image.size))
    if factor > 1:
        image = image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)
    else:
        image.thumbnail((LARGEST_TILE, LARGEST_TILE))
    return np.asarray(image)


def png(picture: Picture) -> bytes:
    """A picture as the bytes of a PNG file."""
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "PNG")
    return out.getvalue()


def _with_headings(page: Picture, headings: Sequence[str], lefts: Sequence[int]) -> Picture:
    if not headings:
        return page
    image = Image.fromarray(page)
    pen = ImageDraw.Draw(image)
    for x, text in zip(lefts, headings, strict=True):
        pen.text((x, HEADING // 2), text, fill=INK, anchor="lm")
    return np.asarray(image)
