"""Which networks there are, and which kinds of data and heads they suit."""

from __future__ import annotations

import subprocess
import sys

import pytest

from bessemer.config import build, parse_yaml
from bessemer.errors import ArtifactError, RecipeError
from bessemer.model.models import MODELS, default_model, find_model
from bessemer.model.state import Architecture
from bessemer.recipe import Recipe


@pytest.mark.parametrize("name", MODELS)
def test_a_listed_model_has_settings_of_its_name_and_the_first_that_suits_is_the_default(name: str) -> None:
    model = find_model(name)
    assert model.settings().name == name  # type: ignore[call-arg]
    assert model.kinds is not None
    for kind in model.kinds:
        for head in model.heads:
            assert model.suits(kind, head)
            wanted = default_model(kind, head)
            assert wanted is not None
            assert list(MODELS).index(wanted) <= list(MODELS).index(name)


@pytest.mark.parametrize(
    ("kind", "head", "wanted"),
    [
        ("image", "classes", "resnet"),
        ("text", "classes", "encoder"),
        ("audio", "classes", "sound"),
        ("text", "tokens", "gpt"),
        ("image", "tokens", None),
        ("smell", "classes", None),
        (None, "classes", "resnet"),
        (None, "tokens", "gpt"),
        (None, "numbers", "resnet"),
        ("text", "numbers", "encoder"),
        (None, "smells", None),
    ],
)
def test_the_default_goes_by_kind_and_head(kind: str | None, head: str, wanted: str | None) -> None:
    assert default_model(kind, head) == wanted


def test_saying_what_every_model_is_loads_no_torch() -> None:
    code = (
        "import sys\nfrom bessemer.model.models import MODELS, find_model\nfor name in MODELS: find_model(name)\n"
    )
    code += "from bessemer.recipe import Recipe\nRecipe.model_json_schema()\nassert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("model", "problem"),
    [
        ("{name: encoder}", "model.name encoder does not take image data; set model.name to resnet"),
        ("{name: gpt}", "model.name gpt does not take the task classify; set model.name to resnet"),
    ],
)
def test_a_model_that_does_not_suit_is_refused_by_what_it_says_itself(model: str, problem: str) -> None:
    with pytest.raises(RecipeError, match=problem):
        build(Recipe, parse_yaml(f"name: r\ndata: {{source: digits}}\nmodel: {model}\n", "r.yaml"))


@pytest.mark.parametrize("builder", ["os.system", "subprocess.run", "bessemer.model.resnet.resnet", "json.loads"])
def test_a_file_calls_nothing_but_a_module_or_a_model(builder: str) -> None:
    with pytest.raises(ArtifactError, match="is no model"):
        Architecture(builder, {}).build()
