"""Image files and pixels to clean samples of one form."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from bessemer.data.config import DataConfig
from bessemer.data.image.form import Form
from bessemer.data.image.read import (
    FORMATS,
    MAX_PIXELS,
    decode,
    fit,
    fit_array,
    frames,
    is_blank,
    open_image,
    pages,
)
from bessemer.data.image.survey import Look, is_tiny, look_at, settle
from bessemer.data.record import FILTERED, Clean, Raw, Rejected
from bessemer.data.show import data_uri

THUMBNAIL = 128  # pixels of the longer side


class ImageCleaner:
    """Decodes, judges and resizes images; see bessemer.data.record.Clean for what comes out."""

    def __init__(self, config: DataConfig) -> None:
        self.config = config
        self.settled: dict[str, Any] = {}

    @property
    def needs_survey(self) -> bool:
        """Whether all images must be looked at first, for their sizes, colors and ranges."""
        return not self.settled

    def survey(self, raw: Raw) -> Look:
        """What is seen of one image, most of it in the header."""
        if isinstance(raw.value, np.ndarray):
            return Look(raw.value.shape[0], raw.value.shape[1], raw.value.shape[2] == 1, raw.label)
        return look_at(_source(raw), raw.label)

    def settle(self, looks: Iterable[Look]) -> None:
        """Choose one form for all images: as set, or as most of them are."""
        self.settled = settle(looks, self.config, self.config.path)
        self.__dict__.pop("_form", None)

    def clean(self, raw: Raw) -> Iterator[Clean | Rejected]:
        """The image in the settled form, of a file of several pages each of them.

        Raises Rejected with the reason; a page that is not used is given as Rejected in its place.
        """
        if isinstance(raw.value, np.ndarray):
            found = (raw.value.shape[0], raw.value.shape[1])
            yield self._judged(fit_array(raw.value, self._form), found, ())
            return
        source = _source(raw)
        with open_image(source) as image:
            several = image.format == "TIFF" and frames(image) > 1
            first = ("first of several frames used",) if frames(image) > 1 and not several else ()
            for number in pages(image):
                part = f"page {number + 1}" if several else ""
                try:
                    upright, repairs = decode(image, self._form, source, number)
                    size = (upright.height, upright.width)
                    self._refuse_tiny(size)
                    yield self._judged(fit(upright, self._form), size, (*first, *repairs), part)
                except Rejected as fate:
                    if not part:
                        raise
                    yield Rejected(fate.reason, ": ".join(filter(None, (part, fate.detail))), fate.kind)

    @cached_property
    def _form(self) -> Form:
        return Form.of(self.settled)

    def _refuse_tiny(self, found: tuple[int, int]) -> None:
        if self.settled.get("tiny", True) and is_tiny(found, self.settled["usual"]):
            raise Rejected("tiny", f"{found[0]}x{found[1]} pixels", FILTERED)

    def _judged(
        self, pixels: NDArray[np.uint8], found: tuple[int, int], repairs: tuple[str, ...], part: str = ""
    ) -> Clean:
        if is_blank(pixels):
            raise Rejected("blank: one color", kind=FILTERED)
        return Clean(pixels.tobytes(), found[0] * found[1], self._signature(pixels), repairs, part)

    def _signature(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint64]:
        if not self.config.dedup.near:
            return np.empty(0, np.uint64)
        from bessemer.data.image.signature import image_signature

        return image_signature(pixels)


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
