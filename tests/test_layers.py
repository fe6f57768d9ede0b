"""A module imports only what stands left of it, and parsing a command imports nothing heavy."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import bessemer

ORDER = [
    "errors",
    "draws",
    "dotted",
    "config",
    "runtime",
    "artifact",
    "report",
    "data",
    "prepare",
    "measure",
    "model",
    "task",
    "parallel",
    "train",
    "compress",
    "export",
    "api",
    "serve",
    "retrain",
    "plan",
    "recipe",
    "jobs",
    "rank",
    "stages",
    "ledger",
    "pipeline",
    "starter",
    "doctor",
    "cli",
]
ROOT = Path(bessemer.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
EXEMPT = {"__init__.py", "__main__.py"}  # the lazy table of public names, and `python -m bessemer`
HEAVY = {"torch", "onnxruntime", "matplotlib", "sklearn", "cv2"}


def own_imports(source: str, package: str) -> Iterator[tuple[int, str]]:
    """(line, top module) of each import of bessemer in a source, wherever it stands in the file."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *([node.module] if node.module else [])])
            names = [f"{base}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            parts = name.split(".")
            if parts[0] == "bessemer" and parts[1:] != ["__version__"]:
                yield node.lineno, parts[1] if len(parts) > 1 else ""


def wrong_imports(source: str, file: Path) -> list[str]:
    """Imports of a file (its path below the package) that point right or outside the order."""
    own = file.parts[0].removesuffix(".py")
    package = ".".join(["bessemer", *file.parts[:-1]])
    allowed = [*ORDER[: ORDER.index(own)], own]
    found = [(line, top) for line, top in own_imports(source, package) if top not in allowed]
    return [f"{file}:{line}: {own} imports {top or 'bessemer'}" for line, top in found]


def test_every_module_has_a_place_in_the_order():
    tops = {file.relative_to(ROOT).parts[0].removesuffix(".py") for file in FILES}
    assert tops - {name.removesuffix(".py") for name in EXEMPT} <= set(ORDER)


def test_every_module_imports_only_what_stands_left_of_it():
    wrong = []
    for path in FILES:
        file = path.relative_to(ROOT)
        if str(file) not in EXEMPT:
            wrong += wrong_imports(path.read_text(encoding="utf-8"), file)
    assert wrong == []


@pytest.mark.parametrize(
    "line",
    [
        "from bessemer.train.step import train_step",
        "import bessemer.train",
        "from bessemer import train",
        "from ..train import step",
        "import bessemer",
        "def late():\n    from bessemer.pipeline import run",
        "class A:\n    def late(self):\n        if True:\n            import bessemer.cli as cli",
    ],
)
def test_an_import_that_points_right_is_found(line):
    assert len(wrong_imports(line, Path("model/made_up.py"))) == 1


@pytest.mark.parametrize(
    "line",
    [
        "from bessemer import __version__",
        "from bessemer.data.order import permute",
        "from bessemer.model.layers import Normalize",
        "from .layers import Normalize",
        "from ..errors import DataError",
        "import torch",
        "import bessemerlike.train",
    ],
)
def test_an_import_that_points_left_is_allowed(line):
    assert wrong_imports(line, Path("model/made_up.py")) == []


@pytest.mark.parametrize("module", ["bessemer", "bessemer.cli", "bessemer.recipe", "bessemer.pipeline"])
def test_importing_it_imports_nothing_heavy(module):
    script = f"import sys, {module}; print(*sorted({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_training_loads_no_preparation():
    script = "import sys, bessemer.train, bessemer.train.loop; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert not [name for name in loaded if name.partition(".")[0] == "pyarrow"]
    assert not [name for name in loaded if name.startswith("bessemer.prepare")]


# --- a task is one room ----------------------------------------------------------------------------------

TASK_WORDS = {"classify", "regress", "language", "accuracy", "rmse", "RMSE", "bits_per_byte", "bits per byte"}
# The arithmetic of a measure; the default of a recipe and of `init`; a folder of an earlier version names no task.
SAID = {
    ("measure/metrics.py", "accuracy"),
    ("measure/numbers.py", "rmse"),
    ("recipe.py", "classify"),
    ("cli.py", "classify"),
    ("export/predictor.py", "classify"),
}
# How sure the check of labels is of itself, which has nothing to do with a task.
OF_LABELS = {("report/prepared.py", "accuracy")}


def words_said(source: str, words: set[str] = TASK_WORDS) -> set[str]:
    """The words that stand in a source as values."""
    constants = (node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant))
    return {value for value in constants if isinstance(value, str) and value in words}


def test_no_room_but_its_own_names_a_task_or_its_measures():
    found = {
        (str(file.relative_to(ROOT)), word)
        for file in FILES
        if file.relative_to(ROOT).parts[0] != "task"
        for word in words_said(file.read_text(encoding="utf-8"))
    }
    assert found - SAID - OF_LABELS == set()


PARTS_OF_A_TASK = {"confusion", "mistakes", "continuations", "class_counts", "stream_tokens", "text_bytes"}


def test_no_renderer_knows_a_part_that_only_some_tasks_hand_over():
    for file in (ROOT / "report").iterdir():
        if file.suffix in (".py", ".j2", ".css"):
            words = set(re.findall(r"[a-z_]+", file.read_text(encoding="utf-8")))
            assert words & PARTS_OF_A_TASK == set(), file.name


def test_a_word_of_a_task_is_found():
    assert words_said("if recipe.task == 'language':\n    row['accuracy'] = 1") == {"language", "accuracy"}


# --- a kind of data is one room --------------------------------------------------------------------------

KIND_WORDS = {"image", "text", "audio"}
LISTED = {("data/kinds.py", word) for word in KIND_WORDS}
# What a network or a task takes is theirs to say; documents are text.
TAKEN = {
    ("model/resnet/__init__.py", "image"),
    ("model/encoder/__init__.py", "text"),
    ("model/gpt/__init__.py", "text"),
    ("model/sound/__init__.py", "audio"),
    ("task/language/task.py", "text"),
    ("task/language/starter.py", "text"),
}
SHOWN_AS = ("image", "text")
# Keys of facts: a sample is shown as a picture or in words, whatever it is.
SHOWN = {
    (file, word)
    for file in ("data/dataset.py", "stages/prepare.py", "task/classify/telling.py", "task/regress/telling.py")
    for word in SHOWN_AS
}
# Keys of a sample that is shown, and the block of words.
RENDERED = {
    (f"report/{file}.py", word)
    for file in ("samples", "sections", "markdown", "html", "table")
    for word in SHOWN_AS
}
EARLIER = {("data/readers.py", "image")}  # an exported folder of an earlier version names no kind
METHODS = {  # training methods that suit one kind say so
    ("train/methods/cutmix/__init__.py", "image"),
    ("train/methods/resizing/__init__.py", "image"),
    ("train/methods/mixup/__init__.py", "text"),
    ("train/methods/sequence_warmup/__init__.py", "text"),
}


def test_no_room_but_its_own_names_a_kind_of_data():
    found = {
        (str(file.relative_to(ROOT)), word)
        for file in FILES
        if file.relative_to(ROOT).parts[:2] not in {("data", word) for word in KIND_WORDS}
        for word in words_said(file.read_text(encoding="utf-8"), KIND_WORDS)
    }
    assert found - LISTED - TAKEN - SHOWN - EARLIER - METHODS - RENDERED == set()


def test_rooms_of_kinds_import_nothing_heavy_and_nothing_of_each_other():
    heavy = HEAVY | {"pyarrow", "PIL", "scipy", "tokenizers", "soundfile"}
    script = f"import sys, bessemer.data.kinds; print(*sorted({heavy!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
    for kind in KIND_WORDS:
        others = [f"bessemer.data.{other}" for other in KIND_WORDS - {kind}]
        for file in (ROOT / "data" / kind).glob("*.py"):
            source = file.read_text(encoding="utf-8")
            assert not [other for other in others if f"{other} " in source or f"{other}." in source], file
