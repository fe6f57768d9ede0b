"""Steps as values: their names, what they depend on, and what is left when one is switched off."""

from __future__ import annotations

import pytest

from bessemer.compress.config import CompressConfig
from bessemer.compress.distill import Distill
from bessemer.compress.propose import ladder, listed, proposal
from bessemer.compress.prune import Prune
from bessemer.compress.quantize import Quantize
from bessemer.compress.steps import Plan, step_from, techniques, without
from bessemer.errors import UsageError

STEPS = (Prune(keep=0.5), Distill(), Quantize())
LISTED = [[{"step": "prune", "keep": 0.5}], [{"step": "prune", "keep": 0.5}, {"step": "quantize"}]]


def test_a_rung_of_the_ladder_is_two_plans_one_beginning_with_the_other() -> None:
    (first, *_) = ladder(CompressConfig(ladder=[0.5]), [])
    floats, integers = first
    assert (floats.name, integers.name) == ("keep 0.5 fp32", "keep 0.5 int8")
    assert integers.base is floats
    assert [step.step for step in integers.every] == ["prune", "distill", "quantize"]
    assert (floats.techniques, integers.techniques) == ("channel pruning + distillation", "int8 quantization")


def test_steps_stand_in_the_settings_with_their_defaults() -> None:
    """So that another default is another key, and recipe.yaml says what ran."""
    config = CompressConfig(candidates=[[{"step": "quantize"}]])
    assert config.candidates == [[step_from({"step": "quantize"}).model_dump(mode="json")]]
    assert "calibration" in config.candidates[0][0]
    assert CompressConfig(**config.model_dump(mode="json")) == config


def test_formats_that_are_not_asked_for_are_no_candidates() -> None:
    ((only,),) = ladder(CompressConfig(ladder=[0.5], formats=["int8"]), [])
    assert only.form == "int8"
    assert only.base is not None
    assert not only.base.asked


def test_all_channels_kept_is_the_parent_itself() -> None:
    ((floats, integers),) = ladder(CompressConfig(ladder=[1.0]), [])
    assert [step.step for step in integers.every] == ["prune", "quantize"]
    assert floats.techniques == ""


def test_a_listed_candidate_shares_the_beginning_of_another() -> None:
    config = CompressConfig(candidates=LISTED)
    assert proposal(config) is listed
    (first,), (second,) = listed(config, [])
    assert second.base is first
    assert [step.step for step in second.steps] == ["quantize"]
    assert second.name == "keep 0.5 int8"


def test_what_does_not_change_a_result_is_no_part_of_what_a_plan_depends_on() -> None:
    slow = Distill(train=Distill().train.model_copy(update={"checkpoint_seconds": 99.0}))
    assert Plan((slow,)).settings() == Plan((Distill(),)).settings()
    assert Plan((Distill(weight=0.1),)).settings() != Plan((Distill(),)).settings()


def test_what_mends_a_step_goes_with_it() -> None:
    assert techniques(STEPS) == ["channel pruning", "distillation", "int8 quantization"]
    assert [step.step for step in without(STEPS, "channel pruning")] == ["quantize"]
    assert [step.step for step in without(STEPS, "int8 quantization")] == ["prune", "distill"]


def test_without_distillation_a_candidate_is_trained_on_its_targets_alone() -> None:
    prune, plain, quantize = without(STEPS, "distillation")
    assert (prune, quantize) == (STEPS[0], STEPS[2])
    assert isinstance(plain, Distill)
    assert not plain.taught
    assert plain.train == Distill().train


@pytest.mark.parametrize("step", [*STEPS, Prune(keep=0.25, round_to=4), Distill(weight=0.2)])
def test_a_step_is_its_settings(step: Prune | Distill | Quantize) -> None:
    assert step_from(step.model_dump()) == step


@pytest.mark.parametrize("name", ["shrink", "bessemer.compress.prune.plan", "nowhere.Step", ""])
def test_what_is_no_step_is_refused(name: str) -> None:
    with pytest.raises(UsageError):
        step_from({"step": name})
