"""A stranger's network, named by its dotted path, comes in by the same door as our own."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from bessemer.compress.prune import prune
from bessemer.compress.quantize import quantize
from bessemer.config import build, parse_yaml
from bessemer.dotted import modules_beside
from bessemer.errors import RecipeError, UsageError
from bessemer.model.models import Model, find_model
from bessemer.model.state import Architecture, load_model, save_model
from bessemer.recipe import Recipe

TINY = "name: r\ndata: {source: digits}\nmodel: {name: mine.tiny.TinyNet, width: 8}\n"
FACTS = {"classes": 3, "mean": [0.5], "std": [0.25]}


@pytest.fixture(autouse=True)
def _mine_is_found() -> Iterator[None]:
    with modules_beside(Path(__file__).parent):
        yield


def read(text: str) -> Recipe:
    return build(Recipe, parse_yaml(text, "r.yaml"))


def refused(text: str) -> str:
    with pytest.raises(RecipeError) as error:
        read(text)
    return str(error.value)


def test_a_strangers_network_is_checked_by_its_own_settings() -> None:
    recipe = read(TINY)
    assert recipe.model.model_dump() == {"name": "mine.tiny.TinyNet", "width": 8}
    assert recipe.model_dump()["model"]["width"] == 8
    assert Recipe.model_validate(recipe.model_dump()) == recipe


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ("widht: 8", "r.yaml:3: model.widht: unknown key, did you mean width?"),
        ("zzz: 8", "r.yaml:3: model.zzz: unknown key; known here: name, width"),
        ("width: 0", "r.yaml:3: model.width: input should be greater than or equal to 1, got 0"),
        ("width: wide", "r.yaml:3: model.width: input should be a valid integer"),
    ],
)
def test_wrong_settings_of_a_strangers_network_are_refused_with_their_key(wrong: str, problem: str) -> None:
    assert problem in refused(TINY.replace("width: 8", wrong))


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("mine.tiny.HugeNet", "r.yaml:3: model.name: 'mine.tiny.HugeNet': mine.tiny has no 'HugeNet'"),
        ("nowhere.TinyNet", "r.yaml:3: model.name: 'nowhere.TinyNet': there is no module 'nowhere'"),
        ("os.system", "r.yaml:3: model.name: 'os.system' is no model"),
        ("bessemer.model.config.ModelConfig", "is no model"),
    ],
)
def test_what_is_no_network_is_refused_with_its_key(name: str, problem: str) -> None:
    assert problem in refused(TINY.replace("mine.tiny.TinyNet", name))


def test_a_strangers_network_takes_the_kinds_that_it_says() -> None:
    text = TINY.replace("{source: digits}", "{source: audio_folder, path: x}")
    assert "model.name mine.tiny.TinyNet does not take audio data; set model.name to sound" in refused(text)


def built() -> tuple[Architecture, nn.Module]:
    recipe = read(TINY)
    architecture = Architecture(recipe.model.name, {**FACTS, **recipe.model.model_dump(exclude={"name"})})
    torch.manual_seed(0)
    return architecture, architecture.build().eval()


def images() -> torch.Tensor:
    return torch.randint(0, 256, (6, 8, 8, 1), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def test_a_strangers_network_is_saved_loaded_pruned_and_rounded_like_our_own(tmp_path: Path) -> None:
    architecture, network = built()
    pruned, edit = prune(copy.deepcopy(network), images(), 0.5, round_to=2)
    pruned = pruned.eval()
    rounded, second = quantize(copy.deepcopy(pruned), images())
    for number, (made, edits) in enumerate([(network, []), (pruned, [edit]), (rounded, [edit, second])]):
        folder = tmp_path / str(number)
        save_model(folder, architecture.edited(*edits), made)
        with torch.no_grad():
            assert torch.equal(load_model(folder)(images()), made(images()))
    assert pruned.get_submodule("layers.1").weight.shape[0] == 4


def test_a_model_of_a_stranger_may_be_a_value(monkeypatch: pytest.MonkeyPatch) -> None:
    import mine.tiny as tiny

    value = Model(settings=tiny.TinyNet.Settings, build=lambda **all: tiny.TinyNet(**all), kinds=None)
    monkeypatch.setattr(tiny, "MODEL", value, raising=False)
    assert find_model("mine.tiny.MODEL") is value
    assert value.suits("image", "classes")
    assert not value.suits("image", "tokens")
    assert isinstance(Architecture("mine.tiny.MODEL", {**FACTS, "width": 2}).build(), tiny.TinyNet)


def test_settings_that_are_none_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    import mine.tiny as tiny

    settings: Any = dict
    monkeypatch.setattr(tiny.TinyNet, "Settings", settings)
    with pytest.raises(UsageError, match="derive it from") as error:
        find_model("mine.tiny.TinyNet")
    assert "TinyNet.Settings" in error.value.problem
