"""The tree of errors is as drawn, with its exit codes, and each text holds its remedy."""

from __future__ import annotations

import inspect
import re

import pytest

from bessemer import errors
from bessemer.errors import BessemerError

DRAWN = {
    "BessemerError": ("Exception", 1),
    "UsageError": ("BessemerError", 2),
    "RecipeError": ("UsageError", 2),
    "RunInUseError": ("UsageError", 2),
    "ContractError": ("BessemerError", 3),
    "ParityError": ("BessemerError", 3),
    "DataError": ("BessemerError", 4),
    "ArtifactError": ("BessemerError", 5),
    "TrainingError": ("BessemerError", 1),
    "StorageError": ("BessemerError", 1),
    "StoppedError": ("BessemerError", 130),
}


def defined() -> dict[str, type[BessemerError]]:
    classes = inspect.getmembers(errors, inspect.isclass)
    return {name: kind for name, kind in classes if kind.__module__ == errors.__name__}


@pytest.mark.parametrize("name", DRAWN)
def test_an_error_has_its_parent_and_exit_code(name):
    parent, code = DRAWN[name]
    kind = defined()[name]
    assert kind.__bases__[0].__name__ == parent
    assert kind.exit_code == code


def test_no_error_stands_outside_the_tree():
    assert set(defined()) == set(DRAWN)


def test_the_drawing_shows_every_error_with_its_exit_code():
    drawn = re.findall(r"(?:├──|└──) (\w+) +(\d+) ", errors.__doc__ or "")
    assert {name: int(code) for name, code in drawn} == {
        name: code for name, (parent, code) in DRAWN.items() if parent != "Exception"
    }


@pytest.mark.parametrize("name", DRAWN)
def test_the_text_of_an_error_is_problem_and_remedy(name):
    error = defined()[name]("it broke", "mend it")
    assert str(error) == "it broke\n  → mend it"
    assert (error.problem, error.remedy) == ("it broke", "mend it")


def test_an_error_without_remedy_is_its_problem():
    assert str(BessemerError("it broke")) == "it broke"
