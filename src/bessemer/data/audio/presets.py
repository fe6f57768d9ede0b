"""What `augment.preset` stands for, for sound: values of published recipes, from gentle to strong.

Sources: shifts of up to a tenth, Warden, "Speech commands", 2018; noise, Ko et al. 2017; masks, Park et al. 2019.
"""

from __future__ import annotations

from typing import Any

PRESETS: dict[str, dict[str, Any]] = {
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
}
