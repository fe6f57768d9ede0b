"""One image file to one 8-bit array, safely: the same function prepares training data and serves `predict`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".pgm", ".ppm"}
FORMATS = ["PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM"]
MAX_PIXELS = 64_000_000
ALPHA_MODES = {"LA", "La", "PA", "RGBA", "RGBa"}
GRAY_MODES = {"1", "L", "LA", "I", "I;16", "I;16B", "I;16L", "F"}


class BadImageError(Exception):
    """An image that cannot be used; the text is the reason, short enough to count by."""


def open_image(path: Path) -> Image.Image:
    """Open an image by its header only; raises BadImageError with the reason."""
    try:
        if path.stat().st_size == 0:
            raise BadImageError("empty file")
        image = Image.open(path, formats=FORMATS)
    except UnidentifiedImageError as error:
        raise BadImageError("not an image") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise BadImageError("too many pixels") from error
    except (OSError, ValueError, SyntaxError) as error:
        raise BadImageError("unreadable") from error
    if image.width * image.height > MAX_PIXELS:
        image.close()
        raise BadImageError("too many pixels")
    return image


def is_gray(image: Image.Image) -> bool:
    """Whether the file stores no color."""
    return image.mode in GRAY_MODES


def read_image(path: Path, size: tuple[int, int], gray: bool) -> NDArray[np.uint8]:
    """Decode to uint8 (H, W, C): turned as EXIF says, cropped to the shape in the middle, resized.

    Raises BadImageError with the reason.
    """
    with open_image(path) as image:
        try:
            image.load()
            upright = ImageOps.exif_transpose(image)
            return fit(upright, size, gray)
        except Exception as error:  # decoders raise anything on damaged bytes, struct.error too
            raise BadImageError("truncated or corrupt") from error


def fit(image: Image.Image, size: tuple[int, int], gray: bool) -> NDArray[np.uint8]:
    """An image as uint8 (H, W, C) of this height and width: cropped in the middle to the shape, then resized."""
    flat = to_mode(image, gray)
    height, width = size
    if flat.size != (width, height):
        flat = ImageOps.fit(flat, (width, height), Image.Resampling.BILINEAR)
    return np.asarray(flat, np.uint8).reshape(height, width, 1 if gray else 3)


def to_mode(image: Image.Image, gray: bool) -> Image.Image:
    """Gray or RGB, 8 bits; 16-bit images are scaled, transparency is laid on white."""
    if image.mode.startswith(("I", "F")):
        values = np.asarray(image, np.float64)
        values = np.nan_to_num(values)
        if image.mode.startswith("I;16") or values.max(initial=0) > 255:
            values = values / 257
        elif image.mode == "F" and values.max(initial=0) <= 1:
            values = values * 255
        image = Image.fromarray(values.clip(0, 255).round().astype(np.uint8))
    if image.mode in ALPHA_MODES or "transparency" in image.info:
        image = image.convert("RGBA")
        ground = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(ground, image)
    return image.convert("L" if gray else "RGB")
