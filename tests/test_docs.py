"""What the documents name is there: functions of the cards, files of tests, benches and recipes."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
DOCS = sorted((ROOT / "docs").glob("*.md"))
CARDS = (ROOT / "docs" / "techniques.md").read_text(encoding="utf-8")
FIELDS = re.findall(
    r"\*\*Function\*\*\s+(.*?)(?=\*\*|\n\n|: )", CARDS, re.DOTALL
)  # what follows a colon is a remark


def names(text: str) -> list[str]:
    """The names in a card's field, without their arguments; `bs` is the package."""
    found = re.findall(r"`([A-Za-z_][\w.]*)(?:\([^`]*\))?`", text)
    return [name.removeprefix("bs.") for name in found]


def value(path: str) -> Any:
    """What stands at a dotted path below the package; AttributeError where nothing does."""
    found = import_module("bessemer")
    for part in path.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            try:
                found = import_module(f"{found.__name__}.{part}")
            except ImportError as error:
                raise AttributeError(f"{found.__name__} has no {part}") from error
    return found


def missing(text: str) -> list[str]:
    """The names of a field that lead nowhere; after the first they may go on where the one before stands."""
    wrong, folders = [], [""]
    for name in names(text):
        for folder in folders:
            path = f"{folder}.{name}".lstrip(".")
            try:
                value(path)
            except AttributeError:
                continue
            parts = path.split(".")
            folders = [".".join(parts[:length]) for length in range(len(parts))]
            break
        else:
            wrong.append(name)
    return wrong


def test_the_functions_of_the_cards_are_found() -> None:
    assert len(FIELDS) == CARDS.count("**Function**") > 30
    assert all(names(text) for text in FIELDS)


@pytest.mark.parametrize("text", FIELDS, ids=[names(text)[0] for text in FIELDS])
def test_the_functions_of_a_card_can_be_imported(text: str) -> None:
    assert missing(text) == []


def test_what_is_not_there_is_missed() -> None:
    assert missing("`data.order.Order`, `doubling_phases(n)`, `order.halving_phases`") == ["order.halving_phases"]
    assert missing("`evaluate.language.score`; `bs.quantize(model, x)`") == ["evaluate.language.score"]


@pytest.mark.parametrize("page", DOCS, ids=[page.name for page in DOCS])
def test_the_files_that_a_page_names_are_there(page: Path) -> None:
    named = re.findall(r"\b(?:tests|bench|recipes)/[\w/]+\.(?:py|yaml)\b", page.read_text(encoding="utf-8"))
    assert [name for name in named if not (ROOT / name).exists()] == []
