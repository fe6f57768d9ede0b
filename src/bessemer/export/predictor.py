"""An exported folder put to use: raw files and rows in, what the model says of them out."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice, repeat
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from bessemer.artifact import MANIFEST, open_artifact
from bessemer.config import read_yaml
from bessemer.data.config import ColumnsConfig
from bessemer.data.readers import PREPROCESS, input_files, kind_name, kind_of, read_one
from bessemer.data.record import Rejected
from bessemer.data.rows import Rows
from bessemer.errors import ArtifactError, DataError, UsageError
from bessemer.export.inputs import STDIN, Asked, Reading
from bessemer.export.session import OnnxModel
from bessemer.task import find_task

MODEL = "model.onnx"
ROWS = 1024  # of a table that are answered at once
RECIPES = {".yaml", ".yml"}
LISTED_RUNS = 5
NAMED = ("missing file", "path outside the data folder")  # reasons that say nothing without the name
Answer = dict[str, Any]


class Known:
    """Outputs (B, ...) that were computed before, as a task asks a model for them."""

    def __init__(self, outputs: NDArray[np.float32]) -> None:
        self.outputs = outputs

    def __call__(self, inputs: NDArray[Any]) -> NDArray[np.float32]:
        return self.outputs

    def logits(self, inputs: Rows) -> NDArray[np.float32]:
        return self.outputs


def find_export(path: Path) -> Path:
    """The exported folder that `path` names, checked against its manifest.

    It is the folder itself, or its run's `export/onnx`: named by the run, by its report, recipe or `model/`, or by
    the recipe whose run stands in `runs/NAME`. Raises ArtifactError where there is none.
    """
    places = _places(path)
    for folder in places:
        if (folder / MODEL).exists() and (folder / PREPROCESS).exists():
            if (folder / MANIFEST).exists():
                open_artifact(folder)
            return folder
    if not path.exists():
        raise ArtifactError(f"{path}: no such folder", "give a run folder or an exported folder")
    runs = sorted(one.parents[2] for one in path.glob(f"*/export/onnx/{MODEL}")) if path.is_dir() else []
    if runs:
        listed = ", ".join(map(str, runs[:LISTED_RUNS])) + (", ..." if len(runs) > LISTED_RUNS else "")
        raise ArtifactError(f"{path}: no run, but a folder of runs", f"name one of them: {listed}")
    looked = f", nor in {places[-1].parents[1]}" if _is_recipe(path) else ""
    raise ArtifactError(
        f"{path}: no exported model in it{looked}",
        "finish the run: `bessemer run RECIPE` says what is missing, or why nothing shipped; or name its folder",
    )


def _places(path: Path) -> list[Path]:
    """Where the exported folder may stand."""
    folder = path.parent if path.is_file() else path
    places = [folder, folder / "export" / "onnx"]
    if path.resolve().name in ("model", "export"):
        places.append(path.resolve().parent / "export" / "onnx")
    if _is_recipe(path):
        places.append(Path("runs") / str(read_yaml(path).values.get("name")) / "export" / "onnx")
    return places


def _is_recipe(path: Path) -> bool:
    return path.suffix.lower() in RECIPES and path.is_file()


class Predictor:
    """Raw files and rows in, what a model says of them out, with an exported folder checked against its manifest.

    The task that the model was trained for says how (bessemer.task.task.Predictor). `column` names the column of
    tables that is read, in place of the recipe's; `says` are settings of the task, such as `seed` of a language
    model. Raises ArtifactError where the folder is damaged, UsageError where a setting does not fit.
    """

    def __init__(
        self, path: Path, threads: int = 1, column: str | None = None, says: Mapping[str, Any] | None = None
    ) -> None:
        folder = find_export(path)
        try:
            self.about: dict[str, Any] = json.loads((folder / PREPROCESS).read_text(encoding="utf-8"))
            self.kind = kind_of(self.about)
            self.name = str(self.about.get("task", "classify"))
            self._task = find_task(self.name).predictor(self.about, folder)
            self.reading = self._reading()
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            raise ArtifactError(f"{folder / PREPROCESS}: damaged ({error})", "export the model again") from error
        except DataError as error:  # of the tokenizer
            raise ArtifactError(error.problem, "export the model again") from error
        if column is not None:
            self.reading = self.reading.named(column)
        self._adjust({name: value for name, value in (says or {}).items() if value is not None})
        self.model = OnnxModel(folder / MODEL, threads)

    @property
    def classes(self) -> list[str]:
        """The names of the classes, in the order of the file's outputs; empty where it tells none."""
        return list(self.about.get("classes", ()))

    def predict(self, paths: list[Path], top: int = 3) -> Iterator[Answer]:
        """For each file, or row of a table, what the model says, or the reason why it cannot be read."""
        return (dict(answer) for _, answer in self.answers(paths, top))

    def answers(
        self, paths: Iterable[Path], top: int = 3, stream: BinaryIO | None = None
    ) -> Iterator[tuple[Asked, Mapping[str, Any]]]:
        """The same beside what was asked, with the row's own cells; `-` is standard input, or `stream`."""
        for path in paths:
            if path != STDIN:
                yield from self._of_file(path, {"path": str(path)}, top)
            elif self.kind.whole_rows:
                yield from self._of_table((stream or sys.stdin.buffer).read(), top)
            else:
                yield from map(self._answered, self.reading.of_stream(stream or sys.stdin.buffer), repeat(top))

    def of_values(self, values: Iterable[Any], top: int = 3) -> Iterator[Answer]:
        """What the model says of values from Python; see `predict` of this module."""
        if self.kind.whole_rows:
            values = list(values)
            if any(isinstance(one, Mapping) for one in values):
                table = "\n".join(json.dumps(_plain_row(one), default=str) for one in values)
                yield from (answer for _, answer in self._of_table(table.encode(), top, ".jsonl"))
                return
            values = [Path(one) for one in values]
        for number, value in enumerate(values, 1):
            if self.kind.whole_rows:
                yield from self.predict([value], top)
            else:
                for asked in self.reading.of_value(number, value):
                    yield self._answered(asked, top)[1]

    def _of_file(self, path: Path, where: Answer, top: int) -> Iterator[tuple[Asked, Answer]]:
        if not self.kind.whole_rows:
            yield from map(self._answered, self.reading.of_path(path, where), repeat(top))
            return
        try:
            yield from self._of_rows(path, where, top)
        except (Rejected, OSError) as problem:
            reason = _reason(problem) if isinstance(problem, Rejected) else problem.strerror or "cannot be read"
            yield Asked(where, Rejected(reason)), {**where, "error": reason}

    def _of_rows(self, path: Path, where: Answer, top: int) -> Iterator[tuple[Asked, Answer]]:
        """What the model says of each row of a table, and which cells could not be read."""
        read = self.kind.rows(self.about)(path)
        while some := list(islice(read, ROWS)):
            inputs = [row.inputs for row in some if row.inputs is not None]
            outputs = iter(list(self.model.logits(np.array(inputs))) if inputs else [])
            for row in some:
                place = {**where, "row": row.number}
                if row.inputs is None:
                    yield Asked(place, Rejected(row.error), row.cells), {**place, "error": row.error}
                    continue
                one = row.inputs[None]
                answer = self._task.answer(Known(next(outputs)[None]), one, top)
                odd = {"odd": list(row.odd)} if row.odd else {}
                yield Asked(place, one, row.cells), {**place, **answer, **odd}

    def _of_table(self, data: bytes, top: int, suffix: str | None = None) -> Iterator[tuple[Asked, Answer]]:
        """Rows that stand in no file: their reader wants one."""
        with TemporaryDirectory() as folder:
            path = Path(folder) / f"rows{suffix or ('.jsonl' if data.lstrip()[:1] == b'{' else '.csv')}"
            path.write_bytes(data)
            yield from self._of_file(path, {"path": str(STDIN)}, top)

    def _answered(self, asked: Asked, top: int) -> tuple[Asked, Answer]:
        try:
            if isinstance(asked.value, Rejected):
                raise asked.value
            inputs = read_one(self._task.read, asked.value)
        except Rejected as fate:
            return asked, {**asked.where, "error": _reason(fate)}
        return asked, {**asked.where, **self._task.answer(self.model, inputs, top)}

    def told(self, result: Mapping[str, Any]) -> str:
        """One result in words, with the name of its file."""
        where = str(result.get("path", "")) + (f", row {result['row']}" if "row" in result else "")
        if "error" in result:
            return f"{where}: cannot be read: {result['error']}"
        odd = f"  ({'; '.join(result['odd'])})" if result.get("odd") else ""
        return f"{where}: {self._task.told(result)}{odd}"

    def flat(self, answer: Mapping[str, Any]) -> dict[str, Any]:
        """An answer as columns of a table: by the task's `flat`, or what of it is neither list nor mapping."""
        if "error" in answer:
            return {"error": answer["error"]}
        if hasattr(self._task, "flat"):
            return dict(self._task.flat(answer))
        plain = {name: value for name, value in answer.items() if not isinstance(value, list | dict)}
        return {name: value for name, value in plain.items() if name not in ("path", "row")}

    def _reading(self) -> Reading:
        columns = self.about.get("columns")
        named = ColumnsConfig(**columns) if columns is not None else None
        windows = find_task(self.name).has_windows
        return Reading(kind_name(self.about), self.kind, named, windows)

    def _adjust(self, says: Mapping[str, Any]) -> None:
        if not says:
            return
        if not hasattr(self._task, "adjust"):
            problem = f"{', '.join(says)}: of a language model, and this one is of task {self.name}"
            raise UsageError(problem, "leave it out")
        self._task.adjust(**says)


def predict(
    run: str | Path,
    inputs: Any,
    *,
    top: int = 3,
    column: str | None = None,
    threads: int = 1,
    **says: Any,
) -> list[Answer]:
    """What the model of a run says of files, rows or texts: a mapping for each, with the names of classes.

    `run` is a run folder, an exported folder, a report or a recipe. `inputs` is a path, or a list of these: a Path
    (a file, a folder, or a table of one sample a row), a string (for a model of texts the text itself, else a
    path), the bytes of a file, or a mapping from the recipe's columns to cells; or a data frame. An answer has
    `class` and `top`, `number`, or `bits_per_byte` and `continuation`; or `error`, the reason why it could not be
    read. `top` is how many classes are listed, `column` the one of tables that is read, in place of the recipe's.
    A language model takes `tokens`, `temperature` and `seed`. Raises ArtifactError where there is no whole model
    and UsageError where an input is of no kind that it takes.
    """
    predictor = Predictor(Path(run), threads, column, says)
    if isinstance(inputs, str | Path):
        return list(predictor.predict(input_files([Path(inputs)], predictor.kind), top))
    if hasattr(inputs, "to_dict"):  # a data frame, which gives the names of its columns when it is gone through
        inputs = inputs.to_dict("records")
    return list(predictor.of_values([inputs] if isinstance(inputs, Mapping) else inputs, top))


def _reason(fate: Rejected) -> str:
    return f"{fate.reason} ({fate.detail})" if fate.reason in NAMED else fate.reason


def _plain_row(row: Any) -> dict[str, Any]:
    """A row as JSON can say it: a number that is none is nothing."""
    return {str(name): None if cell is None or cell != cell else cell for name, cell in dict(row).items()}
