"""Samples as people see them in a report: a picture as a data URI, or the beginning of a text."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from bessemer.data.image import FORMATS, MAX_PIXELS

EXCERPT = 280
THUMBNAIL = 128


def show(modality: str, value: Any, rate: int = 0) -> str:
    """An image uint8 (H, W, C) or clip int16 (T,) as a picture, a text by its beginning."""
    if modality == "text":
        return excerpt(value)
    if modality == "audio":
        from bessemer.data.spectrogram import draw_spectrogram

        return data_uri(draw_spectrogram(value, rate))
    return data_uri(value)


def show_payload(modality: str, payload: bytes, settled: dict[str, Any]) -> str:
    """A cleaned sample from the bytes that are stored of it."""
    if modality == "text":
        return excerpt(payload.decode("utf-8"))
    if modality == "audio":
        return show(modality, np.frombuffer(payload, "<i2"), settled["rate"])
    shape = (*settled["size"], 1 if settled["gray"] else 3)
    return show(modality, np.frombuffer(payload, np.uint8).reshape(shape))


def excerpt(text: str) -> str:
    """The beginning of a text."""
    return text if len(text) <= EXCERPT else text[:EXCERPT].rstrip() + " …"


def data_uri(image: NDArray[np.uint8]) -> str:
    """One image (H, W, C) or (H, W) as a PNG that stands inside HTML or JSON."""
    flat = image[..., 0] if image.ndim == 3 and image.shape[2] == 1 else image
    out = io.BytesIO()
    Image.fromarray(flat).save(out, "PNG")
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()


def show_raw(value: bytes | None, modality: str) -> str | None:
    """The raw value of a quarantined row, where it can be shown: a small picture, or the beginning of the text."""
    if not value:
        return None
    if modality == "image":
        try:
            with Image.open(io.BytesIO(value), formats=FORMATS) as image:
                if image.width * image.height > MAX_PIXELS:
                    return None
                image.thumbnail((THUMBNAIL, THUMBNAIL))
                return data_uri(np.asarray(image.convert("RGB")))
        except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            return None  # that it cannot be shown is why it stands in quarantine
    if modality == "text":
        return excerpt(value[: 4 * EXCERPT].decode("utf-8", errors="replace"))
    return None
