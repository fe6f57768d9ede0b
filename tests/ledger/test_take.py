"""A whole ledger on a tiny recipe: pairs, the report, resuming, more time, and what is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import nn

import bessemer as bs
from bessemer.artifact import Artifact, Cache, Decisions, commit, open_artifact
from bessemer.compress.config import CompressConfig
from bessemer.compress.propose import ladder
from bessemer.errors import StoppedError, UsageError
from bessemer.ledger import order, trials
from bessemer.ledger.take import take_ledger
from bessemer.model.answers import TorchModel
from bessemer.model.state import load_model
from bessemer.pipeline import Run
from bessemer.recipe import load_recipe
from bessemer.report.ledger import ledger_table
from bessemer.runtime import Progress, single
from bessemer.stages.context import Context

TINY = Path(__file__).parents[1] / "recipes" / "tiny.yaml"
QUICK = {  # one technique is left: label smoothing
    "data.label_check": {"folds": 0},
    "augment": {},
    "train.epochs": 2,
    "train.schedule": {"name": "constant", "warmup": 0.0},
    "train.optimizer.weight_decay": 0.0,
    "train.mixup": 0.0,
    "train.ema": 0.0,
    "compress.train.epochs": 1,
}
SHORT = 1e-4  # minutes: one pair of each


def by_torch(context: Context, network: nn.Module, form: str) -> dict[str, Any]:
    """What `trials.measure` says, without the seconds that an export takes."""
    held_out = context.dataset().split("validation")
    right = TorchModel(network).logits(held_out.inputs).argmax(1) == held_out.labels
    return {"quality": float(np.mean(right)), "bytes": {"fp32": 400, "int8": 100}[form]}


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trials, "measure", by_torch)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A trained parent and its ledger, measured on exported files."""
    return bs.run(TINY, tmp_path_factory.mktemp("ledger") / "run", set=QUICK, until="train", ledger=SHORT)


@pytest.fixture
def copy(finished: Run, tmp_path: Path) -> Path:
    """A copy of the run and its ledger that a test may change."""
    return Path(shutil.copytree(finished.path, tmp_path / "run"))


@pytest.fixture
def trained(copy: Path) -> Path:
    """A copy of the run without any trial."""
    for folder in (copy / "stages").glob("trial-*"):
        shutil.rmtree(folder)
    return copy


def again(folder: Path, minutes: float | None = SHORT, progress: Progress | None = None) -> Run:
    return bs.run(TINY, folder, set=QUICK, until="train", ledger=minutes, progress=progress or Progress())


def made(folder: Path) -> dict[str, int]:
    """The trials of a run, and when each was made."""
    return {path.name: path.stat().st_mtime_ns for path in (folder / "stages").glob("trial-*")}


class Teller(Progress):
    """Keeps notes, and is interrupted in the training whose label has a word."""

    def __init__(self, stop_at: str = "no label") -> None:
        self.stop_at, self.said = stop_at, list[str]()

    def note(self, text: str) -> None:
        self.said.append(text)

    def step(self, label: str, done: int, total: int, facts: str = "") -> None:
        if self.stop_at in label:
            raise KeyboardInterrupt


def test_the_report_has_a_row_for_the_one_technique(finished: Run) -> None:
    (row,) = json.loads((finished.path / "report.json").read_text())["ledger"]
    keys = {"technique", "stage", "quality", "seconds", "bytes", "low", "high", "pairs"}
    assert keys <= row.keys()
    assert (row["technique"], row["stage"], row["pairs"]) == ("label smoothing", "train", 1)
    assert (row["low"], row["high"]) == (None, None)
    assert finished.report["trials"]["trials"] == 2
    assert "label smoothing" in ledger_table(finished.report)
    page = (finished.path / "report.html").read_text()
    assert 'aria-label="What each technique gained and took"' in page
    assert "one pair" in page


def test_the_first_base_is_the_parent_itself_measured_on_the_validation_split(finished: Run) -> None:
    stages = finished.path / "stages"
    (parent,) = stages.glob("train-*")
    found = [json.loads((path / trials.RESULT).read_text())["fp32"] for path in stages.glob("trial-*")]
    (row,) = finished.report["ledger"]
    validation = _context(finished.path).dataset().split("validation")
    right = TorchModel(load_model(parent / "model")).logits(validation.inputs).argmax(1) == validation.labels
    qualities = [one["quality"] for one in found]
    assert float(np.mean(right)) in qualities
    assert row["quality"] in (qualities[0] - qualities[1], qualities[1] - qualities[0])


def test_a_second_call_makes_nothing_and_a_run_without_a_ledger_keeps_it(finished: Run) -> None:
    before = made(finished.path)
    assert again(finished.path).did_nothing
    assert made(finished.path) == before
    assert again(finished.path, None).report["ledger"] == finished.report["ledger"]


def test_more_time_adds_seeds_to_those_that_are_there(
    copy: Path, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order, "MOST_ROUNDS", 3)
    before = made(copy)
    more = again(copy, 60.0)
    (row,) = more.report["ledger"]
    assert row["pairs"] == 3
    assert row["low"] <= row["quality"] <= row["high"]
    assert more.trials == 4
    assert before.items() <= made(copy).items()
    assert len(made(copy)) == 6
    assert not any((copy / "work").iterdir())


def test_a_ledger_that_was_stopped_goes_on_with_the_trial_it_was_at(trained: Path, quick: None) -> None:
    with pytest.raises(StoppedError):
        again(trained, progress=Teller("without label smoothing"))
    first = made(trained)
    assert len(first) == 1
    told = Teller()
    assert again(trained, progress=told).trials == 1
    assert first.items() <= made(trained).items()
    assert len(made(trained)) == 2
    assert any("train as it is, seed 1" in text and "kept from before" in text for text in told.said)


def test_a_time_that_is_too_short_is_said(trained: Path, quick: None) -> None:
    told = Teller()
    again(trained, progress=told)
    assert any("one pair of each is made all the same" in text for text in told.said)


@pytest.mark.parametrize(
    ("settings", "options", "problem"),
    [
        ({"train.label_smoothing": 0.0}, {"until": "train"}, "uses no technique that could be switched off"),
        ({"train.label_smoothing": 0.0, "compress": None}, {}, "uses no technique that could be switched off"),
        ({}, {"ledger": 0.0}, "some minutes are needed"),
        ({}, {"until": "prepare"}, "trains nothing"),
    ],
)
def test_a_ledger_of_nothing_is_refused_before_any_work(
    settings: dict[str, Any], options: dict[str, Any], problem: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=problem):
        bs.run(
            TINY, tmp_path / "run", set={**QUICK, "train.compile": False, **settings}, **{"ledger": 1.0, **options}
        )
    assert not (tmp_path / "run").exists()


# --- compression -----------------------------------------------------------------------------------------


def _context(folder: Path) -> Context:
    """What a ledger is given: the trained run, and a choice of compression made up here."""
    cache, stages = Cache(folder), folder / "stages"
    (prepared,), (parent,) = stages.glob("prepare-*"), stages.glob("train-*")
    inputs = {"prepare": open_artifact(prepared), "train": open_artifact(parent)}
    recipe, decisions = load_recipe(TINY, QUICK), Decisions(folder / "decisions.json")
    return Context(recipe, inputs, folder, folder, cache, single(1), 1, decisions, Progress())


def _made_up(folder: Path, name: str, text: str) -> Artifact:
    return commit(folder, lambda out: (out / name).write_text(text, encoding="utf-8") and None)


FIGURES: dict[str, Any] = {
    **dict.fromkeys(("quality", "parent_quality", "drop", "shrink"), 1.0),
    **dict.fromkeys(("speedup", "speedup_low", "speedup_high"), 1.0),
    **dict.fromkeys(("bytes", "parameters", "flops"), 1),
    "latency_ms": {"1": 1.0},
}


@pytest.fixture
def compressed(trained: Path, tmp_path: Path) -> Callable[[str, float], Context]:
    """The context after a compression that chose a format and a share of the channels."""

    def make(form: str, keep: float) -> Context:
        (plans,) = ladder(CompressConfig(ladder=[keep]), [])
        plan = next(plan for plan in plans if plan.form == form)
        chosen = {**FIGURES, "name": plan.name, "curve": plan.curve, "format": form, "steps": plan.settings()}
        chain = [{"folder": "0", "techniques": plan.techniques, "seconds": 1.0}]
        choice = json.dumps({"chosen": chosen, "chain": chain})
        inputs = {
            "evaluate": _made_up(tmp_path / "evaluate", "model.onnx", "a file"),
            "compress": _made_up(tmp_path / "compress", "choice.json", choice),
        }
        context = _context(trained)
        return replace(context, inputs={**context.inputs, **inputs})

    return make


def test_pruning_distillation_and_quantization_around_the_chosen_candidate(
    compressed: Callable[[str, float], Context], quick: None
) -> None:
    found = take_ledger(compressed("int8", 0.25), SHORT)
    rows = {row["technique"]: row for row in found.rows}
    assert list(rows) == ["label smoothing", "int8 quantization", "channel pruning", "distillation"]
    assert rows["int8 quantization"]["bytes"] == -300
    assert rows["int8 quantization"]["seconds"] > 0
    assert rows["channel pruning"]["seconds"] != 0
    assert [row["stage"] for row in found.rows] == ["train", "compress", "compress", "compress"]
    assert found.made == 5


def test_a_candidate_that_is_the_parent_in_integers_has_only_its_rounding(
    compressed: Callable[[str, float], Context], quick: None
) -> None:
    found = take_ledger(compressed("int8", 1.0), SHORT)
    assert [row["technique"] for row in found.rows] == ["label smoothing", "int8 quantization"]


def test_a_candidate_in_fp32_has_no_rounding(compressed: Callable[[str, float], Context], quick: None) -> None:
    found = take_ledger(compressed("fp32", 0.25), SHORT)
    assert [row["technique"] for row in found.rows] == ["label smoothing", "channel pruning", "distillation"]
