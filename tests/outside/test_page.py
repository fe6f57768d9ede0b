"""What docs/extend.md shows stands in these files, word for word; test_outside.py and test_rows.py run them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

HERE = Path(__file__).parent
PAGE = (HERE.parents[1] / "docs" / "extend.md").read_text(encoding="utf-8")
CODE = re.findall(r"```python\n# (\S+)\n(.*?)```", PAGE, re.DOTALL)
SETTINGS = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
DOORS = ("task", "network", "kind of data", "training method", "step of compression")


def parts(code: str) -> list[str]:
    """What stands between the dots."""
    return [part.strip("\n") for part in re.split(r"(?m)^ *\.\.\.$", code)]


def read(text: str) -> Any:
    return YAML(typ="safe").load(text)


def holds(whole: Any, part: Any) -> bool:
    """Whether all of a part of a recipe stands in it."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(holds(whole.get(name), value) for name, value in part.items())
    return bool(whole == part)


def test_the_page_shows_each_door() -> None:
    assert len(CODE) == len(SETTINGS) == PAGE.count("```python") == len(DOORS)
    for door in DOORS:
        assert f"\n## A {door}\n" in PAGE


@pytest.mark.parametrize(("name", "code"), CODE, ids=[name for name, _ in CODE])
def test_its_code_is_that_of_the_files_that_run(name: str, code: str) -> None:
    source = (HERE / name).read_text(encoding="utf-8")
    for part in parts(code):
        assert part in source, part
    assert sum(len(part.splitlines()) for part in parts(code)) <= 36


@pytest.mark.parametrize("settings", SETTINGS)
def test_its_settings_are_those_of_the_recipes_that_run(settings: str) -> None:
    recipes = [read((HERE / name).read_text(encoding="utf-8")) for name in ("recipe.yaml", "rows.yaml")]
    assert any(holds(recipe, read(settings)) for recipe in recipes), settings
