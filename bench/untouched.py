"""What `init` writes, untouched, on sets of the outside world, beside a strong simple model on the same test rows.

    python bench/untouched.py [--sets a,b] [--seeds 0,1,2] [--minutes M] [--work DIR] [--debian ROOT] [--until X]

Builds each of SETS in DIR/sets unless it is there, runs `bessemer init` once and `bessemer run` for each seed,
each in a process of its own whose output goes to a file beside its run, and prints a row for each run. A run
begins from nothing: what an earlier call left of it in DIR/runs is deleted. With --minutes, `init` is told
them. With --until prepare, the rows say what was set aside.

Shipped is what `report.json` says, with its 95% interval. The strong model is of bench/strong.py, fitted on the
rows that the run prepared. Their difference on the same test rows (ours against the other's; plus is better)
gives the verdict: ahead or behind where its 95% interval leaves out zero, else level. xz tells one sum and no
documents: there the network's own interval is held against it, which is wider. Minutes are of `init` and `run`
together.

A set whose Debian package is not installed is skipped with a word. To build without installing: `apt-get
download PACKAGE`, `dpkg -x FILE ROOT`, and --debian ROOT.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from columns import SETS as TABLES
from columns import write_csv
from corpora import MissingPackageError, build_docstrings, build_speech, build_stdlib
from strong import Strong, strong
from tables import print_head, print_row

from bessemer.data.dataset import Dataset
from bessemer.export.session import OnnxModel
from bessemer.model.state import load_model
from bessemer.report.units import measure_from
from bessemer.runtime import available_threads, machine
from bessemer.task import find_task

REFUSED = 3  # the exit code of a contract that nothing met
UNEVEN = 2.0  # times that the largest class is larger than the smallest, from which on macro-F1 is told
DIGITS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
VOICES = {  # of Debian's asterisk-core-sounds-LANGUAGE-wav
    "en": "en_US_f_Allison",
    "es": "es_MX_f_Allison",
    "fr": "fr_CA_f_June",
    "it": "it_IT_m_Carlo",
    "ru": "ru_RU_f_IvrvoiceRU",
}
MIXED = {"special", "unsorted"}  # folders of openclipart that are no categories
CATEGORIES = 10


@dataclass(frozen=True)
class Set:
    """How a set is written into a folder, what `init` is given of it, and the options it takes."""

    build: Callable[[Path, Path], None]  # folder to write to, root of Debian's files
    given: str = ""
    options: tuple[str, ...] = ()


# --- sets -----------------------------------------------------------------------------------------------------


def build_languages(out: Path, root: Path) -> None:
    """The prompts of a telephone exchange as they stand, a folder a language: out/fr/digits/1.wav."""
    found = {language: root / "usr/share/asterisk/sounds" / voice for language, voice in VOICES.items()}
    missing = [f"asterisk-core-sounds-{language}-wav" for language, path in found.items() if not path.is_dir()]
    if missing:
        raise MissingPackageError(f"apt-get install {' '.join(missing)}")
    for language, path in found.items():
        shutil.copytree(path, out / language)


def build_drawings(out: Path, root: Path) -> None:
    """The ten largest categories of drawings as they stand: out/animals/birds/owl.png; links are left out."""
    source = root / "usr/share/openclipart/png"
    if not source.is_dir():
        raise MissingPackageError("apt-get install openclipart-png")
    found = {
        folder.name: [path for path in sorted(folder.rglob("*.png")) if not path.is_symlink()]
        for folder in sorted(source.iterdir())
        if folder.is_dir() and folder.name not in MIXED
    }
    for name in sorted(found, key=lambda name: -len(found[name]))[:CATEGORIES]:
        for path in found[name]:
            place = out / path.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)


def build_fashion(out: Path, root: Path) -> None:
    """Fashion-MNIST's four IDX files."""
    source = root / "usr/share/datasets/fashion-mnist"
    if not source.is_dir():
        raise MissingPackageError("apt-get install dataset-fashion-mnist")
    shutil.copytree(source, out, dirs_exist_ok=True)


def of_tables(name: str, file: str) -> Set:
    """A table of bench/columns.py as CSV."""
    return Set(lambda out, root: write_csv(TABLES[name](), out / file), file)


SETS = {
    "languages": Set(build_languages),
    "drawings": Set(build_drawings),
    "fashion": Set(build_fashion),
    "spoken_digits": Set(lambda out, root: build_speech(out, DIGITS)),
    "docstrings": Set(lambda out, root: build_docstrings(out)),
    "wine": of_tables("wine", "wine.csv"),
    "breast_cancer": of_tables("breast cancer", "breast_cancer.csv"),
    "digits": of_tables("digits", "digits.csv"),
    "diabetes": of_tables("diabetes", "diabetes.csv"),
    "sources": Set(lambda out, root: build_stdlib(out), "", ("--task", "language")),
}


def built(name: str, work: Path, root: Path) -> Path:
    """The file or folder that `init` is given; built unless it is there. Raises MissingPackageError."""
    folder = work / "sets" / name
    if not folder.exists():
        part = folder.with_name(f".{name}.part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        SETS[name].build(part, root)
        part.rename(folder)
    return folder / SETS[name].given


# --- runs -----------------------------------------------------------------------------------------------------


def bessemer(arguments: list[str], output: Path) -> tuple[int, float]:
    """A command in a process of its own; returns its exit code and the seconds that it took."""
    output.parent.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    with output.open("w", encoding="utf-8") as file:
        command = [sys.executable, "-m", "bessemer", *arguments]
        done = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, check=False)
    return done.returncode, time.perf_counter() - started


def bench_set(name: str, options: argparse.Namespace) -> list[str]:
    """The rows of a set, one for each seed, printed when each is known; returns the verdicts."""
    work: Path = options.work
    try:
        given = built(name, work, options.debian)
    except MissingPackageError as error:
        print_row(name, f"skipped: {error}")
        return []
    recipe, verdicts = work / "recipes" / f"{name}.yaml", []
    budget = [] if options.minutes is None else ["--minutes", f"{options.minutes:g}"]
    output = work / "runs" / f"{name}-init.txt"
    recipe.parent.mkdir(parents=True, exist_ok=True)
    wish = [*SETS[name].options, *budget]
    code, first = bessemer(["init", str(given), "-o", str(recipe), "--force", *wish], output)
    if code != 0:
        print_row(name, f"init: exit code {code}: {last_line(output)}")
        return ["failed"]
    for seed in options.seeds:
        folder, output = work / "runs" / f"{name}-{seed}", work / "runs" / f"{name}-{seed}.txt"
        shutil.rmtree(folder, ignore_errors=True)
        until = ["--until", options.until] if options.until else []
        code, seconds = bessemer(["run", str(recipe), "-o", str(folder), "--set", f"seed={seed}", *until], output)
        if code not in (0, REFUSED):
            print_row(name, str(seed), f"run: exit code {code}: {last_line(output)}")
            verdicts.append("failed")
        elif options.until:
            print_row(name, str(seed), *prepared_cells(folder), f"{(first + seconds) / 60:.1f}")
        else:
            cells, verdict = compared(folder, seed)
            print_row(name, str(seed), *cells, verdict, f"{(first + seconds) / 60:.1f}")
            verdicts.append(verdict)
    return verdicts


def last_line(output: Path) -> str:
    """What a command said last."""
    lines = output.read_text(encoding="utf-8").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")


def prepared_cells(folder: Path) -> list[str]:
    """Rows, classes and what was set aside, once data is prepared."""
    data = read_report(folder)["data"]
    return [*sizes(data), "; ".join(f"{count:,} {reason}" for reason, count in aside(data).items()) or "none"]


def aside(data: dict[str, Any]) -> dict[str, int]:
    """How many rows of which reason are not used."""
    found = {**data["quarantined"], "copies": data["duplicates"], "copies of test rows": data["leaks"]}
    return {reason: count for reason, count in found.items() if count}


def sizes(data: dict[str, Any]) -> list[str]:
    """Rows kept, of all; and how many classes there are, with their shares where they are uneven."""
    rows = f"{data['kept']:,} of {data['rows']:,}"
    return [rows, str(len(data.get("classes") or [])) if unevenness(data) else "-"]


def unevenness(data: dict[str, Any]) -> float:
    """How many times larger the largest class of the test split is than the smallest; 0 without classes."""
    counts = [count for count in (data.get("class_counts") or {}).get("test", []) if count]
    return max(counts) / min(counts) if len(counts) > 1 else 0.0


def read_report(folder: Path) -> dict[str, Any]:
    """The report of a run."""
    report: dict[str, Any] = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    return report


# --- comparing ------------------------------------------------------------------------------------------------


def compared(folder: Path, seed: int) -> tuple[list[str], str]:
    """The cells of a finished run behind its seed, and its verdict."""
    report = read_report(folder)
    (prepared,) = (folder / "stages").glob("prepare-*")
    dataset, task = Dataset(prepared), find_task(report["recipe"]["task"])
    measure, data = measure_from(report["measures"][0]), report["data"]
    role = "shipped" if "shipped" in report["metrics"] else "parent"
    ours, simple = report["metrics"][role], report["baseline"]
    other = strong(dataset, task, seed)
    uneven = unevenness(data) >= UNEVEN
    f1 = task.metrics(other.records, seed)["f1"]["value"] if uneven and other.records is not None else None
    gap, low, high = difference(folder, role, dataset, task, ours[measure.name], other, seed)
    told = f"{measure.unit.change(gap)} ({measure.unit.change(low)} to {measure.unit.change(high)})"
    cells = [
        *sizes(data),
        with_interval(measure, ours[measure.name]),
        f"{ours['f1']['value']:.1%} / {f1:.1%}" if f1 is not None else "-",
        what_ships(report, role),
        f"{simple['name']}: {with_interval(measure, simple['metrics'][measure.name])}",
        f"{other.name}: {measure.unit.told(other.value)}",
        told,
    ]
    return cells, verdict(low, high)


def difference(
    folder: Path, role: str, dataset: Dataset, task: Any, ours: dict[str, float], other: Strong, seed: int
) -> tuple[float, float, float]:
    """What ours is better by than the other on the same test rows, and its 95% interval; plus is better."""
    if other.records is None:
        gain = task.headline.gain
        low, high = sorted(gain(other.value, ours[end]) for end in ("low", "high"))
        return gain(other.value, ours["value"]), low, high
    found: tuple[float, float, float] = task.difference(other.records, answers(folder, role, dataset, task), seed)
    return found


def answers(folder: Path, role: str, dataset: Dataset, task: Any) -> Any:
    """Records of the test rows by the file that shipped; where none did, by the parent's."""
    if role == "shipped":
        file, network = folder / "export/onnx/model.onnx", load_model(folder / "model")
        return task.records(OnnxModel(file, available_threads()), task.samples(dataset, "test", network), dataset)
    from bessemer.stages.context import read_records

    (evaluated,) = (folder / "stages").glob("evaluate-*")
    return read_records(evaluated / "test.npz")


def what_ships(report: dict[str, Any], role: str) -> str:
    """Nothing, the simple model, or a network: by the steps that led to it."""
    contract = report.get("contract") or {}
    if role == "parent":
        return "nothing; the parent is told"
    chosen = next((one for one in contract.get("candidates", []) if one["chosen"]), None)
    if chosen is None:
        return "network"
    return "simple model" if any(step["step"] == "simple" for step in chosen["steps"]) else "network"


def verdict(low: float, high: float) -> str:
    """What the interval of a gain says."""
    return "ahead" if low > 0 else "behind" if high < 0 else "level"


def with_interval(measure: Any, one: dict[str, float]) -> str:
    """A figure with its interval, where it has one."""
    value, between = measure.unit.told(one["value"]), measure.unit.interval(one)
    return f"{value} ({between})" if between else value


# --- the command ----------------------------------------------------------------------------------------------

HEADS = ["set", "seed", "rows", "classes"]
COMPARED = [
    "shipped",
    "macro-F1, ours / strong",
    "what ships",
    "bessemer's own baseline",
    "strong",
    "ours minus strong",
]


def bench_untouched(options: argparse.Namespace) -> None:
    """The table, and how often each verdict was given."""
    told = machine()
    versions = ", ".join(f"{name} {version}" for name, version in told["versions"].items())
    budget = f", {options.minutes:g} minutes asked for" if options.minutes is not None else ""
    about = f"{told['processor']}, {told['cores']} cores, {available_threads()} threads; {versions}{budget}"
    last = ["set aside", "min"] if options.until else [*COMPARED, "verdict", "min"]
    print_head(f"untouched: {about}", *HEADS, *last)
    verdicts = Counter(one for name in options.sets for one in bench_set(name, options))
    if verdicts:
        print("\n" + ", ".join(f"{count} {verdict}" for verdict, count in verdicts.items()))


def parsed() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = lambda text: [name for name in text.split(",") if name]  # noqa: E731
    parser.add_argument("--sets", type=names, default=[*SETS], help=f"of {', '.join(SETS)}")
    parser.add_argument("--seeds", type=lambda text: [int(one) for one in text.split(",")], default=[0, 1, 2])
    parser.add_argument("--minutes", type=float, help="handed to init")
    parser.add_argument("--work", type=Path, default=Path("runs/untouched"))
    parser.add_argument("--debian", type=Path, default=Path("/"), help="where Debian's files stand")
    parser.add_argument("--until", help="stop after this stage, prepare for instance, and tell what it set aside")
    options = parser.parse_args()
    unknown = set(options.sets) - set(SETS)
    if unknown:
        parser.error(f"no set {', '.join(sorted(unknown))}; there are {', '.join(SETS)}")
    return options


if __name__ == "__main__":
    bench_untouched(parsed())
