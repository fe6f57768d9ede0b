"""The presets of augmentation: what `augment.preset` stands for, for each kind of data.

Values are those that published recipes use, from gentle to strong; a key that is written in the recipe wins. No
preset mirrors images: a mirrored digit, letter or arrow is another one, or none. Where mirroring keeps the
meaning, as in most photographs, write `flip: horizontal`. No preset blurs images, whose fine detail may be what
tells classes apart, or corrupts whole spans of text, which can hide the words that do.

Sources. Images: shifts, He et al. 2016 (by an eighth of the side; here by less, as turning moves too); turning,
zooming and slanting by about 15 degrees and 15%, Cireşan et al., "Multi-column deep neural networks", 2012;
brightness, contrast and saturation, Howard 2013; cutting out a part, Szegedy et al. 2015 (from 8% on; here from
70% on); erasing, Zhong et al. 2020. Text: a mask on up to 15% of tokens, Devlin et al. 2019; deletion and swaps of
up to 10%, Wei and Zou, "EDA", 2019. Sound: shifts of up to a tenth, Warden, "Speech commands", 2018; noise, Ko et
al. 2017; masks, Park et al. 2019.
"""

from __future__ import annotations

from typing import Any

from bessemer.data.config import AugmentConfig, Modality

CROP = {"light": 1 / 28, "standard": 1 / 14, "strong": 1 / 12}  # shares of the smaller side

PRESETS: dict[Modality, dict[str, dict[str, Any]]] = {
    "image": {
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
    },
    "text": {
        "light": {"token_mask": 0.05},
        "standard": {"token_mask": 0.1, "token_delete": 0.05},
        "strong": {"token_mask": 0.15, "token_delete": 0.1, "token_swap": 0.05},
    },
    "audio": {
        "light": {"time_shift": 0.05, "gain_db": 3.0},
        "standard": {
            "time_shift": 0.1,
            "gain_db": 6.0,
            "noise_db": 20.0,
            "time_mask": 0.1,
            "frequency_mask": 0.1,
        },
        "strong": {
            "time_shift": 0.2,
            "gain_db": 10.0,
            "noise_db": 10.0,
            "time_mask": 0.2,
            "frequency_mask": 0.25,
        },
    },
}


def resolve(config: AugmentConfig, modality: Modality, size: tuple[int, int] | None = None) -> AugmentConfig:
    """The settings with what the preset stands for filled in; doing it twice changes nothing.

    With the images' height and width the shift is filled in as pixels, else as a share of the smaller side, which
    comes to the same.
    """
    if config.preset == "none":
        return config
    filled = dict(PRESETS[modality][config.preset])
    if modality == "image":
        share = CROP[config.preset]
        filled["crop"] = share if size is None else float(round(share * min(size)))
    written = {name: getattr(config, name) for name in config.model_fields_set}
    return AugmentConfig.model_validate({**filled, **written})
