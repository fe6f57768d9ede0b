"""Colors, blur, noise and erasing against numpy and scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from scipy.stats import norm

from bessemer.data.augment.chance import rectangles
from bessemer.data.config import AugmentConfig
from bessemer.data.image.color import LUMA, add_noise, blur, erase, tint, values

CHANNELS = pytest.mark.parametrize("channels", [1, 3], ids=["gray", "rgb"])


def pictures(count: int, height: int, width: int, channels: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, height, width, channels), np.uint8)


def numbers(*given: float) -> np.ndarray:
    return np.array(given, float)


# --- brightness, contrast, saturation ---------------------------------------------------------------------


def one_after_another(image: np.ndarray, brightness: float, contrast: float, saturation: float) -> np.ndarray:
    """The same in float64, each as a step of its own, as Pillow's ImageEnhance defines them."""
    x = image.astype(np.float64)
    if image.shape[2] == 3:
        x = saturation * x + (1 - saturation) * (x @ LUMA)[..., None]
    mean = (x @ LUMA).mean() if image.shape[2] == 3 else x.mean()
    x = contrast * x + (1 - contrast) * mean
    return (x + brightness).clip(0, 255)


@CHANNELS
def test_one_map_of_colors_equals_the_steps_one_after_another(channels):
    images = pictures(5, 9, 13, channels)
    changes = numbers(0, 30, -40, 10, 0), numbers(1, 0.5, 1.4, 1, 0.8), numbers(1, 1, 0.3, 1.6, 0)
    made = images.copy()
    tint(made, *changes)
    for image, result, *change in zip(images, made, *changes, strict=True):
        assert np.abs(result - one_after_another(image, *change)).max() <= 1


@CHANNELS
def test_colors_that_do_not_change_are_exact(channels):
    images = pictures(2, 9, 13, channels)
    made = images.copy()
    tint(made, numbers(0, 0), numbers(1, 1), numbers(1, 1))
    assert np.array_equal(made, images)


def test_no_saturation_leaves_gray():
    made = pictures(1, 9, 13, 3)
    tint(made, numbers(0), numbers(1), numbers(0))
    assert np.ptp(made.astype(int), axis=3).max() <= 1


def test_changes_of_color_stay_within_their_settings():
    images = np.full((200, 4, 4, 1), 100, np.uint8)
    values(images, AugmentConfig(brightness=0.1), np.arange(200, dtype=np.uint64), np.zeros(200, np.int64), 0)
    levels = images[:, 0, 0, 0].astype(int)
    assert 74 <= levels.min() < 77
    assert 123 < levels.max() <= 126


# --- blur -------------------------------------------------------------------------------------------------


@CHANNELS
@pytest.mark.parametrize("sigma", [0.4, 1.0, 2.5])
def test_blur_is_a_gaussian(sigma, channels):
    images = pictures(1, 24, 30, channels)
    made = images.copy()
    blur(made, numbers(sigma))
    for channel in range(channels):
        wanted = ndimage.gaussian_filter(images[0, ..., channel].astype(float), sigma, mode="mirror", truncate=4.0)
        assert np.abs(made[0, ..., channel] - wanted).max() <= 2


def test_a_blur_narrower_than_a_pixel_leaves_the_image():
    images = pictures(2, 8, 8, 1)
    made = images.copy()
    blur(made, numbers(0, 0.15))
    assert np.array_equal(made, images)


# --- noise ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sigma", [2.0, 5.0, 20.0])
def test_noise_has_the_deviation_that_was_asked_and_the_shape_of_a_normal(sigma):
    images = np.full((2, 200, 201, 1), 128, np.uint8)
    add_noise(images, sigma, np.array([1, 2], np.uint64))
    for image in images:
        added = image.astype(float) - 128
        assert abs(added.mean()) < 4 * sigma / 200
        assert added.std() == pytest.approx(sigma, rel=0.03)
        for level in (1, round(sigma), round(2 * sigma)):  # of rounded values
            inside = norm.cdf((level + 0.5) / sigma) - norm.cdf(-(level + 0.5) / sigma)
            assert np.mean(np.abs(added) <= level) == pytest.approx(inside, abs=0.03)
        assert abs(np.corrcoef(added[:, 1:].ravel(), added[:, :-1].ravel())[0, 1]) < 0.02
    assert abs(np.corrcoef(images[0].ravel(), images[1].ravel())[0, 1]) < 0.02


def test_noise_does_not_wrap_around():
    images = np.concatenate([np.zeros((1, 30, 30, 1), np.uint8), np.full((1, 30, 30, 1), 255, np.uint8)])
    add_noise(images, 10.0, np.array([1, 2], np.uint64))
    assert images[0].max() < 60
    assert images[1].min() > 195


# --- erasing ----------------------------------------------------------------------------------------------


@CHANNELS
def test_a_rectangle_of_the_chosen_images_takes_their_mean(channels):
    images = pictures(3, 20, 10, channels)
    made = images.copy()
    boxes = np.tile(numbers(0.2, 0.5, 0.4, 0.25), (3, 1))
    erase(made, boxes, np.array([True, False, True]))
    for number in (0, 2):
        wanted = images[number].copy()
        wanted[10:15, 2:6] = round(float(images[number].mean()))
        assert np.array_equal(made[number], wanted)
    assert np.array_equal(made[1], images[1])


def test_rectangles_lie_inside_and_have_their_area():
    generator = np.random.default_rng(0)
    areas = generator.uniform(0.02, 0.9, 1000)
    shape, x, y = generator.random((3, 1000))
    left, top, width, height = rectangles(areas, shape, (x, y), 3.0).T
    assert np.allclose(width * height, areas)
    assert min(left.min(), top.min()) >= 0
    assert max((left + width).max(), (top + height).max()) <= 1 + 1e-9
    assert (width / height).max() <= 3 + 1e-9
    assert (width / height).min() >= 1 / 3 - 1e-9


def test_the_share_of_erased_images_is_the_chance():
    images = pictures(1, 16, 16, 1).repeat(2000, 0)
    before = images.copy()
    values(images, AugmentConfig(erase=0.3), np.arange(2000, dtype=np.uint64), np.zeros(2000, np.int64), 0)
    assert (images != before).any((1, 2, 3)).mean() == pytest.approx(0.3, abs=0.04)


# --- the ground ------------------------------------------------------------------------------------------


@CHANNELS
def test_an_even_ground_stays_even_under_noise(channels):
    images = np.full((3, 24, 24, channels), 255, np.uint8)
    images[:, 8:16, 8:16] = pictures(3, 8, 8, channels)
    made = images.copy()
    values(made, AugmentConfig(noise=6.0), np.arange(3, dtype=np.uint64), np.zeros(3, np.int64), 0)
    ground = np.ones((24, 24), bool)
    ground[7:17, 7:17] = False
    assert (made[:, ground] == 255).all()
    assert (made[:, 8:16, 8:16] != images[:, 8:16, 8:16]).mean() > 0.7
