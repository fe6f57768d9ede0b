"""An image file to what the exported model takes, without bessemer: the model card shows this source.

It says again in few lines what `bessemer.data.image.cleaner` does, and a test holds one against the other.
"""

from typing import Any

import numpy as np
from PIL import Image, ImageOps

MODEL = "model.onnx"
TOGETHER = True  # outputs of one file are parts of one answer


def read(path: str, about: dict[str, Any], folder: str) -> dict[str, Any]:
    image: Any = ImageOps.exif_transpose(Image.open(path))
    if image.mode.startswith(("I", "F")):  # more than 8 bits
        values = np.nan_to_num(np.asarray(image, np.float64))
        if image.mode.startswith("I;16") or values.max(initial=0) > 255:
            values = values / 257
        elif image.mode == "F" and values.max(initial=0) <= 1:
            values = values * 255
        image = Image.fromarray(values.clip(0, 255).round().astype(np.uint8))
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    height, width = about["size"]
    image = image.convert("L" if about["color"] == "gray" else "RGB")
    if image.size != (width, height):
        image = ImageOps.fit(image, (width, height), Image.Resampling.BILINEAR)
    return {about["input"]["name"]: np.asarray(image, np.uint8).reshape(1, height, width, -1)}
