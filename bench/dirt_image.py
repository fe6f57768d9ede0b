"""Dirt for images."""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections.abc import Callable
from functools import cache

import numpy as np
from dirt import Make, Plant, cut_short, emptied, same, words_instead
from PIL import Image, ImageEnhance

ROTATED = 6  # EXIF orientation: turn by 90 degrees clockwise to see it upright
BOMB_SIDE = 30_000


def redrawn(change: Callable[[Image.Image, random.Random], Image.Image], **how: object) -> Make:
    """Decode, change, and encode again."""

    def make(raw: bytes, dice: random.Random) -> bytes:
        with Image.open(io.BytesIO(raw)) as image:
            changed = change(image, dice)
        out = io.BytesIO()
        changed.save(out, **({"format": "PNG"} | how))
        return out.getvalue()

    return make


def blank(image: Image.Image, dice: random.Random) -> Image.Image:
    """One gray level all over."""
    return Image.new("L", image.size, dice.randrange(256))


def tiny(image: Image.Image, dice: random.Random) -> Image.Image:
    """2 by 2 pixels."""
    return image.resize((2, 2), Image.Resampling.BOX)


def sixteen_bits(image: Image.Image, dice: random.Random) -> Image.Image:
    """The same gray levels in 16 bits."""
    return Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)


def palette(image: Image.Image, dice: random.Random) -> Image.Image:
    """The same gray levels through a shuffled palette."""
    levels = list(range(256))
    dice.shuffle(levels)
    places = np.argsort(levels).astype(np.uint8)[np.asarray(image.convert("L"))]
    result = Image.frombytes("P", image.size, places.tobytes())
    result.putpalette([level for level in levels for _ in range(3)])
    return result


def turned(raw: bytes, dice: random.Random) -> bytes:
    """A JPEG that lies on its side, with the EXIF mark that says so."""
    with Image.open(io.BytesIO(raw)) as image:
        lying = image.convert("RGB").transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = ROTATED
    out = io.BytesIO()
    lying.save(out, "JPEG", quality=95, exif=exif)
    return out.getvalue()


def bomb(raw: bytes, dice: random.Random) -> bytes:
    """A PNG of 900 million black pixels in about 110 kB."""
    return packed_black()


@cache
def packed_black() -> bytes:
    """The file of the bomb."""
    row = bytes(1 + (BOMB_SIDE + 7) // 8)
    packer = zlib.compressobj(9)
    body = b"".join(packer.compress(row * 100) for _ in range(BOMB_SIDE // 100)) + packer.flush()
    header = struct.pack(">IIBBBBB", BOMB_SIDE, BOMB_SIDE, 1, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", body), (b"IEND", b""))
    packed = (struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def brighter(image: Image.Image, dice: random.Random) -> Image.Image:
    """Brighter or darker by a tenth."""
    return ImageEnhance.Brightness(image).enhance(dice.choice((0.9, 1.1)))


def doubled(image: Image.Image, dice: random.Random) -> Image.Image:
    """Twice the size."""
    return image.resize((2 * image.width, 2 * image.height), Image.Resampling.BICUBIC)


def as_mode(mode: str) -> Callable[[Image.Image, random.Random], Image.Image]:
    """The same image in another mode."""
    return lambda image, dice: image.convert("RGB").convert(mode)


def as_it_is(image: Image.Image, dice: random.Random) -> Image.Image:
    """The image itself."""
    return image.convert("L")


JPEG = {"format": "JPEG", "quality": 85}
PLANTS = (
    Plant("truncated", cut_short),
    Plant("0 bytes", emptied),
    Plant("text named as an image", words_instead),
    Plant("blank", redrawn(blank)),
    Plant("tiny (2x2)", redrawn(tiny)),
    Plant("decompression bomb", bomb),
    Plant("16 bits", redrawn(sixteen_bits)),
    Plant("CMYK", redrawn(as_mode("CMYK"), format="JPEG", quality=95), suffix=".jpg"),
    Plant("palette", redrawn(palette)),
    Plant("alpha channel", redrawn(as_mode("RGBA"))),
    Plant("turned, with EXIF", turned, suffix=".jpg"),
    Plant("JPEG named .png", redrawn(as_it_is, **JPEG)),
    Plant("exact copy", same, copy=True),
    Plant("near copy: JPEG", redrawn(as_it_is, **JPEG), copy=True, suffix=".jpg"),
    Plant("near copy: twice the size", redrawn(doubled), copy=True),
    Plant("near copy: brightness", redrawn(brighter), copy=True),
    Plant("test file in training", same, copy=True, leak=True),
    Plant("test file in training, as JPEG", redrawn(as_it_is, **JPEG), copy=True, leak=True, suffix=".jpg"),
)
