"""What is decided from a look at all images: size, colors, ranges of values, the ground of transparency."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bessemer.data.image.config import ImageConfig
from bessemer.data.image.form import BYTES, FLOATS, GROUNDS, INTEGERS, WHITE
from bessemer.data.image.read import (
    ALPHA_MODES,
    VISIBLE,
    contrasts,
    deep_values,
    frames,
    is_deep_color,
    is_gray,
    open_image,
    orientation,
    pages,
    sort_of,
)
from bessemer.data.record import Rejected
from bessemer.errors import DataError

LARGEST_COMMON = 1024 * 1024  # pixels; a commonest size above it is hardly meant
MIXED_SIDE = 224  # longest side where images have no common size
TINIEST = 4  # pixels a side
TINY_SHARE = 0.25  # of the usual sides
TINY_MOST, TINY_MOST_OF_CLASS = 0.05, 0.5  # shares of all images and of a class: more tiny ones are meant so
CROPPED_SHARE, CROPPED_MOST = (
    0.5,
    0.1,
)  # where a crop would leave less than this of more than so many, none is made
OUTLIERS = 0.02  # share of images whose values may lie beyond the range: hot pixels, broken files
QUANTILES = (0.001, 0.999)  # of an image's values
SMALL = 512 * 512  # pixels of a gray image that is decoded to see how much of 8 bits it uses
DARK = 63  # a set of 8-bit images that never goes beyond this stores numbers, not gray levels
SEEN_BY_ALL = 0.98


class Look(NamedTuple):
    """What is seen of one image: its sides in pixels, and what the header or, where it must be, the pixels say."""

    height: int
    width: int
    gray: bool
    label: str | None = None
    sort: str | None = None  # of values whose range the set decides
    low: float = 0.0
    high: float = 0.0
    contrasts: tuple[float, ...] = ()  # of a transparent one, on each of GROUNDS
    pages: int = 1
    frames: int = 1


def look_at(source: Path | bytes, label: str | None) -> Look:
    """A look at an image file; pixels are decoded only where they have a say.

    Raises Rejected with the reason where its header cannot be read.
    """
    with open_image(source) as image:
        upright = orientation(image) < 5  # from 5 on it lies on its side
        height, width = (image.height, image.width) if upright else (image.width, image.height)
        count = frames(image)
        paged = image.format == "TIFF"
        gray, sort = is_gray(image), sort_of(image)
        if sort == BYTES and image.width * image.height > SMALL:
            sort = None
        see_through = image.mode in ALPHA_MODES or "transparency" in image.info
        try:
            low, high = spread(image, source) if sort else (0.0, 0.0)
            seen = transparent_contrasts(image) if see_through else ()
            copies = count - sum(1 for _ in pages(image)) if paged and count > 1 else 0
        except Exception:  # noqa: BLE001 (decoders raise anything on damaged bytes; the clean pass names it)
            sort, low, high, seen, copies = None, 0.0, 0.0, (), 0
        found = (count - copies, 1) if paged else (1, count)
        return Look(height, width, gray, label, sort, low, high, seen, *found)


def spread(image: Image.Image, source: Path | bytes) -> tuple[float, float]:
    """The least and the largest value of an image's pages, but for one in a thousand."""
    ends = []
    deep = is_deep_color(image)
    for number in pages(image):
        values = (deep_values(source, number)[..., :3] if deep else np.asarray(image)).ravel()
        known = values[np.isfinite(values)]
        if known.size:
            ends.append(np.quantile(known, QUANTILES, method="nearest"))
    if image.format == "TIFF":
        image.seek(0)
    if not ends:
        raise Rejected("non-finite values")
    return float(min(low for low, _ in ends)), float(max(high for _, high in ends))


def transparent_contrasts(image: Image.Image) -> tuple[float, ...]:
    """How an image stands out from each of GROUNDS; () where nothing of it is transparent, or all."""
    shown = image.convert("RGBA")
    lowest, highest = shown.getchannel("A").getextrema()
    return () if lowest == 255 or highest == 0 else tuple(contrasts(shown).values())


def settle(looks: Iterable[Look], config: ImageConfig, path: str | None) -> dict[str, Any]:
    """One size, gray or color, and where they matter ranges, ground, crop and what is tiny, for all images.

    In flat memory but for a few numbers of each image whose pixels have a say. Raises DataError where none can
    be read, or they are too large.
    """
    sizes: Counter[tuple[int, int]] = Counter()
    of_class: Counter[tuple[int, int, str | None]] = Counter()
    ends: dict[str, list[tuple[float, float]]] = defaultdict(list)
    seen: list[tuple[float, ...]] = []
    told: Counter[str] = Counter()
    gray = True
    for look in map(lambda one: Look(*one), looks):
        sizes[look.height, look.width] += 1
        of_class[look.height, look.width, look.label] += 1
        gray &= look.gray
        told["paged"] += look.pages > 1
        told["animated"] += look.frames > 1
        if look.sort:
            ends[look.sort].append((look.low, look.high))
        if look.contrasts:
            seen.append(look.contrasts)
    if not sizes:
        raise DataError(f"{path}: no image in it can be read", "check that the files are images")
    usual = common_size(sizes)
    height, width = config.size or usual
    if config.size is None and height * width > LARGEST_COMMON:
        problem = f"{path}: images of {height}x{width} pixels are larger than a classifier needs"
        raise DataError(problem, "set data.size, for example [224, 224]")
    settled: dict[str, Any] = {"size": [int(height), int(width)], "gray": gray, "usual": list(usual)}
    if config.color != "auto":
        settled["gray"] = config.color == "gray"
    if loses_much(sizes, (height, width)):
        settled["whole"] = True
    if not tiny_are_odd(of_class, usual):
        settled["tiny"] = False
    if ground := ground_for(seen):
        settled["ground"] = ground[0]
    if ranges := ranges_for(ends):
        settled["ranges"] = ranges
    return settled | {name: count for name, count in told.items() if count}


def common_size(sizes: Counter[tuple[int, int]]) -> tuple[int, int]:
    """The size of at least half of the images, else the median in multiples of 4, its longer side at most 224."""
    (height, width), count = sizes.most_common(1)[0]
    if 2 * count >= sizes.total():
        return height, width
    counts = np.array(list(sizes.values()))
    middle = [_median(np.array(sides), counts) for sides in zip(*sizes, strict=True)]
    shrink = min(1.0, MIXED_SIDE / max(middle))
    rounded = [max(4, round(side * shrink / 4) * 4) for side in middle]
    return rounded[0], rounded[1]


def _median(values: NDArray[np.int64], counts: NDArray[np.int64]) -> int:
    """The median of values that occur so many times, without writing them all out."""
    order = np.argsort(values)
    below = np.cumsum(counts[order])
    return int(values[order][np.searchsorted(below, below[-1] / 2)])


def loses_much(sizes: Counter[tuple[int, int]], size: tuple[int, int]) -> bool:
    """Whether a crop to the shape of `size` would leave less than half of more than a tenth of the images."""
    shape = size[0] / size[1]
    cropped = sum(
        count
        for (height, width), count in sizes.items()
        if min(height / width / shape, shape * width / height) < CROPPED_SHARE
    )
    return cropped > CROPPED_MOST * sizes.total()


def is_tiny(found: tuple[int, int], usual: Sequence[int]) -> bool:
    """Whether an image is far smaller than the others, both ways: enlarging it would invent most of it."""
    shares = [side / other for side, other in zip(found, usual, strict=True)]
    return min(found) < TINIEST or max(shares) < TINY_SHARE


def tiny_are_odd(of_class: Counter[tuple[int, int, str | None]], usual: tuple[int, int]) -> bool:
    """Whether tiny images are few, in the set and in every class of it: then they are set aside."""
    tiny: Counter[str | None] = Counter()
    every: Counter[str | None] = Counter()
    for (height, width, label), count in of_class.items():
        every[label] += count
        tiny[label] += count * is_tiny((height, width), usual)
    few = tiny.total() <= max(1, TINY_MOST * every.total())
    return few and all(tiny[label] <= TINY_MOST_OF_CLASS * count for label, count in every.items())


def ground_for(seen: Sequence[tuple[float, ...]]) -> list[int]:
    """The gray level that transparency of all images is laid on; [] where there is none.

    White where nearly all stand out from it, else black or gray where they do, else what most stand out from.
    """
    if not seen:
        return []
    shares = (np.array(seen) >= VISIBLE).mean(0)
    for ground, share in zip(GROUNDS, shares, strict=True):
        if share >= SEEN_BY_ALL:
            return [ground]
    return [list(GROUNDS)[int(shares.argmax())]]


def ranges_for(ends: Mapping[str, Sequence[tuple[float, float]]]) -> dict[str, list[float]]:
    """Which values become black and white, one scale for all images of a sort."""
    found = {}
    for sort, pairs in ends.items():
        beyond = math.ceil(OUTLIERS * len(pairs))
        low = sorted(one for one, _ in pairs)[beyond - 1]
        high = sorted((one for _, one in pairs), reverse=True)[beyond - 1]
        if sort == BYTES:
            if not 0 < high <= DARK:
                continue
            low = 0.0
        found[sort] = _round_range(sort, low, high)
    return found


def _round_range(sort: str, low: float, high: float) -> list[float]:
    """A range as its writer will have meant it: from 0, and to a whole number of bits or to 1, where that is near.

    Where all values lie in a narrow part far from 0, as temperatures do, that part is the range.
    """
    if low >= 0 and high - low > high / 4:
        low = 0.0
        if sort in (INTEGERS, BYTES):
            high = float(2 ** math.ceil(math.log2(high + 1)) - 1)
        elif 0.5 < high <= 1 or 128 < high <= 255:
            high = 1.0 if high <= 1 else 255.0
    return [float(low), float(high) if high > low else float(low) + 1]


def decided(settled: Mapping[str, Any]) -> list[str]:
    """What was decided, in words, where it is not what everyone expects."""
    said = []
    for sort, (low, high) in settled.get("ranges", {}).items():
        named = {BYTES: "8-bit", INTEGERS: "16-bit", FLOATS: "floating-point"}[sort]
        said.append(
            f"Values from {low:g} (black) to {high:g} (white) of {named} images: one scale for all of them."
        )
    if settled.get("ground", WHITE) != WHITE:
        ground = GROUNDS.get(settled["ground"], "gray")
        said.append(f"Transparent images are laid on {ground}, since many would not be seen on white.")
    if settled.get("whole"):
        said.append(
            "Shapes of images differ much: they are kept whole, on a ground of their border's color, not cropped."
        )
    if not settled.get("tiny", True):
        said.append("Many images are tiny beside the others: they are kept, not set aside.")
    if paged := settled.get("paged"):
        said.append(f"{paged:,} files hold several pages: each page is a sample, those of a file stay together.")
    if animated := settled.get("animated"):
        said.append(f"{animated:,} files hold several frames: the first frame of each is used.")
    return said
