"""Samples as people see them in a report: a picture as a data URI, or the beginning of a text."""

from __future__ import annotations

import base64
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

EXCERPT = 280


def excerpt(text: str) -> str:
    """The beginning of a text."""
    return text if len(text) <= EXCERPT else text[:EXCERPT].rstrip() + " …"


def data_uri(image: NDArray[np.uint8]) -> str:
    """One image (H, W, C) or (H, W) as a PNG that stands inside HTML or JSON."""
    flat = image[..., 0] if image.ndim == 3 and image.shape[2] == 1 else image
    out = io.BytesIO()
    Image.fromarray(flat).save(out, "PNG")
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()
