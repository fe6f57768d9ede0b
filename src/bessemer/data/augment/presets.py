"""What `augment.preset` stands for is said by each kind of data; a key that is written in the recipe wins."""

from __future__ import annotations

from bessemer.data.config import AugmentConfig
from bessemer.data.kind import Kind


def resolve(config: AugmentConfig, kind: Kind, size: tuple[int, int] | None = None) -> AugmentConfig:
    """The settings with what the preset stands for filled in; doing it twice changes nothing.

    `size` is the height and width of samples that have them, where the recipe says it. Raises ValueError where the
    kind of data has no such preset.
    """
    if config.preset == "none":
        return config
    filled = kind.preset(config.preset, size)
    if filled is None:
        raise ValueError(f"augment.preset {config.preset} says nothing of {kind.noun}; write its keys out")
    written = {name: getattr(config, name) for name in config.model_fields_set}
    return AugmentConfig.model_validate({**filled, **written})
