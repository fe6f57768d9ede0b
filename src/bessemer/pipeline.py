"""The story of a run: each stage from its cache or made now, then the report, then the verdict."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bessemer import __version__
from bessemer.artifact import (
    Artifact,
    Cache,
    Decisions,
    commit,
    copy_into,
    lock,
    open_artifact,
    storage_errors,
    write_atomic,
)
from bessemer.compress.contract import LEAD
from bessemer.config import dump_yaml, read_yaml
from bessemer.errors import ArtifactError, ContractError, StoppedError, UsageError
from bessemer.recipe import Recipe, load_recipe
from bessemer.report.build import FORMAT
from bessemer.report.tracking import Tracker
from bessemer.runtime import SILENT, Progress, available_threads, machine, single, use
from bessemer.stages import STAGES, Context, Stage
from bessemer.stages.export import Exported
from bessemer.task import find_task

STAGE_NAMES = tuple(stage.name for stage in STAGES)
PUBLISHED = ("model", "export/onnx")


@dataclass
class Run:
    """A run folder and what came out of it."""

    path: Path
    report: dict[str, Any]
    stages: list[dict[str, Any]] = field(default_factory=list)
    trials: int = 0  # that were made now, for the ledger

    @property
    def did_nothing(self) -> bool:
        """Whether every stage and trial was there already."""
        return all(row["cached"] for row in self.stages) and not self.trials


def run(
    recipe: str | Path | Recipe,
    out: str | Path | None = None,
    *,
    set: Sequence[str] | Mapping[str, Any] = (),  # the name that users type on the command line
    until: str | None = None,
    nproc: int = 1,
    ledger: float | None = None,
    progress: Progress = SILENT,
) -> Run:
    """Run a recipe up to a stage (by default to the end) and write the report.

    `out` is the run folder, by default `runs/NAME`. Stages that are there already are not run again. `ledger` is
    minutes of training in which to find out what each technique of the recipe bought. Raises ContractError where
    nothing meets the contract; the report is written before, and no ledger is taken.
    """
    loaded = recipe if isinstance(recipe, Recipe) else load_recipe(Path(recipe), set)
    check_stage(until)
    folder = Path(out) if out is not None else Path("runs") / loaded.name
    check_processes(loaded, nproc)
    if ledger is not None:
        check_ledger(loaded, ledger, until)
    with loaded.modules(), storage_errors(folder), lock(folder):
        cache = Cache(folder)
        cache.clean()
        refuse_another_recipe(loaded, folder)
        write_atomic(folder / "recipe.yaml", dump_yaml(loaded.model_dump()))
        log = _Log(folder / "log.jsonl", progress, _trackers(loaded, folder, progress))
        decisions = Decisions(folder / "decisions.json")
        result = Run(folder, {})
        try:
            artifacts = _run_stages(loaded, cache, until, nproc, decisions, log, result)
            _finish(loaded, artifacts, result, log)
            if ledger is not None and is_refused(result.report["contract"]):
                log.note("ledger    not taken, since the contract refused")
            elif ledger is not None:
                _take_ledger(loaded, cache, artifacts, nproc, decisions, log, ledger, result)
        except KeyboardInterrupt:
            raise StoppedError("stopped; finished work is kept", "run the same command to go on") from None
        finally:
            for tracker in log.trackers:
                tracker.close()
    _refuse_where_missed(result)
    return result


def preview(recipe: str | Path, out: str | Path | None = None, settings: Sequence[str] = ()) -> Path:
    """Write a sheet of augmented samples of a prepared run, as training will see them; returns its path."""
    from bessemer.data.dataset import Dataset
    from bessemer.stages.preview import write_preview

    loaded = load_recipe(Path(recipe), settings)
    with loaded.modules():
        if not find_task(loaded.task).labelled:
            raise UsageError(
                f"task {loaded.task} takes {loaded.data.modality} as it is, so there is nothing to preview",
                "leave out --preview",
            )
        folder = Path(out) if out is not None else Path("runs") / loaded.name
        prepared = Cache(folder).path(STAGES[0].name, STAGES[0].settings(loaded))
        open_artifact(prepared)
        return write_preview(Dataset(prepared), loaded.augment, loaded.seed, folder)


def check_stage(until: str | None) -> None:
    """Refuse the name of a stage that does not exist."""
    if until is not None and until not in STAGE_NAMES:
        raise UsageError(f"no stage {until!r}", f"stages are {', '.join(STAGE_NAMES)}")


def refuse_another_recipe(recipe: Recipe, folder: Path) -> None:
    """A run folder belongs to one recipe: another would leave its report beside the wrong model."""
    if (folder / "recipe.yaml").exists():
        name = read_yaml(folder / "recipe.yaml").values.get("name")
        if name != recipe.name:
            remedy = f"give another folder with -o, or delete {folder}"
            raise UsageError(f"{folder}: holds a run of the recipe {name!r}, not of {recipe.name!r}", remedy)


def check_processes(recipe: Recipe, processes: int) -> None:
    """Refuse a number of processes that some training of the recipe cannot be spread over, before any work."""
    if processes < 1:
        raise UsageError(f"--nproc {processes}: at least one process is needed", "leave it out for one process")
    configs = {"train": recipe.train, **({"compress.train": recipe.compress.train} if recipe.compress else {})}
    for name, config in configs.items():
        config.check_processes(processes, name)


def check_ledger(recipe: Recipe, minutes: float, until: str | None) -> None:
    """Refuse a ledger that cannot be taken, before any work."""
    from bessemer.ledger.techniques import used

    if minutes <= 0:
        raise UsageError(f"--ledger {minutes:g}: some minutes are needed", "give the minutes it may take, as 30")
    if until == "prepare":
        raise UsageError("--ledger compares trainings, and --until prepare trains nothing", "leave --until out")
    if not used(recipe) and (recipe.compress is None or until in ("train", "evaluate")):
        problem = f"--ledger: the recipe {recipe.name!r} uses no technique that could be switched off"
        raise UsageError(problem, "leave --ledger out, or see docs/techniques.md for techniques to try")


def _run_stages(
    recipe: Recipe,
    cache: Cache,
    until: str | None,
    nproc: int,
    decisions: Decisions,
    log: _Log,
    result: Run,
) -> dict[str, Artifact]:
    artifacts: dict[str, Artifact] = {}
    for stage in planned(recipe, until):
        inputs = stage.inputs(recipe, artifacts)
        if inputs is None or not stage.possible(inputs):
            break

        def make(out: Path, work: Path, stage: Stage = stage, inputs: dict[str, Artifact] = inputs) -> None:
            log.event(stage.name, "start")
            runtime = single(decisions.take("threads", available_threads))
            use(runtime)
            stage.body(Context(recipe, inputs, out, work, cache, runtime, nproc, decisions, log))

        artifact, cached = cache.obtain(stage.name, stage.settings(recipe), make, inputs)
        artifacts[stage.name] = artifact
        seconds = float(artifact.manifest["seconds"])
        row = {"stage": stage.name, "hash": artifact.manifest["key"], "seconds": seconds, "cached": cached}
        result.stages.append(row)
        log.event(stage.name, "cached" if cached else "done", seconds=seconds)
        log.note(f"{stage.name:9} {'kept from before' if cached else f'done in {seconds:.1f} s'}")
    return artifacts


def planned(recipe: Recipe, until: str | None = None) -> list[Stage]:
    """The stages that a run of this recipe goes through."""
    last = STAGE_NAMES.index(until) if until else len(STAGES) - 1
    return [stage for stage in STAGES[: last + 1] if stage.wanted(recipe)]


def status(recipe: Recipe, folder: Path) -> list[tuple[str, str]]:
    """For each stage of a recipe, whether a run would find it in `folder`; nothing is run."""
    cache = Cache(folder)
    artifacts: dict[str, Artifact] = {}
    rows = []
    with recipe.modules():
        for stage in planned(recipe):
            state, inputs = "would run", stage.inputs(recipe, artifacts)
            if inputs is not None:
                path = cache.path(stage.name, stage.settings(recipe), inputs)
                if path.exists():
                    artifacts[stage.name] = open_artifact(path)
                    state = "done before"
            rows.append((stage.name, state))
    return rows


# --- after the stages -----------------------------------------------------------------------------------


def _trackers(recipe: Recipe, folder: Path, progress: Progress) -> list[Tracker]:
    """Who follows the learning curves of a run; none of them has any work to do before training starts."""
    from bessemer.report.events import Events
    from bessemer.report.mlflow import MLflow

    trackers: list[Tracker] = [Events(folder / "events")]
    if recipe.track == "mlflow":
        trackers.append(MLflow(recipe.model_dump(mode="json"), folder, progress))
    return trackers


def _finish(recipe: Recipe, artifacts: dict[str, Artifact], result: Run, log: _Log) -> None:
    """Publish the shipped model and write the report, unless both are there from before."""
    folder = result.path
    digests = {name: artifact.digest for name, artifact in artifacts.items()}
    mark = {"artifacts": digests, "recipe": recipe.model_dump(mode="json"), "version": __version__}
    existing = read_report(folder)
    before = existing.get("made_from", {})
    same = before.get("recipe") == mark["recipe"] and digests.items() <= before.get("artifacts", {}).items()
    ships = "export" in artifacts and not is_refused(existing.get("contract"))
    shown = ["report.html", *(PUBLISHED if ships else ())]
    if same and all((folder / name).exists() for name in shown):
        result.report = existing
        return
    from bessemer.report.build import assemble
    from bessemer.report.card import model_card
    from bessemer.report.html import render

    report = assemble(
        recipe.model_dump(mode="json"), machine(), result.stages, list(artifacts.values()), __version__
    )
    if is_refused(report["contract"]):
        _withdraw(folder)
    elif "export" in artifacts:
        _publish(artifacts, folder, model_card(report))
    write_atomic(folder / "report.html", render(report))
    for tracker in log.trackers:
        tracker.finish(report)
    result.report = {**report, "made_from": mark}
    write_atomic(folder / "report.json", json.dumps(result.report, indent=1))
    log.note(f"report    {folder / 'report.html'}")


def _take_ledger(
    recipe: Recipe,
    cache: Cache,
    artifacts: dict[str, Artifact],
    nproc: int,
    decisions: Decisions,
    log: _Log,
    minutes: float,
    result: Run,
) -> None:
    """Make the trials that fit into the time, and write the report again with what they say."""
    from bessemer.ledger.take import take_ledger
    from bessemer.report.html import render
    from bessemer.report.ledger import with_trials

    runtime = single(decisions.take("threads", available_threads))
    context = Context(recipe, artifacts, cache.work, cache.work, cache, runtime, nproc, decisions, log)
    found = take_ledger(context, minutes)
    log.event("ledger", "done", **found.about)
    result.trials = found.made
    report = with_trials(result.report, found.rows, found.about)
    if report != result.report:
        result.report = report
        write_atomic(result.path / "report.html", render(report))
        write_atomic(result.path / "report.json", json.dumps(report, indent=1))


def read_report(folder: Path) -> dict[str, Any]:
    """What `report.json` of a run folder says; empty where there is none that this version can read."""
    try:
        report: dict[str, Any] = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return report if report.get("format") == FORMAT else {}


def _publish(artifacts: Mapping[str, Artifact], folder: Path, card: str) -> None:
    """Put the shipped model where people look for it: `model/` and `export/onnx/`."""
    exported = Exported(artifacts)

    def write_model(out: Path) -> None:
        copy_into(exported.model, out)
        (out / "card.md").write_text(card, encoding="utf-8")

    commit(folder / "model", write_model, replace=True)
    commit(folder / "export" / "onnx", lambda out: copy_into(exported.onnx, out), replace=True)


def _withdraw(folder: Path) -> None:
    """Take back what an earlier run shipped here: it does not hold the contract that is asked now."""
    for name in ("model", "export"):
        shutil.rmtree(folder / name, ignore_errors=True)


def is_refused(contract: Mapping[str, Any] | None) -> bool:
    """Whether the contract was judged and not met (`met` is None until it is judged)."""
    return contract is not None and contract["met"] is False


def _refuse_where_missed(result: Run) -> None:
    """Raise ContractError where the contract was judged and not met."""
    from bessemer.report.facts import missed
    from bessemer.report.table import pareto_table

    contract = result.report["contract"]
    if not is_refused(contract):
        return
    if contract["chosen"] is None:
        problem = "no candidate meets the contract, so nothing ships"
    else:
        test = missed(result.report)
        problem = f"{contract['chosen']} met the contract on the validation split, but on the test split: {test}"
    beaten = any(line["term"] == LEAD and not line["met"] for line in contract.get("verdict") or [])
    simple = "set compress.simple to true, so that the simple model may ship, add data, "
    ways = "loosen a term of compress.contract, add rungs to compress.ladder, "
    remedy = f"{simple if beaten else ways}or train candidates longer; see {result.path / 'report.html'}"
    raise ContractError(f"{problem}\n\n{pareto_table(result.report)}", remedy)


class _Log(Progress):
    """Progress for people, and `log.jsonl` for programs."""

    def __init__(self, path: Path, progress: Progress, trackers: Sequence[Tracker] = ()) -> None:
        self.path = path
        self.progress = progress
        self.trackers = trackers

    def note(self, text: str) -> None:
        self.event("note", "", text=text)
        self.progress.note(text)

    def step(self, label: str, done: int, total: int, facts: str = "") -> None:
        self.progress.step(label, done, total, facts)

    def begin(self, label: str, step: int) -> None:
        for tracker in self.trackers:
            tracker.begin(label, step)

    def point(self, label: str, step: int, values: Mapping[str, float | None]) -> None:
        for tracker in self.trackers:
            tracker.point(label, step, values)

    def event(self, stage: str, what: str, **facts: Any) -> None:
        """Append one line."""
        line = {"time": time.strftime("%Y-%m-%dT%H:%M:%S"), "stage": stage, "event": what, **facts}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def rebuild_report(folder: Path) -> Path:
    """Write `report.html` again from `report.json`; returns its path."""
    from bessemer.report.html import render

    report = read_report(folder)
    if not report and (folder / "report.json").exists():
        problem = f"{folder / 'report.json'}: damaged, or of another version of bessemer"
        raise ArtifactError(problem, "run the recipe again: `bessemer run` makes what is missing")
    if not report:
        raise ArtifactError(f"{folder}: no report.json in it", "give a run folder: `bessemer run` makes one")
    write_atomic(folder / "report.html", render(report))
    return folder / "report.html"
