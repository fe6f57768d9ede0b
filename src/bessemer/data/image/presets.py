"""What `augment.preset` stands for, for images: values of published recipes, from gentle to strong.

No preset mirrors images: a mirrored digit, letter or arrow is another one, or none. Where mirroring keeps the
meaning, as in most photographs, write `flip: horizontal`. No preset blurs images, whose fine detail may be what
tells classes apart.

Sources: shifts, He et al. 2016 (by an eighth of the side; here by less, as turning moves too); turning, zooming
and slanting by about 15 degrees and 15%, Cireşan et al., "Multi-column deep neural networks", 2012; brightness,
contrast and saturation, Howard 2013; cutting out a part, Szegedy et al. 2015 (from 8% on; here from 70% on);
erasing, Zhong et al. 2020.
"""

from __future__ import annotations

from typing import Any

CROP = {"light": 1 / 28, "standard": 1 / 14, "strong": 1 / 12}  # shares of the smaller side
PRESETS: dict[str, dict[str, Any]] = {
    "light": {"rotate": 5.0, "scale": [0.95, 1.05], "border": "edge"},
    "standard": {
        "rotate": 10.0,
        "scale": [0.9, 1.1],
        "border": "edge",
        "brightness": 0.1,
        "contrast": 0.15,
        "saturation": 0.15,
    },
    "strong": {
        "resized_crop": [0.7, 1.0],
        "rotate": 15.0,
        "scale": [0.9, 1.1],
        "shear": 10.0,
        "border": "edge",
        "brightness": 0.1,
        "contrast": 0.25,
        "saturation": 0.3,
        "noise": 4.0,
        "erase": 0.25,
    },
}


def preset(name: str, size: tuple[int, int] | None) -> dict[str, Any]:
    """The settings that a preset stands for.

    With the images' height and width the shift is filled in as pixels, else as a share of the smaller side, which
    comes to the same.
    """
    share = CROP[name]
    return {**PRESETS[name], "crop": share if size is None else float(round(share * min(size)))}
