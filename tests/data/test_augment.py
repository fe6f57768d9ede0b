"""One warp per image equals the changes one after another, and is a function of (seed, epoch, id)."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bessemer.data.augment import Draws, augment, draw, is_identity, matrices, warp
from bessemer.data.config import AugmentConfig

LAW = settings(max_examples=40, deadline=None, derandomize=True)
ALL = AugmentConfig(crop=3, flip="both", rotate=30, scale=[0.8, 1.25], border="reflect")
CHANNELS = pytest.mark.parametrize("channels", [1, 3], ids=["gray", "rgb"])


def one(shift_x=0.0, shift_y=0.0, mirror_x=1.0, mirror_y=1.0, angle=0.0, zoom=1.0) -> Draws:
    """The choices for a single image."""
    return Draws(*(np.array([v], float) for v in (shift_x, shift_y, mirror_x, mirror_y, angle, zoom)))


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
    return matrices(draw(config, ids, np.zeros(count, np.int64), seed=5), height, width)


# --- the matrix -----------------------------------------------------------------------------------------


@LAW
@given(
    shift=st.tuples(st.integers(-5, 5), st.integers(-5, 5)),
    mirror=st.tuples(st.sampled_from([-1.0, 1.0]), st.sampled_from([-1.0, 1.0])),
    angle=st.floats(-np.pi, np.pi),
    zoom=st.floats(0.1, 10),
    size=st.tuples(st.integers(1, 64), st.integers(1, 64)),
)
def test_the_matrix_is_the_inverse_of_the_product_of_single_changes(shift, mirror, angle, zoom, size):
    height, width = size

    def move(x: float, y: float) -> np.ndarray:
        return np.array([[1, 0, x], [0, 1, y], [0, 0, 1.0]])

    center = ((width - 1) / 2, (height - 1) / 2)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    about_center = turn @ np.diag([zoom, zoom, 1]) @ np.diag([*mirror, 1])
    forward = move(*shift) @ move(*center) @ about_center @ move(-center[0], -center[1])
    made = matrices(one(*shift, *mirror, angle, zoom), height, width)[0]
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


# --- choices --------------------------------------------------------------------------------------------


@LAW
@given(seed=st.integers(0, 2**63 - 1), data=st.data())
def test_an_image_s_change_does_not_depend_on_its_batch(seed, data):
    some = data.draw(st.lists(st.integers(0, 15), min_size=1, max_size=16))
    images, ids = noise(16, 8, 8, 1), np.arange(16, dtype=np.uint64) * np.uint64(2**60 + 1)
    epochs = np.arange(16) // 6
    whole = augment(images, ALL, ids, epochs, seed)
    assert np.array_equal(augment(images[some], ALL, ids[some], epochs[some], seed), whole[some])


def test_changes_differ_by_seed_epoch_and_id():
    images = np.repeat(noise(1, 8, 8, 1), 4, 0)
    ids, epochs = np.array([1, 1, 1, 2], np.uint64), np.array([0, 0, 1, 0])
    made = augment(images, ALL, ids, epochs, 3)
    assert np.array_equal(made[0], made[1])
    assert not np.array_equal(made[0], made[2])
    assert not np.array_equal(made[0], made[3])
    assert not np.array_equal(made[0], augment(images, ALL, ids, epochs, 4)[0])


def test_choices_fill_their_ranges_and_do_not_leave_them():
    ids = np.arange(3000, dtype=np.uint64)
    draws = draw(ALL, ids, np.zeros(3000, np.int64), 0)
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
    draws = draw(AugmentConfig(flip=flip), np.arange(50, dtype=np.uint64), np.zeros(50, np.int64), 0)
    assert (draws.mirror_x < 0).any() == bool(x)
    assert (draws.mirror_y < 0).any() == bool(y)


# --- whole batches --------------------------------------------------------------------------------------


@CHANNELS
def test_settings_that_change_nothing_return_the_images_themselves(channels):
    images = noise(2, 8, 8, channels)
    nothing = AugmentConfig(border="reflect")
    assert is_identity(nothing)
    assert augment(images, nothing, np.arange(2, dtype=np.uint64), np.zeros(2, np.int64), 0) is images


@pytest.mark.parametrize(
    "some",
    [{"crop": 1}, {"flip": "horizontal"}, {"rotate": 1.0}, {"scale": [1.0, 1.1]}, {"scale": [0.9, 0.9]}],
)
def test_settings_that_change_something_are_not_taken_for_nothing(some):
    assert not is_identity(AugmentConfig(**some))


@CHANNELS
def test_shape_and_type_are_kept_and_the_input_is_not_written_to(channels):
    images = noise(5, 9, 12, channels)
    before = images.copy()
    made = augment(images, ALL, np.arange(5, dtype=np.uint64), np.zeros(5, np.int64), 0)
    assert (made.shape, made.dtype) == (images.shape, np.uint8)
    assert np.array_equal(images, before)
    assert not np.array_equal(made, images)
