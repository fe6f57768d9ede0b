"""Presets fill what is not written, once, and get stronger."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bessemer.config import dump_yaml
from bessemer.data.augment.presets import resolve
from bessemer.data.config import AugmentConfig
from bessemer.data.image.augment import augment, is_identity
from bessemer.data.image.warp import pixels_of
from bessemer.data.kinds import KINDS
from bessemer.recipe import load_recipe

NAMES = ["light", "standard", "strong"]
IMAGE = KINDS["image"]
CHANGED = {name: kind for name, kind in KINDS.items() if kind.presets or name == "image"}  # at random
WRITTEN = {
    "crop": 3.0,
    "rotate": 0.0,
    "scale": [0.5, 2.0],
    "flip": "horizontal",
    "token_mask": 0.3,
    "gain_db": 0.0,
    "erase": 0.0,
}


def test_no_preset_changes_nothing():
    config = AugmentConfig(rotate=3.0)
    assert resolve(config, IMAGE) is config


@given(
    preset=st.sampled_from(["none", *NAMES]),
    kind=st.sampled_from(list(CHANGED.values())),
    size=st.one_of(st.none(), st.tuples(st.integers(4, 512), st.integers(4, 512))),
    written=st.sets(st.sampled_from(sorted(WRITTEN))),
)
def test_what_is_written_wins_and_twice_is_once(preset, kind, size, written):
    config = AugmentConfig(preset=preset, **{name: WRITTEN[name] for name in written})
    resolved = resolve(config, kind, size)
    assert resolved.preset == preset
    assert all(getattr(resolved, name) == WRITTEN[name] for name in written)
    again = resolve(resolved, kind, size)
    assert again == resolved
    assert again.model_fields_set == resolved.model_fields_set


@pytest.mark.parametrize("kind", CHANGED.values(), ids=CHANGED.keys())
def test_a_resolved_recipe_that_is_written_and_read_again_is_the_same(kind):
    resolved = resolve(AugmentConfig(preset="strong"), kind)
    assert resolve(AugmentConfig.model_validate(resolved.model_dump()), kind) == resolved


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", ["", ", size: [28, 28]"], ids=["any size", "sized"])
def test_a_recipe_with_a_preset_comes_back_the_same_from_the_file_of_its_run(tmp_path, name, size):
    data = f"data: {{source: image_folder, path: {tmp_path}{size}}}"
    recipe = tmp_path / "r.yaml"
    recipe.write_text(f"{data}\nmodel: {{name: resnet}}\naugment: {{preset: {name}, rotate: 1, flip: both}}\n")
    loaded = load_recipe(recipe)
    assert (loaded.augment.preset, loaded.augment.rotate, loaded.augment.flip) == (name, 1.0, "both")
    assert not is_identity(loaded.augment.model_copy(update={"rotate": 0.0, "flip": "none"}))
    recipe.write_text(dump_yaml(loaded.model_dump()))
    assert load_recipe(recipe) == loaded


@pytest.mark.parametrize("kind", CHANGED.values(), ids=CHANGED.keys())
def test_each_kind_has_every_preset_and_they_are_distinct(kind):
    found = [resolve(AugmentConfig(preset=name), kind) for name in NAMES]
    assert len({str(config.model_dump(exclude={"preset"})) for config in [AugmentConfig(), *found]}) == 4


def test_presets_of_text_and_sound_leave_images_alone():
    for kind in ("text", "audio"):
        assert is_identity(resolve(AugmentConfig(preset="strong"), KINDS[kind]))


@pytest.mark.parametrize("name", NAMES)
def test_no_preset_mirrors(name):
    assert resolve(AugmentConfig(preset=name), IMAGE).flip == "none"


@pytest.mark.parametrize("size", [(8, 8), (28, 28), (224, 160)])
@pytest.mark.parametrize("name", NAMES)
def test_the_shift_is_the_same_whether_the_size_is_known_or_not(name, size):
    known, unknown = (resolve(AugmentConfig(preset=name), IMAGE, given) for given in (size, None))
    assert pixels_of(known.crop, *size) == pixels_of(unknown.crop, *size)


def test_stronger_presets_change_images_more():
    ys, xs = np.mgrid[0:32, 0:32]
    picture = (127 + 100 * np.sin(xs / 3) * np.cos(ys / 4)).astype(np.uint8)[..., None]
    images, ids = np.repeat(picture[None], 64, 0), np.arange(64, dtype=np.uint64)
    changes = [
        np.abs(
            augment(images, resolve(AugmentConfig(preset=name), IMAGE), ids, np.zeros(64, np.int64), 0)
            - 1.0 * images
        ).mean()
        for name in NAMES
    ]
    assert 0 < changes[0] < changes[1] < changes[2]
