"""The recipe: one file that says all a run depends on. It composes the settings of each stage."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, PrivateAttr, field_validator, model_validator

from bessemer.compress.config import CompressConfig
from bessemer.config import Config, build, override, read_yaml, refused_as_value
from bessemer.data.augment.presets import resolve
from bessemer.data.config import AugmentConfig, DataConfig, modality_of
from bessemer.data.kinds import find_kind
from bessemer.dotted import modules_beside
from bessemer.errors import UsageError
from bessemer.export.config import ExportConfig
from bessemer.model.models import MODELS, AnyModel, default_model, find_model
from bessemer.task import find_task
from bessemer.train.config import TrainConfig


class Recipe(Config):
    """From raw data to a shipped model."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="names the run folder")
    seed: int = Field(0, ge=0, lt=2**32)
    task: str = Field(
        "classify",
        description="classify tells classes apart; regress says numbers; language says the next token of a text; "
        "or the dotted path of a task of your own",
    )
    data: DataConfig
    augment: AugmentConfig = AugmentConfig()
    model: AnyModel
    train: TrainConfig = TrainConfig()
    compress: CompressConfig | None = Field(CompressConfig(), description="null ships the parent as it is")
    export: ExportConfig = ExportConfig()
    track: Literal["mlflow"] | None = Field(
        None, description="also logs the run to MLflow: to MLFLOW_TRACKING_URI, or to mlflow.db in the run folder"
    )

    _folder: Path | None = PrivateAttr(None)

    def names(self) -> dict[str, str]:
        """The task, the kind of data and the network: all stages work by them, so their sources key all."""
        return {"task": self.task, "kind": self.data.modality, "model": self.model.name}

    @property
    def most_minutes(self) -> float | None:
        """What all trainings take at most, where each of them says so."""
        limits, compress = [self.train.minutes], self.compress
        if compress is not None:
            limits += [compress.train.minutes] * len(compress.candidates or compress.ladder)
        known = [limit for limit in limits if limit is not None]
        return sum(known) if len(known) == len(limits) else None

    def modules(self) -> AbstractContextManager[None]:
        """While the recipe is at work: the modules beside its file, which it may name, are found."""
        return modules_beside(self._folder) if self._folder is not None else nullcontext()

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_the_kind(cls, values: Any) -> Any:
        """The network and optimizer that suit the kind of data, where the recipe names none."""
        modality = modality_of(values.get("data")) if isinstance(values, dict) else None
        if modality is None:
            return values
        try:
            task = find_task(str(values.get("task", "classify")))
            find_kind(modality)
        except UsageError:  # the field itself is refused, with its place; nothing is said of what hangs on it
            return {"model": {"name": next(iter(MODELS))}, **values}
        return with_defaults(task.fill(values), modality, task.head)

    @field_validator("task")
    @classmethod
    def _task_is_known(cls, name: str) -> str:
        with refused_as_value():
            find_task(name)
        return name

    @model_validator(mode="after")
    def _parts_fit(self) -> Recipe:
        check_task(self)
        task, modality = find_task(self.task), self.data.modality
        for group, train in (("train", self.train), ("compress.train", self.compress and self.compress.train)):
            for use in train.uses() if train else ():
                use.check(group, modality, task)
        self.model.check(self)
        size = (self.data.size[0], self.data.size[1]) if self.data.size else None
        object.__setattr__(self, "augment", resolve(self.augment, find_kind(modality), size))
        return self


def check_task(recipe: Recipe) -> None:
    """Refuse settings that do not go with the recipe's task; each message names what to change."""
    task, modality = find_task(recipe.task), recipe.data.modality
    if task.kinds is not None and modality not in task.kinds:
        raise ValueError(
            f"task {recipe.task} needs {' or '.join(task.kinds)}, and this is {modality}; set task to classify"
        )
    check_model(recipe.model.name, recipe.task, modality)
    check_labels(recipe)
    task.check(recipe)


def check_labels(recipe: Recipe) -> None:
    """Refuse several label columns, or a way to write numbers, where the task has no numbers."""
    named = [source.columns for source in recipe.data.sources if source.columns]
    if find_task(recipe.task).has_numbers:
        if any(columns.one_of for columns in named):
            raise ValueError("data.columns.one_of says classes; set task to classify, or name numbers in label")
        return
    for columns in named:
        if len(columns.labels) > 1 and not columns.one_of:
            problem = f"data.columns.label names {len(columns.labels)} columns"
            remedy = "name one of them, or in data.columns.one_of a column of 0 and 1 for each class"
            raise ValueError(f"{problem}, and task {recipe.task} takes one label a sample; {remedy}")
        if columns.decimal is not None:
            raise ValueError(f"task {recipe.task} has no numbers as labels; remove data.columns.decimal")


def check_model(name: str, task: str, kind: str) -> None:
    """Refuse a model that does not take this kind of data or cannot carry the head that the task asks for."""
    model, head = find_model(name), find_task(task).head
    if model.suits(kind, head):
        return
    told = f"{kind} data" if model.carries(head) else f"the task {task}"
    other = default_model(kind, head)
    remedy = f"set model.name to {other}" if other else "name a model of your own by its dotted path"
    raise ValueError(f"model.name {name} does not take {told}; {remedy}")


def with_defaults(values: dict[str, Any], modality: str, head: str) -> dict[str, Any]:
    """The values of a recipe with the defaults that depend on the kind of data: its network and its optimizer."""
    result = dict(values)
    model = result.get("model", {})
    wanted = default_model(modality, head) or default_model(None, head)  # so that what does not fit is told
    if isinstance(model, dict) and wanted is not None:
        result["model"] = {"name": wanted, **model}
    optimizer = find_kind(modality).optimizer
    if optimizer is None:
        return result
    result["train"] = _with_optimizer(result.get("train", {}), optimizer)
    if isinstance(result.get("compress", {}), dict):
        compress = result.get("compress", {})
        result["compress"] = {**compress, "train": _with_optimizer(compress.get("train", {}), optimizer)}
    return result


def _with_optimizer(train: Any, name: str) -> Any:
    """Settings of training with this optimizer where they name none."""
    if not isinstance(train, dict) or not isinstance(train.get("optimizer", {}), dict):
        return train
    return {**train, "optimizer": {"name": name, **train.get("optimizer", {})}}


def load_recipe(path: Path, settings: Sequence[str] | Mapping[str, Any] = ()) -> Recipe:
    """Read a recipe with settings (`key.path=value`) on top; raises RecipeError with file, line and key.

    Relative paths of data start at the recipe's own folder, and modules that it names are found there. A
    recipe without a name is named by its file.
    """
    document = read_yaml(path)
    override(document, settings)
    document.values.setdefault("name", path.stem)
    data = document.values.get("data")
    for values in mappings(data):
        if isinstance(values.get("path"), str):
            values["path"] = str((path.parent / Path(values["path"]).expanduser()).resolve())
    with modules_beside(path.parent):
        recipe = build(Recipe, document)
    recipe._folder = path.parent.resolve()
    return recipe


def mappings(value: Any) -> Iterator[dict[str, Any]]:
    """A mapping and all that it holds, at any depth."""
    if isinstance(value, dict):
        yield value
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from mappings(one)
