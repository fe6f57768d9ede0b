"""Images: arrays of 8 bits of one size, gray or in color."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bessemer.data.image.presets import preset
from bessemer.data.kind import U64, Augment, Kept, Kind, Line, Reader, Settled, Simple

if TYPE_CHECKING:
    from bessemer.data.config import AugmentConfig, DataConfig, DedupConfig
    from bessemer.data.copies import I64, Payload, Search
    from bessemer.data.record import Cleaner
    from bessemer.data.starter import Plan

SUFFIXES = "png jpg jpeg jpe jfif bmp gif webp tif tiff pgm ppm pbm pnm heic heif avif jxl jp2 ico tga dds npy"
MAGIC = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"II*\0", b"MM\0*", b"P5\n", b"P6\n", b"\x93NUMPY")


class Images(Kind):
    """Inputs are uint8 (N, H, W, C)."""

    noun = "images"
    unit = "pixels"
    sizes = "Sizes"
    tag = "image"
    example = "photo.png"
    sources = ("digits", "idx", "image_folder")
    suffixes = frozenset(f".{suffix}" for suffix in SUFFIXES.split())
    readable = frozenset(
        {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".pgm", ".ppm", ".npy"}
    )
    in_cells = False
    reads_cells = True
    alone = "bessemer.data.image.alone"
    simple = Simple(
        "logistic regression on gradients, colors and pixels",
        (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1),
        40_000,
        10_000,
    )
    drawn = True

    def sniff(self, head: bytes) -> bool:
        """By the marks of the formats; of BMP, by its empty field too, as two letters are little."""
        if head[:4] == b"RIFF":
            return head[8:12] == b"WEBP"
        return head.startswith(MAGIC) or (head[:2] == b"BM" and head[6:10] == bytes(4))

    def preset(self, name: str, size: tuple[int, int] | None) -> Mapping[str, Any]:
        return preset(name, size)

    def cleaner(self, config: DataConfig) -> Cleaner:
        from bessemer.data.image.cleaner import ImageCleaner

        return ImageCleaner(config)

    def search(
        self, signatures: U64, heads: I64, payload: Payload, config: DedupConfig, settled: Settled
    ) -> Search:
        from bessemer.data.image.copies import ImageSearch

        return ImageSearch(signatures, heads, payload, shape_of(settled), config.image_distance)

    def finish(self, config: DataConfig, settled: Settled, kept: Kept, out: Path) -> dict[str, Any]:
        from bessemer.data.image.prepare import finish_images

        return finish_images(config, settled, kept, out)

    def simple_network(
        self, shape: Sequence[int], arguments: Mapping[str, Any], outputs: int, classes: bool
    ) -> Line:
        from bessemer.data.image.features import ImageFeatures
        from bessemer.data.simple import Linear

        features = ImageFeatures(*shape)
        return Linear(features, features.groups, outputs)

    def augmenter(self, config: AugmentConfig, about: Mapping[str, Any]) -> Augment:
        from bessemer.data.image.augment import augment

        return lambda images, ids, epochs, seed: augment(images, config, ids, epochs, seed)

    def reader(self, about: Mapping[str, Any], folder: Path) -> Reader:
        """Image files, or their bytes, to uint8 (n, H, W, C): a row for each page."""
        from bessemer.data.image.form import Form
        from bessemer.data.image.read import read_pages

        form = Form.told(about)
        return lambda source: read_pages(source, form)

    def steps(self, about: Mapping[str, Any]) -> list[str]:
        from bessemer.data.image.form import GROUNDS, WHITE

        every = about.get("ranges", {}).items()
        ranges = ", ".join(f"{low:g} to {high:g} of {sort}" for sort, (low, high) in every)
        return [
            "decoded, turned as EXIF says; each page of a TIFF file is an input of its own",
            f"more than 8 bits a channel reduced to 8{f' ({ranges} become 0 to 255)' if ranges else ''}",
            f"transparency laid on {GROUNDS[int(about.get('ground', WHITE))]}",
            f"converted to {'gray (ITU-R 601)' if about['color'] == 'gray' else 'RGB'}, 0 to 255",
            f"{about['resize']}, to {about['size'][0]} x {about['size'][1]} (height x width)",
            "inside the model: divided by 255, mean and deviation of each channel taken away",
        ]

    def tensor(self, about: Mapping[str, Any]) -> str:
        shape = "uint8 (batch, height, width, channels)"
        return f"`inputs` is {shape}: {self.told(about)}, values 0 to 255, not normalized."

    def told(self, about: Mapping[str, Any]) -> str:
        return f"images of {' × '.join(map(str, about['image']))} (height × width × channels)"

    def picture(self, value: Any, about: Mapping[str, Any]) -> NDArray[np.uint8]:
        return np.asarray(value)

    def show_payload(self, payload: bytes, settled: Settled) -> str:
        return self.show(np.frombuffer(payload, np.uint8).reshape(shape_of(settled)), {})

    def show_raw(self, head: bytes) -> str | None:
        from bessemer.data.image.cleaner import thumbnail

        return thumbnail(head)

    def notes(self, settled: Settled) -> list[str]:
        from bessemer.data.image.survey import decided

        return decided(settled)

    def found(self, plan: Plan) -> str:
        height, width = plan.settled["size"]
        return f"{height}x{width} {'gray' if plan.settled['gray'] else 'RGB'}"

    def starter(self, plan: Plan, out: Path) -> str:
        from bessemer.data.image.starter import image_recipe

        return image_recipe(plan, out)


def shape_of(settled: Settled) -> tuple[int, int, int]:
    """Height, width and channels of stored images."""
    return settled["size"][0], settled["size"][1], 1 if settled["gray"] else 3


IMAGE = Images()
