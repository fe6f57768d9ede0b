"""The simple model as a candidate: first, eligible where the parent is not surely better, and never by default."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bessemer.compress.config import CompressConfig, ContractConfig
from bessemer.compress.propose import proposal
from bessemer.compress.search import PARENT, Candidate, choose, search
from bessemer.compress.simple import Simple
from bessemer.compress.steps import step_from

ONE = Candidate(
    "simple model fp32",
    "simple model",
    "fp32",
    [{"step": "simple"}],
    0.9,
    0.9,
    0.0,
    10,
    9.0,
    5,
    5,
    {"1": 1.0},
    2.0,
    1.9,
    2.1,
)


def rounds(config: CompressConfig, has_simple: bool) -> list[list[str]]:
    return [[plan.name for plan in plans] for plans in proposal(config, has_simple)(config, [])]


def test_it_comes_first_where_it_is_asked_for_and_there_is_one() -> None:
    config = CompressConfig(simple=True, ladder=[0.5])
    ladder = [["keep 0.5 fp32", "keep 0.5 int8"]]
    assert rounds(config, True) == [["simple model fp32"], *ladder]
    assert rounds(config, False) == ladder
    assert rounds(CompressConfig(ladder=[0.5]), True) == ladder


def test_it_is_a_step_that_a_recipe_can_list() -> None:
    assert step_from({"step": "simple"}) == Simple(step="simple")


def test_no_network_is_tried_where_it_meets_the_contract() -> None:
    config = CompressConfig(simple=True, ladder=[0.5])
    found = search(config, proposal(config, True), lambda plans: [replace(ONE, name=plan.name) for plan in plans])
    assert [one.name for one in found] == ["simple model fp32"]
    assert choose(config, found) == found[0]


def test_it_is_passed_over_where_the_parent_is_better_for_sure() -> None:
    config = CompressConfig(simple=True, ladder=[0.5], contract=ContractConfig(max_drop=0.5))
    beaten = replace(ONE, beaten=True)
    assert beaten.missed(config.contract) == [PARENT]
    assert choose(config, [beaten]) is None


@pytest.mark.parametrize("lead", [0.02, -0.01])
def test_a_file_that_a_simple_model_surely_beats_is_refused(lead: float, monkeypatch: pytest.MonkeyPatch) -> None:
    from bessemer.stages import export

    class Stub:
        recipe = type("R", (), {"seed": 0})
        task = type("T", (), {"difference": staticmethod(lambda before, after, seed: (0.03, lead, 0.04))})

    monkeypatch.setattr(export, "Baseline", lambda context: type("B", (), {"records": {"decided": []}}))
    context: Any = Stub()
    (verdict,) = export.lead_of_baseline(context, {})
    assert (verdict.term, verdict.value, verdict.met) == ("beat_baseline", lead, lead <= 0)
    monkeypatch.setattr(export, "Baseline", lambda context: type("B", (), {"records": None}))
    assert export.lead_of_baseline(context, {}) == []


def test_the_shipped_recipes_show_compression(request: pytest.FixtureRequest) -> None:
    for path in (Path(request.config.rootpath) / "recipes").glob("*.yaml"):
        assert "simple: true" not in path.read_text()
