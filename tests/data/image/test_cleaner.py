"""Any file gives an upright 8-bit image or a short reason, and never anything else."""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bessemer.data.config import DataConfig, DedupConfig
from bessemer.data.image.cleaner import ImageCleaner
from bessemer.data.image.form import Form
from bessemer.data.image.read import FORMATS, MAX_PIXELS, decode, fit, is_gray, open_image, read_pages
from bessemer.data.image.signature import image_signature
from bessemer.data.image.survey import common_size
from bessemer.data.record import Clean, Raw, Rejected
from bessemer.errors import DataError


def read_image(source: Path, size: tuple[int, int], gray: bool) -> np.ndarray:
    """The first page."""
    form = Form(size, gray)
    with open_image(source) as image:
        return fit(decode(image, form, source)[0], form)


def picture(height: int = 6, width: int = 8, channels: int = 3, seed: int = 0) -> np.ndarray:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)
    return pixels[..., 0] if channels == 1 else pixels


def reason(path: Path, size: tuple[int, int] = (6, 8)) -> str:
    with pytest.raises(Rejected) as refused:
        read_image(path, size, gray=True)
    return str(refused.value)


def outcome(path: Path, size: tuple[int, int]) -> tuple[int, ...] | str:
    """The shape of a color image, or the reason why it is refused."""
    try:
        return read_image(path, size, gray=False).shape
    except Rejected as error:
        return str(error)


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def gray_png(width: int, height: int, rows: bytes, depth: int = 8) -> bytes:
    """A gray PNG by hand: whatever the header promises, whatever the rows are."""
    header = struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, 0)
    parts = chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


# --- what is read ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "webp", "ppm"])
def test_a_color_image_is_read_exactly(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(picture()).save(path, **({"lossless": True} if suffix == "webp" else {}))
    read = read_image(path, (6, 8), gray=False)
    assert read.dtype == np.uint8
    assert np.array_equal(read, picture())


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "gif", "pgm"])
def test_a_gray_image_is_read_exactly_with_one_channel_or_three(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(picture(channels=1)).save(path)
    assert np.array_equal(read_image(path, (6, 8), gray=True), picture(channels=1)[..., None])
    color = read_image(path, (6, 8), gray=False)
    assert np.array_equal(color, np.repeat(picture(channels=1)[..., None], 3, -1))


def test_color_becomes_gray_by_the_usual_weights(tmp_path):
    Image.fromarray(picture()).save(tmp_path / "a.png")
    wanted = picture() @ np.array([0.299, 0.587, 0.114])
    assert np.abs(read_image(tmp_path / "a.png", (6, 8), gray=True)[..., 0] - wanted).max() <= 1


UPRIGHT = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a.swapaxes(0, 1)[::-1, ::-1],
    8: lambda a: np.rot90(a, 1),
}


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_an_image_is_turned_as_exif_says(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(picture()).save(tmp_path / "a.png", exif=exif)
    wanted = UPRIGHT[orientation](picture())
    assert np.array_equal(read_image(tmp_path / "a.png", wanted.shape[:2], gray=False), wanted)


def test_sixteen_bits_are_scaled_to_eight(tmp_path):
    deep = np.array([[0, 257, 32768, 65278, 65535]], np.uint16)
    Image.fromarray(deep).save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png", (1, 5), gray=True).ravel().tolist() == [0, 1, 128, 254, 255]


def test_a_dark_image_of_sixteen_bits_stays_dark(tmp_path):
    """The scale belongs to the format, not to the brightest pixel of this one image."""
    Image.fromarray(np.full((2, 2), 200, np.uint16)).save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png", (2, 2), gray=True).max() == 1


def test_floating_point_is_clipped_to_eight_bits(tmp_path):
    Image.fromarray(np.array([[-5.0, 0.4, 99.6, 255.0]], np.float32)).save(tmp_path / "a.tif")
    assert read_image(tmp_path / "a.tif", (1, 4), gray=True).ravel().tolist() == [0, 0, 100, 255]


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_is_laid_on_white(tmp_path, mode):
    image = Image.new(mode, (2, 1), (0,) * (len(mode) - 1) + (255,))
    image.putpixel((1, 0), (0,) * len(mode))
    image.save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png", (1, 2), gray=True).ravel().tolist() == [0, 255]


def test_a_transparent_palette_color_is_laid_on_white(tmp_path):
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((1, 0), 1)
    image.save(tmp_path / "a.png", transparency=1)
    assert read_image(tmp_path / "a.png", (1, 2), gray=False).tolist() == [[[10, 20, 30], [255, 255, 255]]]


def test_a_palette_is_looked_up(tmp_path):
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((1, 0), 1)
    image.save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png", (1, 2), gray=False).tolist() == [[[10, 20, 30], [40, 50, 60]]]


def test_cmyk_becomes_rgb(tmp_path):
    Image.new("CMYK", (2, 2), (0, 255, 255, 0)).save(tmp_path / "a.tif")
    assert read_image(tmp_path / "a.tif", (2, 2), gray=False)[0, 0].tolist() == [255, 0, 0]


def test_the_first_frame_of_an_animation_is_read(tmp_path):
    frames = [Image.new("L", (4, 4), value) for value in (10, 200)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert set(read_image(tmp_path / "a.gif", (4, 4), gray=True).ravel()) == {10}


@pytest.mark.parametrize(
    ("mode", "gray"),
    [("1", True), ("L", True), ("LA", True), ("I;16", True), ("RGB", False), ("RGBA", False), ("P", False)],
)
def test_an_image_is_gray_where_its_file_stores_no_color(tmp_path, mode, gray):
    Image.new(mode, (2, 2)).save(tmp_path / "a.png")
    with open_image(tmp_path / "a.png") as image:
        assert is_gray(image) == gray


# --- shape ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("height", "width", "kept"), [(8, 16, np.s_[:, 4:12]), (16, 8, np.s_[4:12, :])])
def test_a_longer_side_is_cropped_in_the_middle(tmp_path, height, width, kept):
    Image.fromarray(picture(height, width)).save(tmp_path / "a.png")
    assert np.array_equal(read_image(tmp_path / "a.png", (8, 8), gray=False), picture(height, width)[kept])


def test_a_larger_image_is_averaged_down(tmp_path):
    """A step edge in the middle stays there, and flat parts keep their value."""
    pixels = np.repeat(np.array([50, 250], np.uint8), 20)[None].repeat(40, 0)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    small = read_image(tmp_path / "a.png", (8, 8), gray=True)[..., 0]
    assert small.shape == (8, 8)
    assert (small[:, :3] == 50).all()
    assert (small[:, 5:] == 250).all()


def test_a_smaller_image_is_enlarged(tmp_path):
    Image.fromarray(np.full((3, 3), 77, np.uint8)).save(tmp_path / "a.png")
    read = read_image(tmp_path / "a.png", (9, 5), gray=True)
    assert read.shape == (9, 5, 1)
    assert (read == 77).all()


# --- what is refused ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        (b"", "empty file"),
        (b"hello, I am a text file\n" * 20, "not an image"),
        (b"\x89PNG\r\n\x1a\n", "not an image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image"),
    ],
    ids=["empty", "text", "half a header", "postscript"],
)
def test_a_file_that_is_no_image_is_refused_with_the_reason(tmp_path, content, wanted):
    (tmp_path / "a.png").write_bytes(content)
    assert reason(tmp_path / "a.png") == wanted


@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "bmp", "ppm", "webp", "tif"])
def test_a_truncated_image_is_refused(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(picture(40, 40)).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert reason(path) in ("truncated or corrupt", "not an image", "unreadable")


@pytest.mark.parametrize("side", [8001, 20_000, 100_000])
def test_an_image_of_huge_dimensions_is_refused_by_its_header(tmp_path, side, monkeypatch):
    """Its few bytes would unpack to more than memory holds, so decoding must not begin."""
    assert side * side > MAX_PIXELS
    (tmp_path / "a.png").write_bytes(gray_png(side, side, b"\0" * 100))

    def decode(*args):
        raise AssertionError("it was decoded")

    monkeypatch.setattr(Image.Image, "load", decode)
    assert reason(tmp_path / "a.png") == "too many pixels"


def test_a_header_that_promises_more_than_there_is_is_refused(tmp_path):
    (tmp_path / "a.png").write_bytes(gray_png(100, 100, b"\0" * 100))
    assert reason(tmp_path / "a.png") == "truncated or corrupt"


def test_a_folder_and_a_missing_file_are_refused(tmp_path):
    assert reason(tmp_path) == "unreadable"
    assert reason(tmp_path / "none.png") == "unreadable"


def test_a_damaged_exif_block_is_refused_or_ignored(tmp_path):
    """Turning an image writes its EXIF anew, which fails on values of a wrong type."""
    exif = b"Exif\0\0II*\0" + struct.pack("<I", 8) + struct.pack("<H", 2)
    exif += struct.pack("<HHII", 0x0112, 3, 1, 6)  # turned by a quarter
    exif += struct.pack("<HHI4s", 0x0128, 2, 4, b"abc\0")  # text where a number belongs
    exif += struct.pack("<I", 0)
    Image.fromarray(picture()).save(tmp_path / "a.jpg", exif=exif)
    assert outcome(tmp_path / "a.jpg", (8, 6)) in ((8, 6, 3), "truncated or corrupt")


def encoded(kind: str) -> bytes:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "maker"
    file = io.BytesIO()
    image = Image.fromarray(picture(16, 12))
    image = image.convert("CMYK") if kind == "JPEG" else image
    image.save(file, kind, **({"exif": exif} if kind in ("PNG", "JPEG", "WEBP", "TIFF") else {}))
    return file.getvalue()


@pytest.mark.filterwarnings("ignore")  # Pillow warns about what it finds in damaged metadata
@pytest.mark.parametrize("kind", FORMATS)
def test_a_damaged_image_is_read_or_refused_but_raises_nothing_else(tmp_path, kind):
    """200 files a format, with one to three bytes changed, mostly in the header."""
    rng, whole = random.Random(kind), encoded(kind)
    path = tmp_path / "a"
    outcomes = []
    for _ in range(200):
        damaged = bytearray(whole)
        for _ in range(rng.randint(1, 3)):
            damaged[rng.randrange(min(len(damaged), rng.choice([40, 200, len(damaged)])))] = rng.randrange(256)
        path.write_bytes(damaged)
        outcomes.append(outcome(path, (8, 8)))
    reasons = {"not an image", "unreadable", "too many pixels", "truncated or corrupt"}
    assert set(outcomes) <= {(8, 8, 3), *reasons}
    assert reasons & set(outcomes)


# --- the cleaner ----------------------------------------------------------------------------------------


def cleaner(size=None, color="auto", near=False) -> ImageCleaner:
    dedup = DedupConfig(near=near)
    return ImageCleaner(DataConfig(source="image_folder", path="set", size=size, color=color, dedup=dedup))


def settled(size: tuple[int, int], gray: bool = True, near: bool = False) -> ImageCleaner:
    made = cleaner(near=near)
    made.settle([(*size, gray)])
    return made


def raw(value) -> Raw:
    return Raw("a/1.png", "", "a", "", value)


def file_of(pixels: np.ndarray, kind: str = "PNG", **how) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, kind, **how)
    return out.getvalue()


def one(made: ImageCleaner, value) -> Clean:
    (clean,) = made.clean(raw(value))
    return clean


def refused(made: ImageCleaner, value) -> Rejected:
    with pytest.raises(Rejected) as caught:
        list(made.clean(raw(value)))
    return caught.value


def test_a_survey_reads_the_header_only(monkeypatch, tmp_path):
    """Of a file, of bytes, and of an image that lies on its side."""

    def decode(*args):
        raise AssertionError("it was decoded")

    exif = Image.Exif()
    exif[0x0112] = 6
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", decode)
    for kind in ("PNG", "JPEG", "BMP"):
        path = tmp_path / f"a.{kind}"
        path.write_bytes(file_of(picture(6, 8), kind))
        assert cleaner().survey(raw(path))[:3] == (6, 8, False)
        assert cleaner().survey(raw(path.read_bytes()))[:3] == (6, 8, False)
    assert cleaner().survey(raw(file_of(picture(6, 8), "PNG", exif=exif)))[:3] == (8, 6, False)
    assert cleaner().survey(raw(file_of(picture(6, 8, 1), "JPEG", exif=exif)))[:3] == (8, 6, True)
    assert cleaner().survey(raw(np.zeros((6, 8, 3), np.uint8)))[:3] == (6, 8, False)


@pytest.mark.parametrize(
    ("looks", "wanted"),
    [
        ([(8, 8, True)] * 3 + [(9, 9, True)], {"size": [8, 8], "gray": True}),
        ([(8, 8, True)] * 3 + [(8, 8, False)], {"size": [8, 8], "gray": False}),
        ([(300, 400, False)] * 2 + [(10, 10, False)], {"size": [300, 400], "gray": False}),
        ([(450 + i, 900 + i, False) for i in range(-9, 10)], {"size": [112, 224], "gray": False}),
        ([(30 + i, 61 + i, False) for i in range(-9, 10)], {"size": [32, 60], "gray": False}),
    ],
)
def test_size_and_color_are_those_of_most_images(looks, wanted):
    made = cleaner()
    made.settle(iter(looks))
    assert made.settled == {**wanted, "usual": wanted["size"]}


def test_the_settings_win_over_the_survey():
    made = cleaner(size=[20, 24], color="rgb")
    made.settle([(8, 8, True)])
    assert made.settled == {"size": [20, 24], "gray": False, "usual": [8, 8]}


def test_tiny_is_measured_by_the_other_images_not_by_the_size_that_is_asked():
    made = cleaner(size=[64, 64])
    made.settle([(8, 8, True)] * 9)
    assert len(list(made.clean(raw(file_of(picture(8, 8, 1)))))) == 1


def test_common_images_of_a_megapixel_need_a_size():
    with pytest.raises(DataError, match="larger than a classifier needs"):
        cleaner().settle([(1200, 1000, False)] * 3)


def test_no_readable_image_is_an_error():
    with pytest.raises(DataError, match="no image"):
        cleaner().settle([])


def test_a_middle_size_is_the_median_of_all_images():
    rng = np.random.default_rng(0)
    sizes = Counter((int(h), int(w)) for h, w in rng.integers(20, 200, (401, 2)))
    height, width = common_size(sizes)
    every = np.array([size for size, count in sizes.items() for _ in range(count)])
    assert np.abs(np.median(every, 0) - (height, width)).max() <= 2


@pytest.mark.parametrize("kind", ["path", "bytes", "array"])
def test_an_image_is_cleaned_from_a_path_from_bytes_and_from_pixels(tmp_path, kind, travel):
    pixels = picture(12, 10)
    (tmp_path / "a.png").write_bytes(file_of(pixels))
    value = {"path": tmp_path / "a.png", "bytes": file_of(pixels), "array": pixels}[kind]
    made = travel(settled((12, 10), gray=False, near=True))
    clean = one(made, value)
    assert clean.payload == pixels.tobytes()
    assert clean.length == 120
    assert clean.repairs == ()
    assert np.array_equal(clean.signature, image_signature(pixels))


def test_near_copies_that_are_not_searched_have_no_signature():
    assert one(settled((12, 10)), file_of(picture(12, 10, 1))).signature.size == 0


def test_the_length_is_that_of_the_original():
    assert one(settled((12, 10)), file_of(picture(24, 30, 1))).length == 720


def test_repairs_are_named():
    exif = Image.Exif()
    exif[0x0112] = 3
    gray = picture(12, 10, 1)
    cases = {
        "turned as EXIF says": file_of(gray, exif=exif),
        "reduced to 8 bits": file_of(gray.astype(np.uint16) * 257),
        "transparency laid on white": file_of(np.dstack([picture(12, 10), gray])),
        "converted to gray": file_of(gray, "GIF"),
    }
    palette = Image.fromarray(picture(12, 10)).quantize(16)
    out = io.BytesIO()
    palette.save(out, "PNG")
    cases["converted to gray"] = out.getvalue()
    for repair, content in cases.items():
        assert one(settled((12, 10)), content).repairs == (repair,)


def test_turned_pixels_are_stored():
    exif = Image.Exif()
    exif[0x0112] = 6
    pixels = picture(10, 12, 1)
    assert one(settled((12, 10)), file_of(pixels, exif=exif)).payload == np.rot90(pixels, -1).tobytes()


@pytest.mark.parametrize(
    ("value", "wanted", "kind"),
    [
        (b"", "empty file", "broken"),
        (b"some text" * 20, "not an image", "broken"),
        (file_of(picture(40, 40))[:-200], "truncated or corrupt", "broken"),
        (gray_png(9000, 9000, b""), "too many pixels", "broken"),
        (Rejected("refused by the archive"), "refused by the archive", "broken"),
        (file_of(np.full((12, 10), 99, np.uint8)), "blank: one color", "filtered"),
        (file_of(np.full((12, 10, 3), (200, 10, 90), np.uint8)), "blank: one color", "filtered"),
        (file_of(picture(12, 3, 1)), "tiny", "filtered"),
        (file_of(picture(3, 3, 1)), "tiny", "filtered"),
    ],
    ids=["empty", "text", "truncated", "bomb", "archive", "blank", "blank color", "narrow", "tiny"],
)
def test_what_is_no_sample_is_refused_with_reason_and_kind(value, wanted, kind):
    made = settled((12, 10), gray=False)
    fate = refused(made, value)
    assert (fate.reason, fate.kind) == (wanted, kind)


def test_images_much_smaller_than_the_others_are_refused_but_small_data_sets_are_not():
    assert refused(settled((64, 64)), file_of(picture(15, 15, 1))).detail == "15x15 pixels"
    assert one(settled((64, 64)), file_of(picture(16, 16, 1)))
    assert one(settled((64, 64)), file_of(picture(10, 64, 1))), "narrow is not tiny"
    assert one(settled((8, 8)), file_of(picture(8, 8, 1)))
    assert one(settled((8, 8)), picture(8, 8)[..., :1])


def test_a_faint_picture_is_not_blank_but_the_noise_of_a_codec_is():
    pixels = np.full((12, 10), 99, np.uint8)
    pixels[3:6, 3:6] += 2
    assert refused(settled((12, 10)), file_of(pixels)).reason == "blank: one color"
    pixels[3:6, 3:6] += 1
    assert one(settled((12, 10)), file_of(pixels))


# --- what the set decides -------------------------------------------------------------------------------


def looked(values: list, labels: str = "") -> ImageCleaner:
    """A cleaner that has looked at these files; `labels` are their classes, a letter each."""
    made = cleaner()
    rows = [
        Raw(f"{i}.png", "", label, "", value)
        for i, (value, label) in enumerate(zip(values, labels or "a" * len(values), strict=True))
    ]
    made.settle([made.survey(row) for row in rows])
    return made


def brightest(made: ImageCleaner, value: bytes) -> int:
    return max(one(made, value).payload)


def ramp(top: float, dtype: type, low: float = 0) -> np.ndarray:
    return np.linspace(low, top, 80).reshape(8, 10).astype(dtype)


@pytest.mark.parametrize(
    ("full", "dtype", "kind", "ends"),
    [
        (4095, np.uint16, "PNG", [0, 4095]),
        (4000, np.uint16, "TIFF", [0, 4095]),
        (1000, np.uint16, "PNG", [0, 1023]),
        (60_000, np.uint16, "PNG", [0, 65535]),
        (1.2, np.float32, "TIFF", [0, 1.2]),
        (0.95, np.float32, "TIFF", [0, 1]),
        (0.02, np.float32, "TIFF", [0, 0.02]),
        (1000.0, np.float32, "TIFF", [0, 1000]),
        (250.0, np.float32, "TIFF", [0, 255]),
        (15, np.uint8, "PNG", [0, 15]),
    ],
)
def test_one_scale_for_all_is_that_of_the_set(full, dtype, kind, ends):
    bright, dim = (file_of(ramp(top, dtype), kind) for top in (full, full / 4))
    made = looked([bright, dim] * 5)
    ((low, high),) = made.settled["ranges"].values()
    assert [low, high] == pytest.approx(ends)
    wanted = 255 * full / ends[1]
    assert brightest(made, bright) == pytest.approx(wanted, abs=1)
    assert brightest(made, dim) == pytest.approx(wanted / 4, abs=13)


def test_values_far_from_zero_are_stretched_and_negative_ones_are_kept_apart():
    warm = looked([file_of(ramp(31_000, np.uint16, 29_000))] * 4)
    assert warm.settled["ranges"] == {"integers": [29_000, 31_000]}
    signed = looked([file_of(ramp(1.0, np.float32, -1.0), "TIFF")] * 4)
    assert signed.settled["ranges"] == {"floats": [-1, 1]}
    assert min(one(signed, file_of(ramp(1.0, np.float32, -1.0), "TIFF")).payload) == 0


def test_hot_pixels_holes_and_one_broken_file_do_not_darken_a_set():
    values = np.tile(ramp(4095, np.uint16), (20, 20))
    values[0, 0] = 65535
    assert looked([file_of(values)] * 3).settled["ranges"] == {"integers": [0, 4095]}
    holed = ramp(1.0, np.float32)
    holed[0, :2] = np.nan, np.inf
    good, broken = file_of(holed, "TIFF"), file_of(ramp(1e30, np.float32), "TIFF")
    assert looked([good] * 60 + [broken]).settled["ranges"] == {"floats": [0, 1]}


def test_eight_bits_that_are_used_and_dark_photographs_stay_as_they_are():
    assert "ranges" not in looked([file_of(ramp(64, np.uint8))] * 4).settled
    assert "ranges" not in looked([file_of(ramp(15, np.uint8), "JPEG")] * 4).settled


def test_sixteen_bits_a_channel_are_scaled_like_gray_ones_and_alpha_is_kept():
    import cv2

    color = np.dstack([ramp(1000, np.uint16), ramp(2000, np.uint16), ramp(4095, np.uint16)])
    for suffix in (".png", ".tiff"):
        made = cv2.imencode(suffix, color)[1].tobytes()  # blue, green, red
        one_of = looked([made] * 3)
        pixels = np.frombuffer(one(one_of, made).payload, np.uint8).reshape(8, 10, 3)
        assert pixels[-1, -1].tolist() == [255, 125, 62]
        assert one(one_of, made).repairs == ("reduced to 8 bits",)
    clear = np.dstack([color, np.full((8, 10), 65535, np.uint16)])
    clear[:4, :, 3] = 0
    made = cv2.imencode(".png", clear)[1].tobytes()
    pixels = np.frombuffer(one(looked([made] * 3), made).payload, np.uint8).reshape(8, 10, 3)
    assert pixels[0, 0].tolist() == [255, 255, 255]
    assert pixels[-1, -1].tolist() == [255, 125, 62]


def drawing(ink: int | tuple[int, int, int], alpha: int = 255) -> bytes:
    values = np.zeros((12, 12, 4), np.uint8)
    values[3:9, 3:9] = (*((ink,) * 3 if isinstance(ink, int) else ink), alpha)
    return file_of(values)


@pytest.mark.parametrize(
    ("inks", "ground"),
    [
        ([20, 20, 20], 255),
        ([255, 255, 255], 0),
        ([255, 20, 255, 20], 128),
        ([20] * 99 + [255], 255),
        ([(255, 255, 0)] * 3, 255),
        ([240, 250], 0),
    ],
    ids=["dark", "white", "both", "one white", "yellow", "pale"],
)
def test_transparency_is_laid_on_what_the_drawings_are_seen_on(inks, ground):
    made = looked([drawing(ink) for ink in inks])
    assert made.settled["ground"] == ground
    for ink in inks:
        pixels = np.frombuffer(one(made, drawing(ink)).payload, np.uint8).reshape(12, 12, 3)
        level = ink if isinstance(ink, int) else min(ink)
        assert abs(int(pixels.min((0, 1))[2]) - int(pixels.max((0, 1))[2])) >= 32, level


def test_alpha_that_hides_all_or_nothing_is_no_transparency():
    values = np.dstack([picture(12, 12), np.zeros((12, 12), np.uint8)])
    made = looked([file_of(values)] * 3)
    assert "ground" not in made.settled
    assert np.frombuffer(one(made, file_of(values)).payload, np.uint8).tolist() == picture(12, 12).ravel().tolist()
    opaque = file_of(np.dstack([picture(12, 12), np.full((12, 12), 255, np.uint8)]))
    assert one(looked([opaque] * 3), opaque).repairs == ()


def pages_of(count: int, kind: str = "TIFF", blank: int = -1) -> bytes:
    made = [
        Image.fromarray(picture(12, 10, 1, seed) if seed != blank else np.full((12, 10), 9, np.uint8))
        for seed in range(count)
    ]
    out = io.BytesIO()
    made[0].save(out, kind, save_all=True, append_images=made[1:])
    return out.getvalue()


def test_each_page_is_a_sample_and_a_blank_one_is_set_aside_in_its_place():
    made = looked([pages_of(3, blank=1)] * 2)
    assert made.settled["paged"] == 2
    first, second, third = made.clean(raw(pages_of(3, blank=1)))
    assert (first.part, third.part) == ("page 1", "page 3")
    assert third.payload == picture(12, 10, 1, 2).tobytes()
    assert (second.reason, second.detail) == ("blank: one color", "page 2")
    assert len(read_pages(pages_of(3, blank=1), Form.of(made.settled))) == 2


def test_of_frames_of_an_animation_the_first_is_used_and_that_is_said():
    made = looked([pages_of(4, "GIF")] * 2)
    assert made.settled["animated"] == 2
    assert "first of several frames used" in one(made, pages_of(4, "GIF")).repairs


def test_tiny_images_stay_where_the_set_or_a_class_is_made_of_them():
    large, small = file_of(picture(64, 64, 1)), file_of(picture(12, 12, 1))
    assert "tiny" not in looked([large] * 40 + [small], "a" * 30 + "b" * 11).settled
    many = looked([large] * 10 + [small] * 3)
    assert one(many, small)
    its_class = looked([large] * 96 + [small] * 4, "a" * 96 + "b" * 4)
    assert one(its_class, small)


def test_images_of_all_shapes_are_kept_whole():
    words = [file_of(picture(32, width, 1)) for width in (12, 30, 90, 120, 200, 260)]
    made = looked(words)
    assert made.settled["whole"]
    edged = np.full((32, 12), 200, np.uint8)
    edged[2:30, 2:10] = 0
    height, width = made.settled["size"]
    pixels = np.frombuffer(one(made, file_of(edged)).payload, np.uint8).reshape(height, width)
    assert pixels[0, 0] == 200
    assert pixels[height // 2, width // 2] == 0
    assert (pixels < 100).sum() == pytest.approx(28 * 8 * (height / 32) ** 2, rel=0.1)


def test_predict_reads_as_preparation_did():
    files = [drawing(255), drawing(20), file_of(np.dstack([picture(12, 12)]))]
    made = looked(files)
    form = Form.told(Form.of(made.settled).preprocess)
    assert form == Form.of(made.settled)
    for value in files:
        assert read_pages(value, form).tobytes() == one(made, value).payload
