"""Image files to 8-bit arrays, safely: the same functions prepare training data and serve `predict`."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from bessemer.data.image.form import BYTES, FLOATS, GROUNDS, INTEGERS, Form
from bessemer.data.record import Rejected

FORMATS = ["PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM"]
MAX_PIXELS = 64_000_000
ALPHA_MODES = {"LA", "La", "PA", "RGBA", "RGBa"}
GRAY_MODES = {"1", "L", "LA", "La", "I", "F", "I;16", "I;16B", "I;16L", "I;16N"}
ORIENTATION = 0x0112  # the tag of EXIF
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
SUBFILE, REDUCED = 254, 1  # the tag of TIFF that says of a page that it is a smaller copy of another
VISIBLE = 32.0  # gray levels that a drawing stands out from its ground, where more than a trace of it is seen
BLANK_SPREAD = 2  # levels between the darkest and the brightest pixel of an image of one color


def open_image(source: Path | bytes) -> Image.Image:
    """Open an image by its header only; raises Rejected with the reason, before anything is decoded."""
    try:
        if (source.stat().st_size if isinstance(source, Path) else len(source)) == 0:
            raise Rejected("empty file")
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(source if isinstance(source, Path) else io.BytesIO(source), formats=FORMATS)
    except UnidentifiedImageError as error:
        raise Rejected("not an image") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise Rejected("too many pixels", str(error)) from error
    except (OSError, ValueError, SyntaxError) as error:
        raise Rejected("unreadable", str(error)) from error
    if image.width * image.height > MAX_PIXELS:
        image.close()
        raise Rejected("too many pixels", f"{image.width}x{image.height}")
    return image


def is_gray(image: Image.Image) -> bool:
    """Whether the file stores no color."""
    return image.mode in GRAY_MODES


def frames(image: Image.Image) -> int:
    """How many pages or frames a file holds; 1 where it is damaged behind the first."""
    try:
        return int(getattr(image, "n_frames", 1))
    except Exception:  # noqa: BLE001 (decoders raise anything on damaged bytes; decode() meets them again)
        return 1


def pages(image: Image.Image) -> Iterator[int]:
    """Go to each page of a TIFF file in turn, giving its number from 0; of an animation to its first frame alone.

    Reduced copies of other pages are passed over. Raises Rejected where the file is damaged.
    """
    for number in range(frames(image) if image.format == "TIFF" else 1):
        if number:
            try:
                image.seek(number)
                reduced = int(image.tag_v2.get(SUBFILE, 0)) & REDUCED  # type: ignore[attr-defined]
            except Exception as error:
                raise Rejected("truncated or corrupt", f"page {number + 1}: {error}") from error
            if reduced:
                continue
            if image.width * image.height > MAX_PIXELS:
                raise Rejected("too many pixels", f"page {number + 1}: {image.width}x{image.height}")
        yield number


def read_pages(source: Path | bytes, form: Form) -> NDArray[np.uint8]:
    """All pages of an image file uint8 (n, H, W, C), blank ones left out where others are not.

    Raises Rejected with the reason.
    """
    with open_image(source) as image:
        found = np.stack([fit(decode(image, form, source, number)[0], form) for number in pages(image)])
    seen = np.array([not is_blank(one) for one in found])
    return found[seen] if seen.any() else found


def decode(
    image: Image.Image, form: Form, source: Path | bytes, page: int = 0
) -> tuple[Image.Image, tuple[str, ...]]:
    """An opened image in gray or RGB, turned as EXIF says, and what was mended.

    `source` is what it was opened from: Pillow halves the 16 bits of color files, so that these are read again.
    Raises Rejected where it is damaged.
    """
    try:
        made = ["turned as EXIF says"] if orientation(image) != 1 else []
        sort = sort_of(image)
        if is_deep_color(image):
            upright = _turned(_deep_color(image, form, source, page), orientation(image))
            made.append("reduced to 8 bits")
        else:
            image.load()
            upright = ImageOps.exif_transpose(image)
        flat, more = to_mode(upright, sort, form)
        return flat, (*made, *more)
    except Exception as error:  # decoders raise anything on damaged bytes, struct.error too
        raise Rejected("truncated or corrupt", str(error)) from error


def is_deep_color(image: Image.Image) -> bool:
    """Whether a file in color stores more than 8 bits a channel."""
    tiles = getattr(image, "tile", None)
    return image.mode in ("RGB", "RGBA") and ";16" in str(tiles[0][3] if tiles else "")


def deep_values(source: Path | bytes, page: int) -> NDArray[np.uint16]:
    """The values (H, W, C) of a color image of 16 bits: red, green, blue, and alpha where there is any."""
    import cv2

    data = np.frombuffer(source.read_bytes() if isinstance(source, Path) else source, np.uint8)
    done, found = cv2.imdecodemulti(data, cv2.IMREAD_UNCHANGED)
    if not done:
        raise ValueError("16-bit colors that cannot be decoded")
    values: NDArray[np.uint16] = np.asarray(found[page])
    return values[..., [2, 1, 0, 3][: values.shape[2]]]


def _deep_color(image: Image.Image, form: Form, source: Path | bytes, page: int) -> Image.Image:
    values = deep_values(source, page)
    flat = scaled(values[..., :3], *range_of(INTEGERS, values, form))
    if values.shape[2] == 4:
        flat = np.dstack([flat, scaled(values[..., 3], 0, 65535)])
    return Image.fromarray(flat)


def _turned(image: Image.Image, lies: int) -> Image.Image:
    return image.transpose(TURNS[lies]) if lies in TURNS else image


def sort_of(image: Image.Image) -> str | None:
    """Which sort of values, whose range the set decides, a file stores; None where 0 to 255 is their range."""
    if image.mode == "F":
        return FLOATS
    if image.mode.startswith("I") or is_deep_color(image):
        return INTEGERS
    return BYTES if image.mode == "L" and image.format in ("PNG", "TIFF", "BMP", "PPM") else None


def range_of(sort: str, values: NDArray[np.generic], form: Form) -> tuple[float, float]:
    """The values that become black and white: as settled, else those that are usual for the sort."""
    if sort in form.ranges:
        return form.ranges[sort]
    top = float(np.nanmax(values, initial=0))
    if sort == INTEGERS:
        return (0.0, 255.0) if top <= 255 and values.dtype.itemsize > 2 else (0.0, 65535.0)
    return (0.0, 1.0) if top <= 1 else (0.0, 255.0) if top <= 255 else (0.0, 65535.0)


def scaled(values: NDArray[np.generic], low: float, high: float) -> NDArray[np.uint8]:
    """Values of any type from `low` to `high` as uint8 from 0 to 255; what is not a number is black."""
    known = np.nan_to_num(values.astype(np.float64), nan=low, posinf=high, neginf=low)
    shares: NDArray[np.float64] = (known - low) / (high - low)
    return (255 * shares).clip(0, 255).round().astype(np.uint8)


def to_mode(image: Image.Image, sort: str | None, form: Form) -> tuple[Image.Image, tuple[str, ...]]:
    """An image with values of this sort in gray or RGB of 8 bits, transparency laid on a ground; what was done."""
    made = []
    if image.mode.startswith(("I", "F")):
        values = np.asarray(image)
        image = Image.fromarray(scaled(values, *range_of(sort or INTEGERS, values, form)))
        made.append("reduced to 8 bits")
    elif sort == BYTES and BYTES in form.ranges:
        image = Image.fromarray(scaled(np.asarray(image), *form.ranges[BYTES]))
        made.append("stretched to 8 bits")
    if image.mode in ALPHA_MODES or "transparency" in image.info:
        image, said = laid_on_ground(image.convert("RGBA"), form.ground)
        made += said
    elif image.mode in ("P", "CMYK", "YCbCr", "LAB", "HSV"):
        made.append("converted to gray" if form.gray else "converted to RGB")
    return image.convert("L" if form.gray else "RGB"), tuple(made)


def laid_on_ground(image: Image.Image, ground: int) -> tuple[Image.Image, list[str]]:
    """A picture RGBA on this gray level, or on another where it would not be seen on it; and what was done."""
    lowest, highest = image.getchannel("A").getextrema()
    if lowest == 255:
        return image.convert("RGB"), []
    if highest == 0:  # some writers fill the fourth channel with zeros
        return image.convert("RGB"), ["an alpha channel that hides all left out"]
    out = contrasts(image)
    if out.get(ground, VISIBLE) < VISIBLE:
        ground = max(out, key=lambda level: out[level])
    laid = Image.alpha_composite(Image.new("RGBA", image.size, (ground, ground, ground, 255)), image)
    return laid.convert("RGB"), [f"transparency laid on {GROUNDS.get(ground, f'gray level {ground}')}"]


def contrasts(image: Image.Image) -> dict[int, float]:
    """How far what is drawn in a picture RGBA stands out from white, black and gray: gray levels, by the ground.

    The root mean square over what is opaque, of the channel that differs most.
    """
    values = np.asarray(image, np.float32)
    weight = values[..., 3] / max(1.0, float(values[..., 3].sum()))
    return {
        ground: float(np.sqrt((weight * np.square(values[..., :3] - ground).max(-1)).sum())) for ground in GROUNDS
    }


def fit(flat: Image.Image, form: Form) -> NDArray[np.uint8]:
    """A gray or RGB image as uint8 (H, W, C) of the form's size."""
    height, width = form.size
    if flat.size != (width, height):
        if form.whole:
            flat = ImageOps.pad(flat, (width, height), Image.Resampling.BILINEAR, border_color(flat))
        else:
            flat = ImageOps.fit(flat, (width, height), Image.Resampling.BILINEAR)
    return np.asarray(flat, np.uint8).reshape(height, width, 1 if flat.mode == "L" else 3)


def border_color(flat: Image.Image) -> tuple[int, ...]:
    """The mean color of the outermost pixels."""
    pixels = np.asarray(flat).reshape(flat.height, flat.width, -1)
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    return tuple(round(float(one)) for one in edge.mean(0))


def fit_array(pixels: NDArray[np.uint8], form: Form) -> NDArray[np.uint8]:
    """Pixels (H, W, C) in the wanted size and color."""
    if pixels.shape == (*form.size, 1 if form.gray else 3):
        return pixels
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    return fit(image.convert("L" if form.gray else "RGB"), form)


def is_blank(pixels: NDArray[np.uint8]) -> bool:
    """Whether pixels (H, W, C) are all of nearly one color."""
    spread = pixels.max((0, 1)).astype(int) - pixels.min((0, 1))
    return bool((spread <= BLANK_SPREAD).all())


def orientation(image: Image.Image) -> int:
    """How EXIF says that the image lies, 1 to 8; 1 is upright. Only the header is read."""
    if image.format == "PNG" and not {"exif", "Raw profile type exif"} & image.info.keys():
        return 1  # getexif() would unpack all pixels to look behind them
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # noqa: BLE001 (damaged: decode() meets it again and names it)
        return 1
