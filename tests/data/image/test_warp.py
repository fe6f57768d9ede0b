"""One warp per image equals the changes one after another, with choices that fill their ranges."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bessemer.data.augment.chance import uniforms
from bessemer.data.config import AugmentConfig
from bessemer.data.image.warp import Draws, draw, matrices, pixels_of, shift_and_flip, warp
from bessemer.draws import Stream, key, uniform

LAW = settings(max_examples=40, deadline=None, derandomize=True)
ALL = AugmentConfig(crop=3, flip="both", rotate=30, scale=[0.8, 1.25], border="reflect")
CHANNELS = pytest.mark.parametrize("channels", [1, 3], ids=["gray", "rgb"])


def one(
    shift_x=0.0, shift_y=0.0, mirror_x=1.0, mirror_y=1.0, angle=0.0, zoom=1.0, slant=0.0, window=None
) -> Draws:
    """The choices for a single image."""
    numbers = (np.array([v], float) for v in (shift_x, shift_y, mirror_x, mirror_y, angle, zoom, slant))
    return Draws(*numbers, None if window is None else np.array([window], float))


def noise(count: int, height: int, width: int, channels: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, height, width, channels), np.uint8)


def smooth(height: int, width: int, channels: int) -> np.ndarray:
    """A picture without sharp edges, so that how it is resampled hardly matters."""
    ys, xs = np.mgrid[0:height, 0:width]
    layers = [127 + 60 * np.sin(xs / 9 + k) * np.cos(ys / 11 + k) for k in range(channels)]
    return np.stack(layers, -1).round().astype(np.uint8)


def everything(count: int, height: int, width: int, config: AugmentConfig = ALL) -> np.ndarray:
    """Matrices of all changes together, as they are drawn."""
    ids = np.arange(count, dtype=np.uint64)
    return matrices(draw(config, ids, np.zeros(count, np.int64), seed=5, size=(height, width)), height, width)


# --- the matrix -----------------------------------------------------------------------------------------


@LAW
@given(
    shift=st.tuples(st.integers(-5, 5), st.integers(-5, 5)),
    mirror=st.tuples(st.sampled_from([-1.0, 1.0]), st.sampled_from([-1.0, 1.0])),
    angle=st.floats(-np.pi, np.pi),
    zoom=st.floats(0.1, 10),
    slant=st.floats(-1, 1),
    corner=st.tuples(st.floats(0, 0.5), st.floats(0, 0.5)),
    share=st.tuples(st.floats(0.1, 0.5), st.floats(0.1, 0.5)),
    size=st.tuples(st.integers(1, 64), st.integers(1, 64)),
)
def test_the_matrix_is_the_inverse_of_the_product_of_single_changes(
    shift, mirror, angle, zoom, slant, corner, share, size
):
    height, width = size

    def move(x: float, y: float) -> np.ndarray:
        return np.array([[1, 0, x], [0, 1, y], [0, 0, 1.0]])

    center = ((width - 1) / 2, (height - 1) / 2)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    lean = np.array([[1, slant, 0], [0, 1, 0], [0, 0, 1]])
    about_center = turn @ np.diag([zoom, zoom, 1]) @ lean @ np.diag([*mirror, 1])
    cut_out = move(-corner[0] * width, -corner[1] * height) @ move(0.5, 0.5)
    enlarged = move(-0.5, -0.5) @ np.diag([1 / share[0], 1 / share[1], 1]) @ cut_out
    forward = move(*shift) @ move(*center) @ about_center @ move(-center[0], -center[1]) @ enlarged
    made = matrices(one(*shift, *mirror, angle, zoom, slant, [*corner, *share]), height, width)[0]
    assert np.allclose(np.vstack([made, [0, 0, 1]]) @ forward, np.eye(3), atol=1e-9)


@CHANNELS
@pytest.mark.parametrize(("degrees", "zoom"), [(15, 1.0), (-40, 1.3), (90, 0.7), (180, 1.0), (0, 1.5)])
def test_turning_and_zooming_is_what_opencv_does(degrees, zoom, channels):
    image = smooth(32, 40, channels)
    # OpenCV's positive angles turn counter-clockwise on the screen, ours clockwise.
    matrix = cv2.getRotationMatrix2D(((40 - 1) / 2, (32 - 1) / 2), -degrees, zoom)
    wanted = cv2.warpAffine(image, matrix, (40, 32), flags=cv2.INTER_LINEAR).reshape(image.shape)
    made = warp(image[None], matrices(one(angle=np.deg2rad(degrees), zoom=zoom), 32, 40), "zero")[0]
    assert np.abs(made.astype(int) - wanted.astype(int)).max() <= 1


# --- pixels ---------------------------------------------------------------------------------------------


@CHANNELS
@pytest.mark.parametrize(("height", "width"), [(8, 8), (9, 12)])
def test_mirroring_is_exact(height, width, channels):
    images = noise(1, height, width, channels)
    for draws, wanted in [
        (one(mirror_x=-1), images[:, :, ::-1]),
        (one(mirror_y=-1), images[:, ::-1]),
        (one(mirror_x=-1, mirror_y=-1), images[:, ::-1, ::-1]),
    ]:
        assert np.array_equal(warp(images, matrices(draws, height, width), "zero"), wanted)


@CHANNELS
@pytest.mark.parametrize(("border", "mode"), [("zero", "constant"), ("edge", "edge"), ("reflect", "reflect")])
@pytest.mark.parametrize(("x", "y"), [(3, -2), (-1, 4), (0, 0)])
def test_shifting_by_whole_pixels_is_padding_and_cropping(x, y, border, mode, channels):
    images = noise(1, 9, 12, channels)
    padded = np.pad(images, ((0, 0), (5, 5), (5, 5), (0, 0)), mode)
    wanted = padded[:, 5 - y : 14 - y, 5 - x : 17 - x]
    assert np.array_equal(warp(images, matrices(one(x, y), 9, 12), border), wanted)


def bilinear(image: np.ndarray, matrix: np.ndarray, border: str) -> np.ndarray:
    """An independent resampling in float64: four neighbors, weighted by distance."""
    height, width = image.shape[:2]
    mode = {"zero": "constant", "edge": "edge", "reflect": "reflect"}[border]
    far = 100
    padded = np.pad(image.astype(np.float64), ((far, far), (far, far), (0, 0)), mode)
    ys, xs = np.mgrid[0:height, 0:width]
    x, y = (row[0] * xs + row[1] * ys + row[2] + far for row in matrix)
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    right_share, low_share = (x - left)[..., None], (y - top)[..., None]
    upper = padded[top, left] * (1 - right_share) + padded[top, left + 1] * right_share
    lower = padded[top + 1, left] * (1 - right_share) + padded[top + 1, left + 1] * right_share
    return upper * (1 - low_share) + lower * low_share


@CHANNELS
@pytest.mark.parametrize("border", ["zero", "edge", "reflect"])
def test_one_warp_is_bilinear_resampling(border, channels):
    """Older OpenCV rounds coordinates to 1/32 pixel, which is worth up to 2 levels at the edge of a picture."""
    images = np.repeat(smooth(24, 20, channels)[None], 10, 0)
    inverse = everything(10, 24, 20)
    made = warp(images, inverse, border)
    inside = np.stack([bilinear(np.ones_like(i), m, "zero") for i, m in zip(images, inverse, strict=True)])
    wanted = np.stack([bilinear(i, m, border) for i, m in zip(images, inverse, strict=True)])
    away_from_edge = (inside == 0) | (inside > 1 - 1e-9) if border == "zero" else np.ones(made.shape, bool)
    assert away_from_edge.mean() > 0.8
    assert np.abs(made - wanted)[away_from_edge].max() <= 2
    assert np.abs(made - wanted).mean() < 1


@CHANNELS
def test_one_warp_is_close_to_one_change_after_another(channels):
    size, image = (40, 32), smooth(32, 40, channels)
    steps = [
        np.array([[-1, 0, 39], [0, 1, 0.0]]),  # mirror
        cv2.getRotationMatrix2D((19.5, 15.5), 0, 1.2),  # zoom
        cv2.getRotationMatrix2D((19.5, 15.5), -12, 1.0),  # turn
        np.array([[1, 0, 2], [0, 1, -3.0]]),  # shift
    ]
    wanted = image
    for matrix in steps:
        wanted = cv2.warpAffine(wanted, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    draws = one(2, -3, mirror_x=-1, angle=np.deg2rad(12), zoom=1.2)
    made = warp(image[None], matrices(draws, 32, 40), "edge")[0]
    difference = np.abs(made.astype(int) - wanted.reshape(made.shape).astype(int))[6:-6, 6:-6]
    assert difference.max() <= 3


@CHANNELS
def test_shear_is_what_opencv_does(channels):
    image, slant = smooth(32, 40, channels), np.tan(np.deg2rad(20))
    forward = np.array([[1, slant, -slant * 15.5], [0, 1, 0]])
    wanted = cv2.warpAffine(image, forward, (40, 32), flags=cv2.INTER_LINEAR).reshape(image.shape)
    made = warp(image[None], matrices(one(slant=slant), 32, 40), "zero")[0]
    assert np.abs(made.astype(int) - wanted.astype(int)).max() <= 1


@CHANNELS
def test_a_resized_crop_is_what_opencv_does(channels):
    image = smooth(32, 40, channels)
    cut = np.ascontiguousarray(image[8:24, 10:30])
    wanted = cv2.resize(cut, (40, 32), interpolation=cv2.INTER_LINEAR).reshape(image.shape)
    made = warp(image[None], matrices(one(window=[0.25, 0.25, 0.5, 0.5]), 32, 40), "edge")[0]
    difference = np.abs(made.astype(int) - wanted.astype(int))
    assert difference[1:-1, 1:-1].max() <= 1  # at the edge OpenCV repeats it, ours sees what lies beyond
    assert difference.max() <= 4


@pytest.mark.parametrize("border", ["zero", "edge", "reflect"])
def test_color_warped_through_four_channels_is_the_same_to_the_bit(border):
    images, inverse = noise(6, 33, 21, 3), everything(6, 33, 21)
    how = {"flags": cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP}
    mode = {"zero": cv2.BORDER_CONSTANT, "edge": cv2.BORDER_REPLICATE, "reflect": cv2.BORDER_REFLECT_101}[border]
    wanted = [cv2.warpAffine(i, m, (21, 33), borderMode=mode, **how) for i, m in zip(images, inverse, strict=True)]
    assert np.array_equal(warp(images, inverse, border), wanted)


@LAW
@given(
    crop=st.integers(0, 12),
    flip=st.sampled_from(["none", "horizontal", "vertical", "both"]),
    border=st.sampled_from(["zero", "edge", "reflect"]),
    size=st.tuples(st.integers(2, 24), st.integers(2, 24)),
    channels=st.sampled_from([1, 3]),
)
def test_copying_gives_what_warping_gives(crop, flip, border, size, channels):
    config = AugmentConfig(crop=crop, flip=flip, border=border)
    draws = draw(config, np.arange(4, dtype=np.uint64), np.zeros(4, np.int64), 1, size)
    images = noise(4, *size, channels)
    assert np.array_equal(
        shift_and_flip(images, draws, crop, border), warp(images, matrices(draws, *size), border)
    )


# --- choices --------------------------------------------------------------------------------------------


def test_choices_fill_their_ranges_and_do_not_leave_them():
    ids = np.arange(3000, dtype=np.uint64)
    draws = draw(ALL, ids, np.zeros(3000, np.int64), 0, (8, 8))
    for shift in (draws.shift_x, draws.shift_y):
        assert set(shift) == set(range(-3, 4))
    for mirror in (draws.mirror_x, draws.mirror_y):
        assert set(mirror) == {-1.0, 1.0}
        assert abs(mirror.mean()) < 0.1
    degrees = np.rad2deg(draws.angle)
    assert -30 <= degrees.min() < -29
    assert 29 < degrees.max() <= 30
    assert 0.8 - 1e-9 <= draws.zoom.min() < 0.81
    assert 1.24 < draws.zoom.max() <= 1.25 + 1e-9


@pytest.mark.parametrize(("flip", "x", "y"), [("none", 0, 0), ("horizontal", 1, 0), ("vertical", 0, 1)])
def test_only_the_asked_direction_is_mirrored(flip, x, y):
    draws = draw(AugmentConfig(flip=flip), np.arange(50, dtype=np.uint64), np.zeros(50, np.int64), 0, (8, 8))
    assert (draws.mirror_x < 0).any() == bool(x)
    assert (draws.mirror_y < 0).any() == bool(y)


def test_numbers_drawn_together_are_those_drawn_one_by_one():
    ids, epochs = np.arange(9, dtype=np.uint64) * np.uint64(2**61 - 1), np.array([0, 3, 1, 0, 1, 1, 7, 3, 0])
    together = uniforms(ids, epochs, 2**63 - 5, [1, 6, 12])
    for row, stream in zip(together, [1, 6, 12], strict=True):
        for number, one_id, epoch in zip(row, ids, epochs, strict=True):
            assert number == uniform(one_id[None], key(Stream.AUGMENT, 2**63 - 5, int(epoch), stream))[0]


def test_windows_have_the_areas_and_shapes_that_were_asked():
    config = AugmentConfig(resized_crop=[0.3, 0.9])
    left, top, width, height = draw(
        config, np.arange(3000, dtype=np.uint64), np.zeros(3000, np.int64), 0, (8, 8)
    ).window.T
    areas, ratios = width * height, width / height
    assert 0.3 - 1e-9 <= areas.min() < 0.31
    assert 0.89 < areas.max() <= 0.9 + 1e-9
    assert 3 / 4 - 1e-9 <= ratios.min() < 0.77
    assert 1.3 < ratios.max() <= 4 / 3 + 1e-9
    assert min(left.min(), top.min()) >= 0
    assert max((left + width).max(), (top + height).max()) <= 1 + 1e-9
    assert abs((left + width / 2).mean() - 0.5) < 0.01


def test_shear_fills_its_range():
    config = AugmentConfig(shear=20)
    degrees = np.rad2deg(
        np.arctan(draw(config, np.arange(3000, dtype=np.uint64), np.zeros(3000, np.int64), 0, (8, 8)).slant)
    )
    assert -20 - 1e-9 <= degrees.min() < -19.5
    assert 19.5 < degrees.max() <= 20 + 1e-9


@pytest.mark.parametrize(("crop", "pixels"), [(0, 0), (1, 1), (4, 4), (1 / 14, 2), (0.5, 14), (0.01, 0)])
def test_a_crop_below_one_is_a_share_of_the_smaller_side(crop, pixels):
    assert pixels_of(crop, 28, 40) == pixels
