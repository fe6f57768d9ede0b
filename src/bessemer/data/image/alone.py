"""An image file to what the exported model takes, without bessemer: the model card shows this source.

It says again in few lines what `bessemer.data.image.read` does to all but color files of 16 bits a channel, and a
test holds one against the other.
"""

from typing import Any

import numpy as np
from PIL import Image, ImageOps

MODEL = "model.onnx"
TOGETHER = True  # outputs of one file are parts of one answer


def read(path: str, about: dict[str, Any], folder: str) -> dict[str, Any]:
    image: Any = Image.open(path)
    found = []
    for number in range(getattr(image, "n_frames", 1) if image.format == "TIFF" else 1):
        if number:
            image.seek(number)
        if not number or not int(image.tag_v2.get(254, 0)) & 1:  # a smaller copy of another page
            found.append(page(image, about))
    spread = [one.max((0, 1)).astype(int) - one.min((0, 1)) for one in found]
    seen = [one for one, levels in zip(found, spread, strict=True) if (levels > 2).any()]
    return {about["input"]["name"]: np.stack(seen or found)}


def page(image: Any, about: dict[str, Any]) -> Any:
    ranges, (height, width) = about.get("ranges", {}), about["size"]
    lossless = image.format in ("PNG", "TIFF", "BMP", "PPM")
    sort = "floats" if image.mode == "F" else "integers" if image.mode.startswith("I") else "bytes"
    image = ImageOps.exif_transpose(image)
    if sort != "bytes" or ("bytes" in ranges and image.mode == "L" and lossless):
        values = np.asarray(image)
        top, deep = np.nanmax(values, initial=0), values.dtype.itemsize > 2
        usual = 1 if sort == "floats" and top <= 1 else 255 if top <= 255 and deep else 65535
        low, high = ranges.get(sort, (0, usual))
        known = np.nan_to_num(values.astype(np.float64), nan=low, posinf=high, neginf=low)
        image = Image.fromarray((255 * (known - low) / (high - low)).clip(0, 255).round().astype(np.uint8))
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        image = on_ground(image.convert("RGBA"), about.get("ground", 255))
    image = image.convert("L" if about["color"] == "gray" else "RGB")
    if image.size != (width, height) and about.get("whole"):
        pixels = np.asarray(image).reshape(image.height, image.width, -1)
        edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]]).mean(0)
        border = tuple(round(float(one)) for one in edge)
        image = ImageOps.pad(image, (width, height), Image.Resampling.BILINEAR, border)
    elif image.size != (width, height):
        image = ImageOps.fit(image, (width, height), Image.Resampling.BILINEAR)
    return np.asarray(image, np.uint8).reshape(height, width, -1)


def on_ground(image: Any, ground: int) -> Any:
    """Transparency on the gray level that is usual, or on one that the drawing stands out from."""
    if image.getchannel("A").getextrema()[1] == 0:  # a channel that hides all says nothing
        return image.convert("RGB")
    values = np.asarray(image, np.float32)
    weight = values[..., 3] / max(1.0, float(values[..., 3].sum()))
    out = {one: float(np.sqrt((weight * np.square(values[..., :3] - one).max(-1)).sum())) for one in (255, 0, 128)}
    if out.get(ground, 32.0) < 32.0:
        ground = max(out, key=lambda level: out[level])
    return Image.alpha_composite(Image.new("RGBA", image.size, (ground, ground, ground, 255)), image)
