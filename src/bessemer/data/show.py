"""A picture as people see it in a report: a data URI."""

from __future__ import annotations

import base64
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def data_uri(image: NDArray[np.uint8]) -> str:
    """One image (H, W, C) or (H, W) as a PNG that stands inside HTML or JSON."""
    flat = image[..., 0] if image.ndim == 3 and image.shape[2] == 1 else image
    out = io.BytesIO()
    Image.fromarray(flat).save(out, "PNG")
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()
