"""What strangers wrote, named by dotted path: check, run, report and predict like our own."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.outside.grades import Ordinal
from typer.testing import CliRunner

import bessemer as bs
from bessemer.cli import app
from bessemer.data.dataset import Batch, Dataset
from bessemer.dotted import modules_beside
from bessemer.errors import RecipeError
from bessemer.pipeline import Run, status
from bessemer.recipe import load_recipe
from bessemer.task import TASKS
from bessemer.task.task import Task, incomplete

HERE = Path(__file__).parent
RECIPE = HERE / "recipe.yaml"


@pytest.fixture(scope="module")
def noisy_steps() -> list[int]:
    """Steps at which the hook of the stranger's method was called."""
    return []


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, noisy_steps: list[int]) -> Run:
    with modules_beside(HERE), pytest.MonkeyPatch.context() as patch:
        noise = import_module("noise")
        hook = noise.Noise.batch

        def watched(self: Any, batch: Batch) -> Batch:
            noisy_steps.append(batch.step)
            return hook(self, batch)

        patch.setattr(noise.Noise, "batch", watched)
        return bs.run(RECIPE, tmp_path_factory.mktemp("outside") / "run")


def test_a_recipe_may_name_what_is_its_own() -> None:
    done = CliRunner().invoke(app, ["check", str(RECIPE)])
    assert done.exit_code == 0, done.output
    assert "grades.Ordinal" in done.output
    assert "nets.Small" in done.output
    assert "steps.Coarse" in done.output
    assert "noise.NOISE" in done.output


def test_the_contract_speaks_of_the_strangers_measure(finished: Run) -> None:
    report = finished.report
    assert report["metrics"]["shipped"].keys() == {"distance"}
    assert report["metrics"]["shipped"]["distance"]["value"] < report["baseline"]["metrics"]["distance"]["value"]
    names = [one["name"] for one in report["contract"]["candidates"]]
    assert names == ["7 levels fp32", "7 levels int8"]
    before, after = (report["metrics"][role]["distance"]["value"] for role in ("parent", "shipped"))
    assert report["contract"]["verdict"][0]["value"] == pytest.approx(after - before)
    assert report["ledger"][0]["technique"] == "coarse weights"


def test_the_hooks_of_the_strangers_method_ran_at_every_step(finished: Run, noisy_steps: list[int]) -> None:
    last = finished.report["curves"]["parent"][-1]["step"]
    assert set(noisy_steps) == set(range(last))  # and not when candidates were trained


def test_page_and_card_tell_it_in_its_words(finished: Run) -> None:
    page, card = ((finished.path / name).read_text() for name in ("report.html", "model/card.md"))
    for text in (page, card):
        assert "mean distance" in text
        assert "always the middle grade" in text
        assert "How far the shipped model is off, by the true grade." in text
        assert "Samples of each class" not in card
        assert "accuracy" not in text
    curve = finished.report["curves"]["parent"]
    validated = [point["validation"] for point in curve if point["validation"] is not None]
    assert validated[-1] < validated[0]


def test_a_second_run_does_nothing(finished: Run) -> None:
    assert bs.run(RECIPE, finished.path).did_nothing


def test_the_shipped_network_is_loaded_for_torch(finished: Run) -> None:
    with modules_beside(HERE):
        network = bs.load(finished.path)
    assert sum(buffer.numel() for buffer in network.state_dict().values()) > 0
    assert finished.report["sizes"]["parent"]["parameters"] > 5000


def test_predict_says_what_the_task_says(finished: Run, tmp_path: Path) -> None:
    (folder,) = (finished.path / "stages").glob("prepare-*")
    test = Dataset(folder).split("test")
    for number in range(4):
        Image.fromarray(test.inputs[number][..., 0]).save(tmp_path / f"{number}.png")
    command = ["predict", str(finished.path), str(tmp_path), "--modules", str(HERE), "--json"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    grades = [int(one["grade"]) for one in json.loads(done.stdout)]
    assert np.abs(np.array(grades) - test.labels[:4]).mean() < 3


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("task", "grades.Nothing", "grades has no 'Nothing'"),
        ("task", "nowhere.Ordinal", "there is no module 'nowhere'"),
        ("task", "grades.STEPS", "is no task"),
        ("task", "clasify", "no task 'clasify'"),
        ("model.name", "nets.Large", "nets has no 'Large'"),
        ("model.depth", 3, "depth: unknown key"),
        ("train.mixup", 0.2, "train.mixup changes labels of classes"),
        ("train.methods", [{"name": "noise.NOISES"}], "noise has no 'NOISES'"),
        ("train.methods", [{"name": "noise.NOISE", "deviatoin": 3.0}], r"methods\.0\.deviatoin: unknown key"),
        ("compress.candidates", [[{"step": "steps.Made"}]], "is no step of compression"),
        ("compress.candidates", [[{"step": "steps.Coarse", "level": 3}]], "level"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_key(key: str, value: object, problem: str) -> None:
    with modules_beside(HERE), pytest.raises(RecipeError, match=problem) as error:
        load_recipe(RECIPE, {key: value})
    assert key.split(".")[0] in str(error.value)


@pytest.mark.parametrize(
    ("file", "first"),
    [
        (None, None),
        ("steps.py", "compress"),
        ("noise.py", "train"),
        ("nets.py", "train"),
        ("grades.py", "prepare"),
    ],
)
def test_a_change_of_the_source_runs_again_what_it_is_part_of(
    finished: Run, tmp_path: Path, file: str | None, first: str | None
) -> None:
    for source in (*HERE.glob("*.py"), RECIPE):
        if not source.name.startswith("test_"):
            (tmp_path / source.name).write_bytes(source.read_bytes())
    if file is not None:
        (tmp_path / file).write_text((tmp_path / file).read_text() + "\n# another thought\n")
    states = dict(status(load_recipe(tmp_path / RECIPE.name), finished.path))
    stages = list(states)
    again = stages[stages.index(first) :] if first else []
    assert states == {name: "would run" if name in again else "done before" for name in stages}


class Unfinished(Ordinal):
    """A task that has been told little."""

    baseline = Task.baseline
    predictor = Task.predictor


class Renamed(Ordinal):
    def metrics(self, records: dict[str, Any], seed: int) -> dict[str, dict[str, float]]:
        return {"off": {"value": 1.0}}


class Grabbing(Ordinal):
    def facts(self, shown: Any) -> dict[str, Any]:
        return {"data": 3}


class Talking(Ordinal):
    def facts(self, shown: Any) -> dict[str, Any]:
        return {"card": "It grades."}


class Halved(Ordinal):
    def head_arguments(self, about: Any) -> dict[str, Any]:
        return {"classes": 2}


def test_what_a_task_must_say_and_does_not_is_named_by_check(tmp_path: Path) -> None:
    assert incomplete(Unfinished()) == ["baseline", "predictor"]
    assert incomplete(Ordinal()) == []
    assert [incomplete(task) for task in TASKS.values()] == [[], [], []]
    (tmp_path / "early.py").write_text(
        "from bessemer.task.task import Task\n\n\nclass Early(Task):\n    name = 'early'\n"
    )
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("name: early\ntask: early.Early\ndata: {source: digits}\n")
    with pytest.raises(RecipeError, match="does not say its measures, lesson, records, value"):
        load_recipe(recipe)


def test_what_a_task_hands_over_must_fit_the_report() -> None:
    with pytest.raises(ValueError, match="metrics gives off, and measures are distance"):
        Renamed().measured({"off": np.ones(3)}, 0)
    assert Ordinal().measured({"off": np.ones(3)}, 0) == {"distance": {"value": 1.0}}
    for task, problem in ((Grabbing(), "may not be called data"), (Talking(), "is a mapping")):
        with pytest.raises(ValueError, match=problem):
            task.told(None)  # type: ignore[arg-type]


def test_outputs_follow_the_head() -> None:
    dataset = SimpleNamespace(about={"classes": list("abcdefghij")})
    assert Halved().outputs(dataset) == ["batch", 2]  # type: ignore[arg-type]
    assert Ordinal().outputs(dataset) == ["batch", 10]  # type: ignore[arg-type]
