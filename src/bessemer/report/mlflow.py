"""A run in MLflow: the recipe as parameters, learning curves and results as metrics, words and tables as its note.

MLflow cannot take a metric back, so a step that was logged is not logged again: a resumed run repeats the same
bits anyway. MLflow takes seconds to import, so it is imported when a training really starts.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bessemer.artifact import digest_of, write_atomic
from bessemer.errors import UsageError
from bessemer.report.markdown import told_sections
from bessemer.report.tracking import Tracker, scalars
from bessemer.runtime import Progress

ADDRESS = "MLFLOW_TRACKING_URI"
STORE, STATE = "mlflow.db", "mlflow.json"
LONGEST = 500  # letters of a parameter that every MLflow server takes
NOTE, LONGEST_NOTE = "mlflow.note.content", 5000  # the tag that MLflow shows as a run's description, in Markdown


class MLflow(Tracker):
    """One MLflow run for each recipe that a run folder saw; the same command goes on in the same one.

    The store is a SQLite file in the run folder, or what MLFLOW_TRACKING_URI names. Raises UsageError where MLflow
    is not installed, or its store cannot be reached when training starts. A store that fails later is left alone.
    """

    def __init__(self, recipe: Mapping[str, Any], folder: Path, progress: Progress) -> None:
        if "mlflow" not in sys.modules and importlib.util.find_spec("mlflow") is None:
            raise UsageError(
                "track: mlflow asks for MLflow, which is not installed",
                "install it with `pip install bessemer[mlflow]`, or set track to null",
            )
        self.recipe, self.folder, self.progress = recipe, folder, progress
        self._client: Any = None
        self._run = ""
        self._last: dict[str, int] = {}  # the last step that was logged, by curve

    def begin(self, name: str, step: int) -> None:
        if not self._run:
            self._open()
        self._last.setdefault(name, self._last_step(f"{name}/learning_rate"))

    def point(self, name: str, step: int, values: Mapping[str, float | None]) -> None:
        if step > self._last.get(name, -1):
            self._last[name] = step
            shown = scalars(values)
            self._log({f"{name}/{key}": value for key, value in shown.items()}, step)

    def finish(self, report: Mapping[str, Any]) -> None:
        """Log what came out, where something was trained, now or in a call that was stopped before the end."""
        before = self._state()
        if not self._run and before.get("unfinished") and before.items() >= self._mine().items():
            self._open()
        if self._run:
            self._log(results(report), 0)
            if words := note(report):
                self._try(lambda: self._client.set_tag(self._run, NOTE, words))
            self._try(lambda: self._client.set_terminated(self._run, "FINISHED"))
            self._keep(unfinished=False)
            self._run = ""

    def close(self) -> None:
        if self._run:
            self._try(lambda: self._client.set_terminated(self._run, "KILLED"))
            self._run = ""

    def _open(self) -> None:
        """Go on in the MLflow run of this recipe, or begin one."""
        import mlflow
        from mlflow.entities import Param

        mine, before = self._mine(), self._state()
        address = mine["address"]
        try:
            self._client = mlflow.MlflowClient(tracking_uri=address)
            if before.items() >= mine.items():
                self._client.update_run(before["run"], status="RUNNING")
                self._run = before["run"]
            else:
                run = self._client.create_run(self._experiment(), run_name=self.folder.resolve().name)
                parameters = [Param(key, value) for key, value in flat(self.recipe).items()]
                self._client.log_batch(run.info.run_id, params=parameters)
                self._run = run.info.run_id
        except Exception as error:
            remedy = f"start the store, correct {ADDRESS}, or set track to null"
            raise UsageError(f"MLflow at {address} cannot be used: {error}", remedy) from error
        self._keep(unfinished=True)

    def _mine(self) -> dict[str, str]:
        """What must be the same to go on in an MLflow run."""
        address = os.environ.get(ADDRESS) or f"sqlite:///{(self.folder / STORE).resolve()}"
        return {"address": address, "recipe": digest_of(self.recipe)}

    def _state(self) -> dict[str, Any]:
        """What the latest call with MLflow left; empty where there was none."""
        try:
            found: dict[str, Any] = json.loads((self.folder / STATE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found

    def _keep(self, unfinished: bool) -> None:
        told = {**self._mine(), "run": self._run, "unfinished": unfinished}
        write_atomic(self.folder / STATE, json.dumps(told))

    def _experiment(self) -> str:
        name = str(self.recipe["name"])
        found = self._client.get_experiment_by_name(name)
        return str(found.experiment_id if found else self._client.create_experiment(name))

    def _last_step(self, key: str) -> int:
        steps: list[int] = []
        self._try(lambda: steps.extend(one.step for one in self._client.get_metric_history(self._run, key)))
        return max(steps, default=-1)

    def _log(self, values: Mapping[str, float], step: int) -> None:
        from mlflow.entities import Metric

        now = round(1000 * time.time())
        metrics = [Metric(key, value, now, step) for key, value in values.items()]
        self._try(lambda: self._client.log_batch(self._run, metrics=metrics))

    def _try(self, call: Callable[[], object]) -> None:
        """A store that fails must not end a training that goes well: it is said once, and tracking ends."""
        if self._client is None:
            return
        try:
            call()
        except Exception as error:  # noqa: BLE001 (whatever a store and its network raise)
            self._client = None
            self.progress.note(f"trouble with MLflow: {error}; this run is not tracked any further")


def flat(values: Mapping[str, Any], above: str = "") -> dict[str, str]:
    """Nested values as `train.optimizer.name: sgd`; lists as JSON, what is longer than MLflow takes cut."""
    found: dict[str, str] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{above}{key}.")
        else:
            found[f"{above}{key}"] = (value if isinstance(value, str) else json.dumps(value))[:LONGEST]
    return found


def results(report: Mapping[str, Any]) -> dict[str, float]:
    """The figures of a report: quality and size of each model, and what its training took."""
    found: dict[str, float] = {}
    for role, metrics in (report.get("metrics") or {}).items():
        found |= {f"{role}/{name}": one["value"] for name, one in metrics.items() if one.get("value") is not None}
    for role, sizes in (report.get("sizes") or {}).items():
        found |= {f"{role}/{name}": value for name, value in sizes.items() if value is not None}
    for name, told in (report.get("training") or {}).items():
        found |= {f"{name}/{key}": told[key] for key in ("seconds", "stall", "memory") if key in told}
    return found


def note(report: Mapping[str, Any], longest: int = LONGEST_NOTE) -> str:
    """Words and tables of the report's sections as Markdown; a section for which there is no room is left out."""
    told = ""
    for title, body in told_sections(report):
        longer = "\n\n".join(filter(None, [told, f"## {title}", *body]))
        told = longer if len(longer) <= longest else told
    return told
