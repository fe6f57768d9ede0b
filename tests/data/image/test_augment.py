"""A whole batch of images: what it becomes is a function of (seed, epoch, id) and of nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bessemer.data.config import AugmentConfig
from bessemer.data.image.augment import augment, is_identity

LAW = settings(max_examples=40, deadline=None, derandomize=True)
MOVED = AugmentConfig(crop=3, flip="both", rotate=30, scale=[0.8, 1.25], border="reflect")
COPIED = AugmentConfig(crop=2, flip="both")
ALL = AugmentConfig(
    **{
        **MOVED.model_dump(include={"crop", "flip", "rotate", "scale", "border"}),
        **{"resized_crop": [0.5, 1.0], "shear": 10.0, "brightness": 0.2, "contrast": 0.3, "saturation": 0.5},
        **{"noise": 6.0, "blur": 1.0, "erase": 0.5},
    }
)
CHANNELS = pytest.mark.parametrize("channels", [1, 3], ids=["gray", "rgb"])
SOME = [
    {"crop": 1},
    {"crop": 0.1},
    {"resized_crop": [0.5, 1.0]},
    {"flip": "horizontal"},
    {"rotate": 1.0},
    {"scale": [1.0, 1.1]},
    {"scale": [0.9, 0.9]},
    {"shear": 3.0},
    {"brightness": 0.1},
    {"contrast": 0.1},
    {"noise": 2.0},
    {"blur": 1.0},
    {"erase": 0.9},
]


def noise(count: int, height: int, width: int, channels: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, height, width, channels), np.uint8)


def ids_of(count: int) -> np.ndarray:
    return np.arange(count, dtype=np.uint64) * np.uint64(2**60 + 1)


@LAW
@given(
    seed=st.integers(0, 2**63 - 1),
    config=st.sampled_from([MOVED, COPIED, ALL]),
    channels=st.sampled_from([1, 3]),
    data=st.data(),
)
def test_an_image_s_change_does_not_depend_on_its_batch(seed, config, channels, data):
    some = data.draw(st.lists(st.integers(0, 15), min_size=1, max_size=16))
    images, ids, epochs = noise(16, 8, 8, channels), ids_of(16), np.arange(16) // 6
    whole = augment(images, config, ids, epochs, seed)
    assert np.array_equal(augment(images[some], config, ids[some], epochs[some], seed), whole[some])


@pytest.mark.parametrize("config", [MOVED, ALL], ids=["moved", "all"])
def test_changes_differ_by_seed_epoch_and_id(config):
    images = np.repeat(noise(1, 8, 8, 1), 4, 0)
    ids, epochs = np.array([1, 1, 1, 2], np.uint64), np.array([0, 0, 1, 0])
    made = augment(images, config, ids, epochs, 3)
    assert np.array_equal(made[0], made[1])
    assert not np.array_equal(made[0], made[2])
    assert not np.array_equal(made[0], made[3])
    assert not np.array_equal(made[0], augment(images, config, ids, epochs, 4)[0])


@CHANNELS
def test_settings_that_change_nothing_return_the_images_themselves(channels):
    images = noise(2, 8, 8, channels)
    nothing = AugmentConfig(border="reflect", token_mask=0.5, gain_db=6.0)
    assert is_identity(nothing)
    assert augment(images, nothing, ids_of(2), np.zeros(2, np.int64), 0) is images


@pytest.mark.parametrize("some", SOME, ids=[" ".join(one) for one in SOME])
def test_settings_that_change_something_do(some):
    config, images = AugmentConfig(**some), noise(8, 16, 16, 1)
    assert not is_identity(config)
    made = augment(images, config, ids_of(8), np.zeros(8, np.int64), 0)
    assert not np.array_equal(made, images)


def test_saturation_changes_color_images_only():
    config = AugmentConfig(saturation=0.8)
    for channels in (1, 3):
        images = noise(8, 8, 8, channels)
        made = augment(images, config, ids_of(8), np.zeros(8, np.int64), 0)
        assert np.array_equal(made, images) == (channels == 1)


@CHANNELS
@pytest.mark.parametrize("config", [MOVED, COPIED, ALL], ids=["moved", "copied", "all"])
def test_shape_and_type_are_kept_and_the_input_is_not_written_to(channels, config):
    images = noise(5, 9, 12, channels)
    images.flags.writeable = False
    before = images.copy()
    made = augment(images, config, ids_of(5), np.zeros(5, np.int64), 0)
    assert (made.shape, made.dtype) == (images.shape, np.uint8)
    assert np.array_equal(images, before)
    assert not np.array_equal(made, images)


def test_an_empty_batch_stays_empty():
    made = augment(noise(0, 8, 8, 3), ALL, ids_of(0), np.zeros(0, np.int64), 0)
    assert made.shape == (0, 8, 8, 3)
