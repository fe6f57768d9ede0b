"""What all pictures of a set become: one size, gray or color, 8 bits. Chosen once, and the same in `predict`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

WHITE, BLACK, GRAY = 255, 0, 128
GROUNDS = {WHITE: "white", BLACK: "black", GRAY: "gray"}
BYTES, INTEGERS, FLOATS = "bytes", "integers", "floats"  # sorts of values that files store


@dataclass(frozen=True)
class Form:
    """How a picture is read.

    `whole` puts all of it on a ground of its border's color, else it is cropped in the middle to the shape.
    `ground` is the gray level that transparency is laid on. `ranges` says of each sort of values which become
    black and white.
    """

    size: tuple[int, int]  # height and width in pixels
    gray: bool
    whole: bool = False
    ground: int = WHITE
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    @classmethod
    def of(cls, settled: Mapping[str, Any]) -> Form:
        """The form that a look at the set settled."""
        (height, width), gray = settled["size"], bool(settled["gray"])
        return cls((int(height), int(width)), gray, **_choices(settled))

    @classmethod
    def told(cls, about: Mapping[str, Any]) -> Form:
        """The form that `preprocess.json` tells."""
        height, width = about["size"]
        return cls((int(height), int(width)), about["color"] == "gray", **_choices(about))

    @property
    def preprocess(self) -> dict[str, Any]:
        """What `preprocess.json` says."""
        crop = "crop in the middle to the shape, then bilinear"
        whole = "bilinear into the size without a crop, the rest is filled with the mean color of the border"
        return {
            "size": list(self.size),
            "color": "gray" if self.gray else "rgb",
            "resize": whole if self.whole else crop,
            "whole": self.whole,
            "ground": self.ground,
            "ranges": {sort: list(ends) for sort, ends in self.ranges.items()},
        }


def _choices(said: Mapping[str, Any]) -> dict[str, Any]:
    ranges = {sort: (float(low), float(high)) for sort, (low, high) in said.get("ranges", {}).items()}
    return {"whole": bool(said.get("whole", False)), "ground": int(said.get("ground", WHITE)), "ranges": ranges}
