"""A stranger's training method, named by its dotted path, comes in by the same door as our own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from bessemer.artifact import Cache
from bessemer.config import build, parse_yaml
from bessemer.data.dataset import Batches, Samples
from bessemer.dotted import modules_beside
from bessemer.errors import RecipeError, UsageError
from bessemer.ledger.techniques import used, without
from bessemer.model.layers import GhostBatchNorm2d
from bessemer.parallel.data import refuse_own_statistics
from bessemer.recipe import Recipe
from bessemer.stages.train import settings as settings_of
from bessemer.task.classify.objective import Classify
from bessemer.train.config import TrainConfig
from bessemer.train.loop import fit
from bessemer.train.methods import Method
from bessemer.train.methods.methods import METHODS
from bessemer.train.methods.standard import refuse_twins, standard_methods

NOISE = {"name": "noise.NOISE", "deviation": 4.0}
SOUND = {"source": "audio_folder", "path": "clips"}
OUTSIDE = Path(__file__).parents[1] / "outside"
RECIPE = "name: r\ndata: {source: digits}\ntrain:\n  methods:\n    - {name: noise.NOISE, deviation: 4.0}\n"


@pytest.fixture(autouse=True)
def _noise_is_found() -> Iterator[None]:
    with modules_beside(OUTSIDE):
        yield


def read(text: str) -> Recipe:
    return build(Recipe, parse_yaml(text, "r.yaml"))


def key_of(recipe: Recipe, tmp_path: Path) -> str:
    return Cache(tmp_path).path("train", settings_of(recipe)).name


def test_its_settings_are_those_of_its_own_class() -> None:
    recipe = read(RECIPE)
    assert [one.model_dump() for one in recipe.train.methods] == [{**NOISE, "until": 1.0}]
    assert Recipe.model_validate(recipe.model_dump()) == recipe
    assert TrainConfig(**recipe.train.model_dump(mode="json")) == recipe.train


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ("noise.NOISE, deviatoin: 4.0", "r.yaml:5: train.methods.0.deviatoin: unknown key, did you mean"),
        ("noise.NOISE, zzz: 4.0", "train.methods.0.zzz: unknown key; known here: name, deviation, until"),
        ("noise.NOISE, deviation: 0.0", "train.methods.0.deviation: input should be greater than 0, got 0.0"),
        ("noise.Noise, deviation: 4.0", "train.methods.0.name: 'noise.Noise' is no training method"),
        ("noise.NOISES, deviation: 4.0", "train.methods.0.name: 'noise.NOISES': noise has no 'NOISES'"),
        ("nowhere.NOISE", "there is no module 'nowhere'"),
        ("mixup", "train.methods.0.name: 'mixup' is a method of our own; set train.mixup"),
        ("blur", "train.methods.0.name: 'blur' names no training method; give module.Name"),
    ],
)
def test_what_is_wrong_is_refused_with_its_key(wrong: str, problem: str) -> None:
    with pytest.raises(RecipeError) as error:
        read(RECIPE.replace("noise.NOISE, deviation: 4.0", wrong))
    assert problem in str(error.value)


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"data": SOUND}, "adds noise to pixels, and this is audio; leave it out"),
        ({"train": {"methods": [NOISE], "selective": {}}}, "set selective to null"),
    ],
)
def test_it_refuses_what_it_does_not_go_with(values: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Recipe.model_validate({**read(RECIPE).model_dump(exclude={"model", "augment"}), **values})


def test_candidates_of_compression_may_use_it_too() -> None:
    values = {"name": "r", "data": {"source": "digits"}, "compress": {"train": {"methods": [NOISE]}}}
    recipe = Recipe.model_validate(values)
    assert recipe.compress is not None
    assert [use.key for use in recipe.compress.train.uses()] == ["methods: noise.NOISE"]
    with pytest.raises(ValueError, match=r"compress\.train\.methods: noise\.NOISE adds noise to pixels"):
        Recipe.model_validate({**values, "data": SOUND})


def test_its_path_and_settings_key_the_training(tmp_path: Path) -> None:
    recipe, other = read(RECIPE), read(RECIPE.replace("4.0", "5.0"))
    bare = read("name: r\ndata: {source: digits}\n")
    assert settings_of(recipe)["train"]["methods"] == [{**NOISE, "until": 1.0}]
    assert len({key_of(one, tmp_path) for one in (recipe, other, bare)}) == 3
    assert "methods" not in settings_of(bare)["train"]  # so what was made before the key came is still found


def test_it_runs_behind_ours_and_before_averages(task: Classify) -> None:
    config = TrainConfig(methods=[NOISE], mixup=0.2, ema=0.9, freeze=["stem"])  # type: ignore[list-item]
    names = [method.name for method in standard_methods(config, task, 0, 10)]
    assert names == ["freeze", "mixup", "noise", "ema"]


def test_what_is_trained_is_another_network(samples: Samples, make_model: Any) -> None:
    def trained(**settings: Any) -> torch.Tensor:
        config = TrainConfig(epochs=1, batch_size=16, ghost_batch=8, precision="fp32", **settings)
        found = fit(make_model(), Classify(3), Batches(samples, 16, 0), config).model
        return torch.cat([tensor.flatten().float() for tensor in found.state_dict().values()])

    noisy = trained(methods=[NOISE])
    assert torch.equal(noisy, trained(methods=[NOISE]))
    assert not torch.equal(noisy, trained())


def test_the_ledger_switches_it_off_by_its_name() -> None:
    recipe = read(RECIPE)
    assert "noise on inputs" in used(recipe)
    off = without(recipe, "noise on inputs")
    assert off is not None
    assert off.train.methods == []
    assert "noise on inputs" not in used(off)
    assert without(off, "noise on inputs") is None


# --- ours -----------------------------------------------------------------------------------------------


def test_every_folder_of_a_method_is_listed_and_nothing_else() -> None:
    folder = Path(standard_methods.__code__.co_filename).parent
    assert {path.parent.name for path in folder.glob("*/__init__.py")} == set(METHODS)


@pytest.mark.parametrize("key", METHODS)
def test_a_methods_off_value_is_the_default_of_its_key(key: str) -> None:
    assert TrainConfig().setting(key) == METHODS[key].off
    assert TrainConfig().uses() == []


class Counting(Method):
    """A method with a state, under the name that all have who name none."""

    def state(self) -> dict[str, torch.Tensor]:
        return {"x": torch.zeros(1)}


def test_two_states_under_one_name_are_refused() -> None:
    with pytest.raises(UsageError, match="two training methods with a state are called 'none'"):
        refuse_twins([Counting(), Method(), Counting()])
    refuse_twins([Counting(), Method(), Method()])  # those without a state may share a name


def test_layers_with_statistics_of_their_own_are_refused_on_several_ranks() -> None:
    own = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 1), torch.nn.BatchNorm2d(2))
    with pytest.raises(UsageError, match=r"1 \(BatchNorm2d\) keeps statistics that differ"):
        refuse_own_statistics(own)
    refuse_own_statistics(torch.nn.Sequential(GhostBatchNorm2d(2), torch.nn.LayerNorm(2)))
