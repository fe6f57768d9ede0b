"""One image to one 8-bit array, safely: the same functions prepare training data and serve `predict`."""

from __future__ import annotations

import io
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from bessemer.data.config import DataConfig
from bessemer.data.record import FILTERED, Clean, Raw, Rejected
from bessemer.data.show import data_uri
from bessemer.errors import DataError

FORMATS = ["PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM"]
MAX_PIXELS = 64_000_000
LARGEST_COMMON = 1024 * 1024  # pixels; a commonest size above it is hardly meant
MIXED_SIDE = 224  # longest side where images have no common size
TINIEST = 4  # pixels a side
TINY_SHARE = 0.25  # of the usual side
BLANK_SPREAD = 2  # levels between the darkest and the brightest pixel of an image of one color
ALPHA_MODES = {"LA", "La", "PA", "RGBA", "RGBa"}
GRAY_MODES = {"1", "L", "LA", "La", "I", "F", "I;16", "I;16B", "I;16L", "I;16N"}
THUMBNAIL = 128  # pixels of the longer side
ORIENTATION = 0x0112  # the tag of EXIF
Look = tuple[int, int, bool]


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


def read_image(source: Path | bytes, size: tuple[int, int], gray: bool) -> NDArray[np.uint8]:
    """Decode to uint8 (H, W, C): turned as EXIF says, cropped to the shape in the middle, resized.

    Raises Rejected with the reason.
    """
    with open_image(source) as image:
        return fit(decode(image, gray), size)


def decode(image: Image.Image, gray: bool) -> Image.Image:
    """An opened image in gray or RGB, turned as EXIF says; raises Rejected where it is damaged."""
    try:
        image.load()
        return to_mode(ImageOps.exif_transpose(image), gray)
    except Exception as error:  # decoders raise anything on damaged bytes, struct.error too
        raise Rejected("truncated or corrupt", str(error)) from error


def fit(flat: Image.Image, size: tuple[int, int]) -> NDArray[np.uint8]:
    """A gray or RGB image as uint8 (H, W, C) of this size: cropped in the middle to the shape, then resized."""
    height, width = size
    if flat.size != (width, height):
        flat = ImageOps.fit(flat, (width, height), Image.Resampling.BILINEAR)
    return np.asarray(flat, np.uint8).reshape(height, width, 1 if flat.mode == "L" else 3)


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


class ImageCleaner:
    """Decodes, judges and resizes images; see bessemer.data.record.Clean for what comes out."""

    def __init__(self, config: DataConfig) -> None:
        self.config = config
        self.settled: dict[str, Any] = {}

    @property
    def needs_survey(self) -> bool:
        """Whether sizes and colors of all images must be looked at first."""
        return not self.settled

    def survey(self, raw: Raw) -> Look:
        """Height, width, and whether it is gray, from the header of one image."""
        if isinstance(raw.value, np.ndarray):
            return raw.value.shape[0], raw.value.shape[1], raw.value.shape[2] == 1
        with open_image(_source(raw)) as image:
            upright = orientation(image) < 5  # from 5 on it lies on its side
            height, width = (image.height, image.width) if upright else (image.width, image.height)
            return height, width, is_gray(image)

    def settle(self, looks: Iterable[Look]) -> None:
        """Choose one size and gray or color for all images: as set, or as most of them are."""
        sizes: Counter[tuple[int, int]] = Counter()
        gray = True
        for height, width, is_one_gray in looks:
            sizes[height, width] += 1
            gray &= is_one_gray
        if not sizes:
            raise DataError(f"{self.config.path}: no image in it can be read", "check that the files are images")
        if self.config.color != "auto":
            gray = self.config.color == "gray"
        usual = common_size(sizes)
        height, width = self.config.size or usual
        if self.config.size is None and height * width > LARGEST_COMMON:
            problem = f"{self.config.path}: images of {height}x{width} pixels are larger than a classifier needs"
            raise DataError(problem, "set data.size, for example [224, 224]")
        self.settled = {"size": [int(height), int(width)], "gray": gray, "usual": list(usual)}

    def clean(self, raw: Raw) -> Iterator[Clean]:
        """The image in the settled size; raises Rejected with the reason."""
        height, width = self.settled["size"]
        gray = self.settled["gray"]
        repairs: tuple[str, ...] = ()
        if isinstance(raw.value, np.ndarray):
            found = (raw.value.shape[0], raw.value.shape[1])
            pixels = fit_array(raw.value, (height, width), gray)
        else:
            with open_image(_source(raw)) as image:
                repairs = repairs_of(image, gray)
                upright = decode(image, gray)
                found = (upright.height, upright.width)
                refuse_tiny(found, self.settled["usual"])
                pixels = fit(upright, (height, width))
        if is_blank(pixels):
            raise Rejected("blank: one color", kind=FILTERED)
        yield Clean(pixels.tobytes(), found[0] * found[1], self._signature(pixels), repairs)

    def _signature(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint64]:
        if not self.config.dedup.near:
            return np.empty(0, np.uint64)
        from bessemer.data.image.signature import image_signature

        return image_signature(pixels)


def common_size(sizes: Counter[tuple[int, int]]) -> tuple[int, int]:
    """The size of at least half of the images, else the median in multiples of 4, its longer side at most 224."""
    (height, width), count = sizes.most_common(1)[0]
    if 2 * count >= sizes.total():
        return height, width
    counts = np.array(list(sizes.values()))
    middle = [_median(np.array(sides), counts) for sides in zip(*sizes, strict=True)]
    shrink = min(1.0, MIXED_SIDE / max(middle))
    rounded = [max(4, round(side * shrink / 4) * 4) for side in middle]
    return rounded[0], rounded[1]


def _median(values: NDArray[np.int64], counts: NDArray[np.int64]) -> int:
    """The median of values that occur so many times, without writing them all out."""
    order = np.argsort(values)
    below = np.cumsum(counts[order])
    return int(values[order][np.searchsorted(below, below[-1] / 2)])


def is_blank(pixels: NDArray[np.uint8]) -> bool:
    """Whether pixels (H, W, C) are all of nearly one color."""
    spread = pixels.max((0, 1)).astype(int) - pixels.min((0, 1))
    return bool((spread <= BLANK_SPREAD).all())


def refuse_tiny(found: tuple[int, int], usual: Sequence[int]) -> None:
    """Raise Rejected where an image is far smaller than the others: enlarging it would invent most of it."""
    shares = [side / other for side, other in zip(found, usual, strict=True)]
    if min(found) < TINIEST or min(shares) < TINY_SHARE:
        raise Rejected("tiny", f"{found[0]}x{found[1]} pixels", FILTERED)


def repairs_of(image: Image.Image, gray: bool) -> tuple[str, ...]:
    """What is mended in an image before it is used."""
    made = []
    if orientation(image) != 1:
        made.append("turned as EXIF says")
    if image.mode.startswith(("I", "F")):
        made.append("reduced to 8 bits")
    if image.mode in ALPHA_MODES or "transparency" in image.info:
        made.append("transparency laid on white")
    elif image.mode in ("P", "CMYK", "YCbCr", "LAB", "HSV"):
        made.append("converted to gray" if gray else "converted to RGB")
    return tuple(made)


def orientation(image: Image.Image) -> int:
    """How EXIF says that the image lies, 1 to 8; 1 is upright. Only the header is read."""
    if image.format == "PNG" and not {"exif", "Raw profile type exif"} & image.info.keys():
        return 1  # getexif() would unpack all pixels to look behind them
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # noqa: BLE001 (damaged: decode() meets it again and names it)
        return 1


def fit_array(pixels: NDArray[np.uint8], size: tuple[int, int], gray: bool) -> NDArray[np.uint8]:
    """Pixels (H, W, C) in the wanted size and color."""
    if pixels.shape == (*size, 1 if gray else 3):
        return pixels
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    return fit(to_mode(image, gray), size)


def _source(raw: Raw) -> Path | bytes:
    if isinstance(raw.value, (Path, bytes)):
        return raw.value
    if isinstance(raw.value, Rejected):
        raise raw.value
    raise Rejected("not an image", "text")


def thumbnail(value: bytes) -> str | None:
    """A small picture of a file's bytes, as a data URI; None where they cannot be decoded."""
    try:
        with Image.open(io.BytesIO(value), formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                return None
            image.thumbnail((THUMBNAIL, THUMBNAIL))
            return data_uri(np.asarray(image.convert("RGB")))
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None  # that it cannot be shown is why it stands in quarantine
