"""Learning curves outside the report: TensorBoard events and MLflow, while they come and after a resume."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bessemer.errors import UsageError
from bessemer.report.events import TOLD, Events, read_events, read_texts
from bessemer.report.mlflow import NOTE, MLflow, flat, note, results
from bessemer.report.tracking import scalars
from bessemer.runtime import SILENT

RECIPE = {"name": "tiny", "task": "classify", "train": {"epochs": 2.0, "sizes": [8, 16], "ema": None}}


def at(step: int, loss: float | None = 0.5) -> dict[str, Any]:
    """A point of a learning curve."""
    return {"step": step, "loss": loss, "rate": 0.1 / step, "validation": 0.75 if step % 2 == 0 else None}


def send(tracker: Any, steps: range, name: str = "parent") -> None:
    tracker.begin(name, steps.start - 1)
    for step in steps:
        point = at(step)
        tracker.point(name, point.pop("step"), point)


def test_what_is_not_known_of_a_point_is_left_out() -> None:
    point = {"step": 2, "loss": None, "rate": 0.1, "validation": 2.5}
    assert scalars(point) == {"learning_rate": 0.1, "validation": 2.5}


def test_events_are_there_while_training_goes_on_and_resume_without_doubles(tmp_path: Path) -> None:
    first = Events(tmp_path)
    send(first, range(1, 6))
    assert [step for step, _ in read_events(tmp_path / "parent")["loss"]] == [1, 2, 3, 4, 5]
    first.close()
    second = Events(tmp_path)
    send(second, range(4, 9))
    assert [step for step, _ in read_events(tmp_path / "parent")["loss"]] == list(range(1, 9))
    assert [step for step, _ in read_events(tmp_path / "parent")["validation"]] == [2, 4, 6, 8]
    second.begin("parent", 6)  # weights went back
    second.point("parent", 7, {"loss": None, "rate": 0.1, "validation": None})
    assert [step for step, _ in read_events(tmp_path / "parent")["loss"]] == list(range(1, 7))
    second.close()


def test_events_end_as_the_curves_of_the_report(tmp_path: Path) -> None:
    (tmp_path / "keep 0.9").mkdir()
    events = Events(tmp_path)
    send(events, range(1, 5))
    live = set((tmp_path / "parent").iterdir())
    curves = {"parent": [at(step) for step in range(1, 5)], "candidates": {"keep 0.5": [at(1), at(2, None)]}}
    events.finish({"curves": curves})
    assert set((tmp_path / "parent").iterdir()) == live  # with the times at which points came
    assert {folder.name for folder in tmp_path.iterdir()} == {"parent", "keep 0.5"}
    assert [step for step, _ in read_events(tmp_path / "keep 0.5")["loss"]] == [1]
    curves["parent"][-1]["loss"] = 0.25  # not what was told
    events.finish({"curves": curves})
    assert read_events(tmp_path / "parent")["loss"][-1] == (4, 0.25)


class Store:
    """What a tracking server would hold, behind the few calls of MLflow that are used."""

    def __init__(self) -> None:
        self.experiments: dict[str, str] = {}
        self.params: dict[str, dict[str, str]] = {}
        self.metrics: dict[tuple[str, str], list[tuple[int, float]]] = {}
        self.status: dict[str, str] = {}
        self.tags: dict[tuple[str, str], str] = {}
        self.address = ""
        self.is_down = False

    def client(self, tracking_uri: str) -> Store:
        self.address = tracking_uri
        return self

    def get_experiment_by_name(self, name: str) -> Any:
        found = self.experiments.get(name)
        return SimpleNamespace(experiment_id=found) if found else None

    def create_experiment(self, name: str) -> str:
        self.experiments[name] = "1"
        return "1"

    def create_run(self, experiment_id: str, run_name: str) -> Any:
        run = f"run-{len(self.params)}"
        self.params[run], self.status[run] = {}, "RUNNING"
        return SimpleNamespace(info=SimpleNamespace(run_id=run))

    def update_run(self, run: str, status: str) -> None:
        self.status[run] = status

    set_terminated = update_run

    def set_tag(self, run: str, key: str, value: str) -> None:
        self.tags[run, key] = value

    def log_batch(self, run: str, metrics: Sequence[Any] = (), params: Sequence[Any] = ()) -> None:
        if self.is_down:
            raise ConnectionError("nobody answers")
        assert not self.params[run].keys() & dict(params).keys()
        self.params[run] |= dict(params)
        for key, value, _, step in metrics:
            self.metrics.setdefault((run, key), []).append((step, value))

    def get_metric_history(self, run: str, key: str) -> list[Any]:
        return [SimpleNamespace(step=step) for step, _ in self.metrics.get((run, key), [])]


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    """A made-up MLflow that keeps what it is told."""
    store = Store()
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setitem(sys.modules, "mlflow", SimpleNamespace(MlflowClient=store.client))
    entities = SimpleNamespace(Metric=lambda *values: values, Param=lambda *values: values)
    monkeypatch.setitem(sys.modules, "mlflow.entities", entities)
    return store


def test_tensorboard_has_the_words_and_tables_of_the_report_once(tmp_path: Path, graded: dict[str, Any]) -> None:
    events = Events(tmp_path)
    events.finish(graded)
    (told,) = read_texts(tmp_path / TOLD).items()
    assert told[0] == "Grades"
    assert "Grades are even." in told[1]
    assert "| grade 1 | 25.00% | +0.050 |" in told[1]
    before = sorted(file.name for file in (tmp_path / TOLD).iterdir())
    events.finish(graded)
    assert sorted(file.name for file in (tmp_path / TOLD).iterdir()) == before  # nothing was written again
    graded["sections"] = {}
    events.finish(graded)
    assert read_texts(tmp_path / TOLD) == {}
    assert read_events(tmp_path / "parent")


def test_mlflow_gets_parameters_points_and_results(store: Store, tmp_path: Path) -> None:
    tracker = MLflow(RECIPE, tmp_path, SILENT)
    assert not store.address  # nothing is opened before training starts
    send(tracker, range(1, 4))
    report = {"metrics": {"parent": {"accuracy": {"value": 0.9}}}, "training": {"parent": {"seconds": 2.0}}}
    tracker.finish(report)
    tracker.close()
    assert store.address == f"sqlite:///{tmp_path / 'mlflow.db'}"
    assert store.params["run-0"] == flat(RECIPE)
    assert flat(RECIPE)["train.sizes"] == "[8, 16]"
    assert store.metrics["run-0", "parent/loss"] == [(1, 0.5), (2, 0.5), (3, 0.5)]
    assert store.metrics["run-0", "parent/validation"] == [(2, 0.75)]
    assert store.metrics["run-0", "parent/accuracy"] == [(0, 0.9)]
    assert store.metrics["run-0", "parent/seconds"] == [(0, 2.0)]
    assert store.status == {"run-0": "FINISHED"}


def test_mlflow_shows_the_words_and_tables_of_the_report(
    store: Store, tmp_path: Path, graded: dict[str, Any]
) -> None:
    tracker = MLflow(RECIPE, tmp_path, SILENT)
    send(tracker, range(1, 3))
    tracker.finish(graded)
    told = store.tags["run-0", NOTE]
    assert told.startswith("## Grades\n\nHow grades are given.")
    assert "| grade 1 | 25.00% | +0.050 |" in told
    graded["sections"]["more"] = {**graded["sections"]["grades"], "title": "More"}
    assert note(graded, longest=2 * len(told) - 1) == told  # whole sections or nothing of them
    assert "## More" in note(graded)


def test_a_resumed_run_goes_on_in_the_same_mlflow_run_without_doubles(store: Store, tmp_path: Path) -> None:
    first = MLflow(RECIPE, tmp_path, SILENT)
    send(first, range(1, 6))
    first.close()
    assert store.status == {"run-0": "KILLED"}
    send(MLflow(RECIPE, tmp_path, SILENT), range(4, 9))
    assert [step for step, _ in store.metrics["run-0", "parent/loss"]] == list(range(1, 9))
    assert store.status == {"run-0": "RUNNING"}
    last = MLflow(RECIPE, tmp_path, SILENT)  # a call that finds all trainings done
    last.finish({"sizes": {"parent": {"bytes": 10}}})
    assert store.metrics["run-0", "parent/bytes"] == [(0, 10)]
    assert store.status == {"run-0": "FINISHED"}
    last.finish({"sizes": {"parent": {"bytes": 10}}})
    assert len(store.metrics["run-0", "parent/bytes"]) == 1
    other = {**RECIPE, "train": {"epochs": 3.0}}
    send(MLflow(other, tmp_path, SILENT), range(1, 3))
    assert store.params["run-1"]["train.epochs"] == "3.0"


def test_a_store_that_fails_later_does_not_end_the_training(store: Store, tmp_path: Path, notes: Any) -> None:
    progress = notes()
    tracker = MLflow(RECIPE, tmp_path, progress)
    send(tracker, range(1, 3))
    store.is_down = True
    send(tracker, range(3, 6))
    tracker.finish({})
    assert len(progress.said) == 1
    assert "nobody answers" in progress.said[0]


def test_a_store_that_cannot_be_opened_is_refused(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://nowhere")
    monkeypatch.delattr(Store, "create_run")
    with pytest.raises(UsageError, match="http://nowhere") as caught:
        MLflow(RECIPE, tmp_path, SILENT).begin("parent", 0)
    assert "MLFLOW_TRACKING_URI" in caught.value.remedy


def test_without_mlflow_the_error_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "mlflow", raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match="not installed") as caught:
        MLflow(RECIPE, tmp_path, SILENT)
    assert "bessemer[mlflow]" in caught.value.remedy


def test_results_leave_out_what_was_not_measured() -> None:
    assert results({"metrics": {"shipped": {"accuracy": {"value": None}}}}) == {}
